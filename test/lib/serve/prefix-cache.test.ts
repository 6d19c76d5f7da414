// Prompts that go on from what other requests left, pruned ones too, against the same without.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import OpenAI, { BadRequestError } from "openai";
import { load, type LoadOptions, type Model } from "../../../lib/runtime/model.js";
import type { Run } from "../../../lib/runtime/run.js";
import { serve, type Served, type ServeOptions } from "../../../lib/serve/index.js";
import { logProbs } from "../../../lib/serve/log-probs.js";
import { PrefixCache } from "../../../lib/serve/prefix-cache.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

const template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
const prompt = (n: number, seed: number) => Array.from({ length: n }, (_, i) => 5 + ((i * 7 + 3 * seed * (i % 5)) % 40));

describe("prompts that begin as others did", () => {
  const tiny = tinyCheckpoint("llama");
  let model: Model;
  const servers: Served[] = [];
  let reusing: OpenAI;
  let alone: OpenAI;
  const start = async (options: ServeOptions) => {
    const server = await serve(model, { port: 0, name: "m", ...options });
    servers.push(server);
    return new OpenAI({ baseURL: server.url, apiKey: "none", maxRetries: 0 });
  };
  before(async () => {
    const file = join(tiny.folder, "tokenizer_config.json");
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, "utf8")) as object), chat_template: template }));
    model = await load(tiny.folder, { threads: 1 });
    reusing = await start({});
    alone = await start({ prefixCacheBytes: 0 });
  });
  after(async () => {
    for (const server of servers) await server.close();
    await model.release();
    tiny.remove();
  });

  const extra = (fields: object) => fields as Record<string, never>;
  type Answer = OpenAI.Completion | OpenAI.ChatCompletion;
  const cached = ({ usage }: Answer) => usage!.prompt_tokens_details!.cached_tokens!;
  const kept = (answer: Answer) => (answer as unknown as { sdtp: Record<string, unknown> }).sdtp;
  const numbers = (answer: Answer) => answer.choices.flatMap(({ logprobs }) => ("content" in logprobs! ? logprobs.content!.map(({ logprob }) => logprob) : (logprobs as OpenAI.CompletionChoice.Logprobs).token_logprobs!));

  /** The same request with and without other requests' caches has the same numbers. @returns tokens that were there already */
  async function same<Request extends object>(ask: (client: OpenAI, request: Request) => Promise<Answer>, request: Request, clients = [reusing, alone], most = 1e-4): Promise<{ reused: number; answer: Answer }> {
    const [answer, expected] = [await ask(clients[0]!, request), await ask(clients[1]!, request)];
    const [found, due] = [numbers(answer), numbers(expected)];
    assert.equal(found.length, due.length);
    found.forEach((value, i) => assert.ok(value === due[i] || Math.abs(value - due[i]!) < most, `token ${i}: ${value} instead of ${due[i]}`));
    assert.equal(cached(expected), 0);
    const [{ prefill_seconds: _, ...now }, { prefill_seconds: __, ...without }] = [kept(answer), kept(expected)];
    assert.deepEqual(now, without);
    return { reused: cached(answer), answer };
  }
  const complete = (client: OpenAI, request: object) => client.completions.create({ model: "m", temperature: 0, max_tokens: 6, logprobs: 2, ...extra(request) } as OpenAI.CompletionCreateParamsNonStreaming);
  const chat = (client: OpenAI, request: object) => client.chat.completions.create({ model: "m", temperature: 0, max_tokens: 6, logprobs: true, ...extra({ ignore_eos: true, ...request }) } as unknown as OpenAI.ChatCompletionCreateParamsNonStreaming);

  it("a longer prompt, a shorter one, one that turns off, and the same again", async () => {
    const first = prompt(60, 1);
    assert.equal((await same(complete, { prompt: first })).reused, 0);
    assert.equal((await same(complete, { prompt: [...first, 6, 7, 8] })).reused >= 60, true);
    assert.equal((await same(complete, { prompt: first.slice(0, 40) })).reused, 39);
    assert.equal((await same(complete, { prompt: [...first.slice(0, 30), ...prompt(20, 4)] })).reused >= 30, true);
    assert.equal((await same(complete, { prompt: first })).reused, 59);
  });

  it("a prompt pruned as a whole serves the same prompt under the same pruning, nothing else", async () => {
    const whole = prompt(80, 2);
    const pruned = { sdtp: { method: "keep07", scorer: "norm" } };
    assert.equal((await same(complete, { prompt: whole, ...pruned })).reused, 0);
    assert.equal((await same(complete, { prompt: whole, ...pruned })).reused, 80);
    assert.equal((await same(complete, { prompt: [...whole, 9], ...pruned })).reused, 0);
    assert.equal((await same(complete, { prompt: whole, sdtp: { method: "keep05", scorer: "norm" } })).reused, 0);
    assert.equal((await same(complete, { prompt: whole, sdtp: { method: "keep07", scorer: "recency" } })).reused, 0);
  });

  for (const sdtp of [{ method: "keep07", scorer: "norm" }, { method: "keep05", scorer: "norm", kvPolicy: "retain" }, { method: "knorm", budget: 24 }]) {
    it(`${sdtp.method}${"kvPolicy" in sdtp ? ` ${sdtp.kvPolicy}` : ""}: what follows a context is appended to what is kept of it, as the run does by itself`, async () => {
      const [context, rest] = [prompt(70, 3), prompt(25, 8)];
      const settings = { preset: sdtp.budget ? `knorm:${sdtp.budget}` : sdtp.method, ...("scorer" in sdtp && { scorer: sdtp.scorer }), ...("kvPolicy" in sdtp && { kvPolicy: sdtp.kvPolicy as "retain" }) };
      const run = await model.prefill(context, settings);
      await run.extend(rest);
      const request = { prompt: [...context, ...rest], sdtp: { ...sdtp, context_tokens: 70 } };
      const { reused, answer } = await same(complete, request);
      assert.equal(reused, 0);
      assert.deepEqual([kept(answer)["context_tokens"], kept(answer)["kv_lens"]], [70, run.kv.lengths]);
      assert.ok(run.kv.lengths.at(-1)! < 95);
      const first = (answer as OpenAI.Completion).choices[0]!.logprobs!;
      assert.ok(Math.abs(Math.max(...Object.values(first.top_logprobs![0] as Record<string, number>)) - logProbs(run.logits, run.logits.indexOf(Math.max(...run.logits)), 1).logprob) < 1e-4);
      // A further question on the same context; one that begins as the first; the context alone.
      assert.equal((await same(complete, { ...request, prompt: [...context, ...prompt(9, 2)] })).reused >= 70, true);
      assert.equal((await same(complete, { ...request, prompt: [...context, ...rest.slice(0, 12), 30, 31] })).reused >= 82, true);
      assert.equal((await same(complete, { ...request, prompt: context })).reused, 70);
    });
  }

  it("the turns of a chat append to its cache; its first prompt is pruned, and what follows is not", async () => {
    const sdtp = { method: "keep07", scorer: "norm" };
    for (const pruning of [{}, { sdtp }]) {
      const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "system", content: "the sea and the ship and the whale and the sea".repeat(3) }, { role: "user", content: `what is it${JSON.stringify(pruning)}` }];
      let [reused, total, context] = [0, 0, 0];
      for (let turn = 0; turn < 3; turn++) {
        const { answer, reused: now } = await same(chat, { messages, ...pruning });
        const lengths = kept(answer)["kv_lens"] as number[];
        if (turn > 0) {
          // All of the turn before but what its text is tokenised otherwise in.
          assert.ok(now >= total, `${now} of ${total} tokens`);
          assert.ok(now > reused);
        }
        if ("sdtp" in pruning) {
          if (turn === 0) context = kept(answer)["context_tokens"] as number;
          assert.equal(kept(answer)["context_tokens"], context);
          const pruned = model.plan(context, { preset: sdtp.method }).kvLengths;
          assert.deepEqual(lengths, pruned.map((length) => length + answer.usage!.prompt_tokens - context));
        } else assert.deepEqual([...new Set(lengths)], [answer.usage!.prompt_tokens]);
        [reused, total] = [now, answer.usage!.prompt_tokens];
        messages.push({ role: "assistant", content: (answer as OpenAI.ChatCompletion).choices[0]!.message.content! }, { role: "user", content: "and then the ship" });
      }
    }
  });

  it("a prompt that another request is still at is shared too", async () => {
    const long = prompt(90, 6);
    const stream = await reusing.completions.create({ model: "m", prompt: long, max_tokens: 300, temperature: 0, stream: true, ...extra({ ignore_eos: true }) });
    const chunks = stream[Symbol.asyncIterator]();
    await chunks.next();
    assert.equal((await same(complete, { prompt: [...long.slice(0, 80), 7, 7, 7] })).reused >= 80, true);
    stream.controller.abort();
  });

  it("log-likelihoods after a pruned context are those of the run, by its length or from the end", async () => {
    const [context, rest] = [prompt(64, 5), prompt(11, 9)];
    const run = await model.prefill(context, { preset: "keep07", scorer: "norm" });
    const before = run.logits;
    const logits = await run.extend(rest);
    const due = rest.map((id, i) => logProbs(i === 0 ? before : logits.subarray((i - 1) * before.length, i * before.length), id, 1).logprob);
    const pruning = { method: "keep07", scorer: "norm" };
    for (const which of [{ context_tokens: 64 }, { tail_tokens: 11 }]) {
      const { answer, reused } = await same(complete, { prompt: [...context, ...rest], echo: true, max_tokens: 1, sdtp: { ...pruning, ...which } });
      const found = numbers(answer);
      assert.equal(found.length, 76);
      assert.deepEqual(found.slice(0, 64), Array.from({ length: 64 }, () => null));
      due.forEach((value, i) => assert.ok(Math.abs(found[64 + i]! - value) < 1e-4, `${i}: ${found[64 + i]} instead of ${value}`));
      // The context is there for the next continuation of it.
      assert.equal(reused, "tail_tokens" in which ? 64 : 0);
    }
    const tail = await start({ tailTokens: 11, pruning: { preset: "keep07", scorer: "norm" } });
    const plain = numbers(await complete(tail, { prompt: [...context, ...rest], echo: true, max_tokens: 1 }));
    due.forEach((value, i) => assert.ok(Math.abs(plain[64 + i]! - value) < 1e-4));
  });

  const rounded: LoadOptions[] = [{ dtype: "int8" }, { dtype: "int4:nearest" }, { kvDtype: "int8" }];
  for (const options of rounded) {
    it(`${JSON.stringify(options)}: where numbers depend on a prompt's pieces, it goes on only where one of them begins, with the numbers that it has alone`, async (t) => {
      const other = await load(tiny.folder, { threads: 1, ...options });
      t.after(() => other.release());
      const on = async (server: ServeOptions) => {
        const served = await serve(other, { port: 0, name: "m", maxBatchedTokens: 16, ...server });
        t.after(() => served.close());
        return new OpenAI({ baseURL: served.url, apiKey: "none", maxRetries: 0 });
      };
      const clients = [await on({}), await on({ prefixCacheBytes: 0 })];
      const reuses = async (request: object, due: number) => assert.equal((await same(complete, { max_tokens: 20, ignore_eos: true, ...request }, clients, 1e-6)).reused, due);
      const first = prompt(60, 1);
      await reuses({ prompt: first }, 0);
      // The same again; a longer one; one that turns off; those that end earlier: within a piece, with one, in the first.
      await reuses({ prompt: first }, 60);
      await reuses({ prompt: [...first, 6, 7, 8] }, 48);
      await reuses({ prompt: [...first.slice(0, 40), ...prompt(20, 4)] }, 32);
      await reuses({ prompt: first.slice(0, 40) }, 32);
      await reuses({ prompt: first.slice(0, 48) }, 32);
      await reuses({ prompt: first.slice(0, 12) }, 0);
      // After a pruned context pieces begin at its end.
      if (options.kvDtype) return;
      const sdtp = { method: "keep07", scorer: "norm", context_tokens: 40 };
      await reuses({ prompt: first, sdtp }, 0);
      await reuses({ prompt: [...first.slice(0, 58), ...prompt(12, 7)], sdtp }, 56);
      await reuses({ prompt: first.slice(0, 40), sdtp }, 40);
      await reuses({ prompt: [...first.slice(0, 45), 9, 9], sdtp }, 40);
    });
  }

  it("what is wrong with a context is said", async () => {
    const refuses = (request: object, ...parts: RegExp[]) => assert.rejects(complete(reusing, { prompt: prompt(20, 1), ...request }), (error: Error) => error instanceof BadRequestError && parts.every((part) => part.test(error.message)));
    await refuses({ sdtp: { method: "keep07", scorer: "norm", context_tokens: 21 } }, /context_tokens: 21 \(the prompt has 20 tokens\)|context_tokens/);
    await refuses({ sdtp: { method: "keep07", scorer: "norm", context_tokens: 5, tail_tokens: 5 } }, /tail_tokens/);
    await refuses({ sdtp: { method: "keep07", scorer: "norm" }, echo: true }, /echo/, /sdtp\.context_tokens/);
    const small = await start({ maxPrunedTokens: 10 });
    await assert.rejects(complete(small, { prompt: prompt(20, 1), sdtp: { method: "keep07", scorer: "norm" } }), /20 tokens to be pruned/);
    await complete(small, { prompt: prompt(20, 1), sdtp: { method: "keep07", scorer: "norm", tail_tokens: 12 } });
    await complete(small, { prompt: prompt(20, 1) });
  });

  it("what was not used for longest goes first, and no more bytes are kept than were allowed", async () => {
    const kind = { pruning: "", context: 0 };
    const runs = await Promise.all([1, 2, 3, 4].map((seed) => model.prefill(prompt(50, seed))));
    const one = runs[0]!.kv.bytes;
    const cache = new PrefixCache(3.5 * one);
    const put = (into: PrefixCache, run: Run) => into.put(kind, run, run.ids.length, null, run.logits);
    for (const run of runs.slice(0, 3)) put(cache, run);
    assert.equal(cache.entries, 3);
    assert.equal(cache.find(kind, [...prompt(50, 1), 3])?.length, 50);
    put(cache, runs[3]!);
    assert.ok(cache.entries === 3 && cache.bytes <= 3.5 * one);
    const found = (seed: number) => cache.find(kind, [...prompt(50, seed), 3])?.length ?? 0;
    assert.deepEqual([found(1), found(3), found(4)], [50, 50, 50]);
    assert.ok(found(2) < 50);
    // A continuation takes the place of what it continues; the same again, or the start of what is there, none.
    const longer = model.rewound(cache.find(kind, [...prompt(50, 4), 3])!.run, 50, { room: 8 });
    await longer.extend([3, 4]);
    put(cache, longer);
    assert.deepEqual([cache.entries, cache.find(kind, [...prompt(50, 4), 3, 9])?.length], [3, 51]);
    put(cache, await model.prefill(prompt(50, 4)));
    assert.equal(cache.entries, 3);
    put(cache, await model.prefill(prompt(300, 1)));
    assert.equal(cache.entries, 3, "what is larger than all of it is not kept");
    assert.equal(cache.find({ pruning: "", context: 50 }, prompt(50, 1)), null);
    assert.equal(cache.find({ pruning: "other", context: 0 }, prompt(50, 1)), null);
    cache.clear();
    assert.deepEqual([cache.entries, cache.bytes, found(1)], [0, 0, 0]);
    const none = new PrefixCache(0);
    put(none, await model.prefill(prompt(50, 1)));
    assert.deepEqual([none.entries, none.find(kind, prompt(50, 1))], [0, null]);
  });
});
