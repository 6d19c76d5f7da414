// A request of a served model has the numbers that it has alone: whoever it shares runs with, and whatever its prompt goes on from. On weights whose
// products round activations, where a last bit is no longer a last bit a block later.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { load, type Model } from "../../../lib/runtime/model.js";
import { serve, type Served } from "../../../lib/serve/index.js";
import { smollm2 } from "../models/smollm2.js";

const found = await smollm2();
const skip = "missing" in found ? found.missing : false;

/** Tokens without a meaning: their numbers are the most sensitive ones. */
const tokens = (length: number, seed: number) => Array.from({ length }, (_, i) => 100 + ((i * 7919 + seed * 104729 + i * i) % 40000));

for (const dtype of [undefined, "int8"]) {
  test(`SmolLM2 ${dtype ?? "as it is stored, Q4_1"}: numbers depend neither on who else is served nor on what was`, { skip }, async () => {
    if ("missing" in found) return;
    const model: Model = await load(found.file, { worker: true, ...(dtype && { dtype }) });
    const servers: Served[] = [];
    after(async () => {
      for (const server of servers) await server.close();
      await model.release();
    });
    for (const prefixCacheBytes of [2 ** 29, 0]) servers.push(await serve(model, { port: 0, name: "m", maxBatchedTokens: 128, prefixCacheBytes }));
    const [reusing, alone] = servers as [Served, Served];
    const ask = async ({ url }: Served, prompt: readonly number[], maxTokens: number) => {
      const body = JSON.stringify({ model: "m", prompt, temperature: 0, max_tokens: maxTokens, ignore_eos: true, logprobs: 1 });
      const response = await fetch(`${url}/completions`, { method: "POST", headers: { "content-type": "application/json" }, body });
      assert.equal(response.status, 200);
      const { usage, choices } = (await response.json()) as { usage: { prompt_tokens_details: { cached_tokens: number } }; choices: { logprobs: { token_logprobs: number[] } }[] };
      return { cached: usage.prompt_tokens_details.cached_tokens, numbers: choices[0]!.logprobs.token_logprobs };
    };
    const first = tokens(350, 1);
    // The same start and another end, a longer one, a shorter one, another; answers of several lengths.
    const requests = [first, [...first.slice(0, 300), ...tokens(45, 5)], [...first, ...tokens(25, 6)], first.slice(0, 170), tokens(180, 9)].map((prompt, i) => ({ prompt, maxTokens: 4 + 3 * i }));
    const due: number[][] = [];
    for (const { prompt, maxTokens } of requests) due.push((await ask(alone, prompt, maxTokens)).numbers);
    const check = (numbers: number[], i: number) => numbers.forEach((value, at) => assert.ok(Math.abs(value - due[i]![at]!) < 1e-4, `request ${i}, token ${at}: ${value} instead of ${due[i]![at]}`));
    const cached: number[] = [];
    for (const [i, { prompt, maxTokens }] of requests.entries()) {
      const answer = await ask(reusing, prompt, maxTokens);
      cached.push(answer.cached);
      check(answer.numbers, i);
    }
    assert.deepEqual(cached, [0, 256, 256, 128, 0]);
    await Promise.all([...requests, ...requests].map(async ({ prompt, maxTokens }, at) => check((await ask(reusing, prompt, maxTokens)).numbers, at % requests.length)));
  });
}
