import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import OpenAI, { AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from "openai";
import { generate } from "../../../lib/runtime/generate.js";
import { load, type Model } from "../../../lib/runtime/model.js";
import { serve, type Served, type ServeOptions } from "../../../lib/serve/index.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { logProbs } from "../../../lib/serve/log-probs.js";

const template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if tools %}{{ tools[0].name }}{% endif %}{% if add_generation_prompt %}[assistant]{% endif %}";

describe("serving a model", () => {
  const tiny = tinyCheckpoint("llama");
  let model: Model;
  let served: Served;
  let client: OpenAI;
  const others: Served[] = [];
  const ids = Array.from({ length: 60 }, (_, i) => 5 + ((i * 7) % 40));
  const start = async (options: ServeOptions = {}) => {
    const server = await serve(model, { port: 0, name: "m", ...options });
    others.push(server);
    return { server, client: new OpenAI({ baseURL: server.url, apiKey: options.apiKey ?? "none", maxRetries: 0 }) };
  };

  before(async () => {
    const file = join(tiny.folder, "tokenizer_config.json");
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")) as object, chat_template: template }));
    model = await load(tiny.folder, { threads: 1 });
    ({ server: served, client } = await start());
  });
  after(async () => {
    for (const server of others) await server.close();
    await model.release();
    tiny.remove();
  });

  const greedy = { model: "m", temperature: 0, max_tokens: 12 };
  /** Not of the client's types. */
  const extra = (fields: object) => fields as Record<string, never>;
  const text = (answer: OpenAI.Completion) => answer.choices.map((choice) => choice.text);
  const expected = async (prompt: readonly number[], maxNewTokens: number, preset = "baseline") => {
    const { ids: found, run } = await generate(model, prompt, { maxNewTokens, preset, scorer: "norm" });
    const stops = new Set(model.config.eosTokenIds);
    return { text: (await model.tokenizer()).decode(found.filter((id) => !stops.has(id)), { skipSpecialTokens: true }), run, ids: found };
  };

  it("a completion is the greedy continuation, as text and as ids, whole and streamed", async () => {
    const alone = await expected(ids, 12);
    const whole = await client.completions.create({ ...greedy, prompt: ids });
    assert.deepEqual(text(whole), [alone.text]);
    assert.equal(whole.usage?.prompt_tokens, 60);
    assert.equal(whole.usage?.completion_tokens, alone.ids.length);
    assert.equal(whole.object, "text_completion");
    let streamed = "";
    let [reason, usage]: [unknown, unknown] = [null, null];
    for await (const chunk of await client.completions.create({ ...greedy, prompt: ids, stream: true, stream_options: { include_usage: true } })) {
      streamed += chunk.choices[0]?.text ?? "";
      reason ??= chunk.choices[0]?.finish_reason ?? null;
      usage = chunk.usage;
    }
    assert.equal(streamed, alone.text);
    assert.equal(reason, whole.choices[0]?.finish_reason);
    // The second time all but the last token of the prompt is there already.
    assert.deepEqual(usage, { ...whole.usage, prompt_tokens_details: { cached_tokens: 59 } });
  });

  it("several prompts and choices have their numbers; a seed gives the same again, and each choice another", async () => {
    const prompts = [ids.slice(0, 20), ids.slice(5, 40)];
    const sampled = { model: "m", max_tokens: 10, seed: 7, n: 3, temperature: 1.5, prompt: prompts };
    const [first, again] = [await client.completions.create(sampled), await client.completions.create(sampled)];
    assert.deepEqual(first.choices.map(({ index }) => index), [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(text(first), text(again));
    assert.ok(new Set(text(first)).size > 3);
    assert.deepEqual(text(await client.completions.create({ ...greedy, prompt: prompts })), [(await expected(prompts[0]!, 12)).text, (await expected(prompts[1]!, 12)).text]);
  });

  it("log-probabilities are those of the logits, echoed ones those of the prompt", async () => {
    const prompt = ids.slice(0, 9);
    const { choices: [choice] } = await client.completions.create({ model: "m", temperature: 0, max_tokens: 1, prompt, logprobs: 3, echo: true });
    const found = choice!.logprobs!;
    assert.equal(found.tokens!.length, 10);
    assert.equal(found.token_logprobs![0], null);
    for (let at = 1; at <= 9; at++) {
      const { logits } = await model.prefill(prompt.slice(0, at));
      const id = prompt[at] ?? logits.indexOf(Math.max(...logits));
      const own = logProbs(logits, id, 3);
      const sum = Math.log(logits.reduce((total, logit) => total + Math.exp(logit), 0));
      assert.ok(Math.abs(own.logprob - (logits[id]! - sum)) < 1e-4);
      assert.ok(Math.abs(found.token_logprobs![at]! - own.logprob) < 1e-4, `token ${at}: ${found.token_logprobs![at]} instead of ${own.logprob}`);
      const [likeliest] = Object.entries(found.top_logprobs![at]!).sort((a, b) => b[1] - a[1]);
      assert.ok(Math.abs(likeliest![1] - own.top[0]!.logprob) < 1e-4);
    }
    assert.equal(choice!.text.slice(found.text_offset![8], found.text_offset![9]), found.tokens![8]);
    const nothing = await client.completions.create({ model: "m", max_tokens: 0, prompt, logprobs: 1, echo: true });
    assert.equal(nothing.choices[0]!.logprobs!.tokens!.length, 9);
    assert.equal(nothing.usage!.completion_tokens, 0);
  });

  it("stop strings end the text before them, also over several tokens, streamed or not", async () => {
    const { text: all } = await expected(ids, 12);
    const stop = all.slice(4, 7);
    const wanted = all.slice(0, all.indexOf(stop));
    const whole = await client.completions.create({ ...greedy, prompt: ids, stop: [stop, "never"] });
    assert.equal(whole.choices[0]!.text, wanted);
    assert.equal(whole.choices[0]!.finish_reason, "stop");
    let streamed = "";
    for await (const chunk of await client.completions.create({ ...greedy, prompt: ids, stop, stream: true })) streamed += chunk.choices[0]?.text ?? "";
    assert.equal(streamed, wanted);
  });

  it("a request chooses its own pruning, and the answer says what was kept", async () => {
    const answer = (await client.completions.create({ ...greedy, prompt: ids, ...extra({ sdtp: { method: "keep07", scorer: "norm" } }) })) as OpenAI.Completion & { sdtp: Record<string, unknown> };
    const { text: pruned, run } = await expected(ids, 12, "keep07");
    assert.deepEqual(text(answer), [pruned]);
    assert.equal(answer.sdtp.kept_tokens, 42);
    assert.deepEqual(answer.sdtp.kv_lens, run.kvLengthsAfterPrefill);
    assert.equal(answer.sdtp.scorer, "norm");
    const served = await start({ pruning: { preset: "keep08", scorer: "recency" } });
    const other = (await served.client.completions.create({ ...greedy, prompt: ids })) as typeof answer;
    assert.deepEqual([other.sdtp.method, other.sdtp.scorer, other.sdtp.kept_tokens], ["keep08", "recency", 48]);
  });

  it("a chat goes through the template, tools included, with log-probabilities of its own form", async () => {
    const messages = [{ role: "system" as const, content: "the sea" }, { role: "user" as const, content: [{ type: "text" as const, text: "who was " }, { type: "text" as const, text: "king" }] }];
    const prompt = (await model.tokenizer()).encode("[system]the sea[user]who was king[assistant]", { addSpecialTokens: false });
    const alone = await expected(prompt, 6);
    const answer = await client.chat.completions.create({ model: "m", messages, temperature: 0, max_completion_tokens: 6, logprobs: true, top_logprobs: 2 });
    assert.equal(answer.choices[0]!.message.content, alone.text);
    assert.equal(answer.usage!.prompt_tokens, prompt.length);
    const [first] = answer.choices[0]!.logprobs!.content!;
    assert.equal(first!.top_logprobs.length, 2);
    assert.equal(first!.top_logprobs[0]!.logprob, first!.logprob);
    const bytes = Buffer.from(first!.bytes!);
    assert.equal(first!.token, bytes.toString().includes("\ufffd") ? `bytes:\\x${bytes.toString("hex").match(/../g)!.join("\\x")}` : bytes.toString());
    let streamed = "";
    const roles: unknown[] = [];
    for await (const chunk of await client.chat.completions.create({ model: "m", messages, temperature: 0, max_tokens: 6, stream: true })) {
      streamed += chunk.choices[0]?.delta.content ?? "";
      roles.push(chunk.choices[0]?.delta.role);
    }
    assert.equal(streamed, alone.text);
    assert.equal(roles.filter((role) => role === "assistant").length, 1);
    const tools = [{ type: "function" as const, function: { name: "look" }, ...extra({ name: "look" }) }];
    const withTools = await client.chat.completions.create({ model: "m", messages, tools, temperature: 0, max_tokens: 1 });
    assert.equal(withTools.usage!.prompt_tokens, (await model.tokenizer()).encode("[system]the sea[user]who was kinglook[assistant]", { addSpecialTokens: false }).length);
  });

  it("biases and penalties change what comes", async () => {
    const biased = await client.completions.create({ ...greedy, prompt: ids, max_tokens: 4, logit_bias: { "9": 100 } });
    const nine = (await model.tokenizer()).decode([9]);
    assert.equal(biased.choices[0]!.text, nine.repeat(4));
    const penalised = await client.completions.create({ ...greedy, prompt: ids, max_tokens: 4, logit_bias: { "9": 30 }, presence_penalty: 2, frequency_penalty: 2, logprobs: 0 });
    assert.equal(penalised.choices[0]!.logprobs!.tokens!.length, 4);
  });

  it("requests beside each other get what they would get alone", async () => {
    const prompts = Array.from({ length: 6 }, (_, i) => ids.slice(i, 30 + 4 * i));
    const alone = [];
    for (const prompt of prompts) alone.push((await expected(prompt, 12)).text);
    const together = await Promise.all(prompts.map((prompt) => client.completions.create({ ...greedy, prompt })));
    assert.deepEqual(together.flatMap(text), alone);
  });

  it("what is wrong is said with the field's name, and nothing runs", async () => {
    const fails = async (fields: object, param: string | null, message: RegExp) => {
      await assert.rejects(client.completions.create({ ...greedy, prompt: "who", ...fields } as never), (error: BadRequestError) => {
        assert.equal(error.status, 400);
        assert.equal(error.param, param);
        assert.match(error.message, message);
        return true;
      });
    };
    await fails({ temperature: 3 }, "temperature", /expected number to be <=2/);
    await fails({ max_tokens: -1 }, "max_tokens", /max_tokens/);
    await fails({ max_tokens: 0 }, "max_tokens", /must be positive, or with echo/);
    await fails({ prompt: [1, 2, 100_000] }, "prompt", /100000/);
    await fails({ prompt: [ids, [99_999_999]] }, "prompt.1", /99999999/);
    await fails({ prompt: [] }, "prompt", /prompt/);
    await fails({ max_tokens: 1e6 }, "prompt", /1000000/);
    await fails({ repetition_penalty: 1.1 }, "repetition_penalty", /Unrecognized request argument/);
    await fails({ sdtp: { method: "keep" } }, "sdtp.method", /known: /);
    await fails({ sdtp: { budget: 0.5 } }, "sdtp.budget", /give sdtp.method/);
    await fails({ sdtp: { depth: 1 } }, "sdtp.depth", /Unrecognized/);
    await fails({ sdtp: { method: "keep07", scorer: "norm" }, echo: true, logprobs: 1 }, "echo", /keep07 prunes/);
    await fails({ logit_bias: { "70000000": 1 } }, "logit_bias.70000000", /vocabulary/);
    await fails({ best_of: 4 }, "best_of", /must be n/);
    await assert.rejects(client.chat.completions.create({ model: "m", messages: [], max_tokens: 1 }), (error: BadRequestError) => error.param === "messages");
    await assert.rejects(client.completions.create({ ...greedy, model: "other", prompt: "who" }), NotFoundError);
    const raw = (body: string, path = "completions") => fetch(`${served.url}/${path}`, { method: "POST", body });
    assert.match(((await (await raw("{not json")).json()) as { error: { message: string } }).error.message, /not JSON/);
    assert.match(((await (await raw("[1]")).json()) as { error: { message: string } }).error.message, /JSON object/);
    assert.equal((await raw("{}", "embeddings")).status, 404);
    assert.equal((await raw(JSON.stringify({ prompt: "x".repeat(17 * 2 ** 20) }))).status, 413);
    // And it goes on.
    assert.equal((await client.completions.create({ ...greedy, prompt: "who", max_tokens: 1 })).choices.length, 1);
  });

  it("the tokenizer is that of the model, over HTTP as well", async () => {
    const at = served.url.replace("/v1", "");
    const post = async (path: string, fields: object) => (await fetch(`${at}${path}`, { method: "POST", body: JSON.stringify(fields) })).json() as Promise<Record<string, unknown>>;
    const tokenizer = await model.tokenizer();
    const plain = tokenizer.encode("who was king", { addSpecialTokens: false });
    const { tokens, count, token_strs } = await post("/tokenize", { prompt: "who was king", add_special_tokens: false, return_token_strs: true });
    assert.deepEqual([tokens, count, token_strs], [plain, plain.length, plain.map((id) => tokenizer.token(id))]);
    assert.deepEqual((await post("/tokenize", { prompt: "who was king" })).tokens, tokenizer.encode("who was king"));
    assert.deepEqual((await post("/tokenize", { messages: [{ role: "user", content: "who" }] })).tokens, tokenizer.encode("[user]who[assistant]", { addSpecialTokens: false }));
    assert.deepEqual(await post("/detokenize", { tokens: plain }), { prompt: "who was king" });
    assert.equal(((await post("/tokenize", {})).error as { param: string }).param, "prompt");
    const info = (await (await fetch(`${at}/tokenizer_info`)).json()) as Record<string, unknown>;
    assert.deepEqual([info.eos_token, info.chat_template], [tokenizer.token(model.config.eosTokenIds[0]!), template]);
  });

  it("a key is asked for where there is one", async () => {
    const { server, client: known } = await start({ apiKey: "secret" });
    assert.deepEqual((await known.models.list()).data.map(({ id }) => id), ["m"]);
    await assert.rejects(new OpenAI({ baseURL: server.url, apiKey: "secreT", maxRetries: 0 }).models.list(), AuthenticationError);
    assert.equal((await fetch(server.url.replace("/v1", "/health"))).status, 200);
  });

  it("more than there is room for are told to come again; one that goes away stops, and its place is free", async () => {
    const { server, client: busy } = await start({ maxRunning: 1, maxWaiting: 1 });
    const metrics = async (name: string) => Number(new RegExp(`^sdtp:${name} (.*)$`, "m").exec(await (await fetch(server.url.replace("/v1", "/metrics"))).text())?.[1]);
    const until = async (name: string, value: number) => {
      while ((await metrics(name)) !== value) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    const long = { model: "m", prompt: ids, max_tokens: 100_000, temperature: 1, stream: true as const, ...extra({ ignore_eos: true }) };
    const stop = new AbortController();
    const room = model.config.maxPositions - ids.length;
    const running = await busy.completions.create({ ...long, max_tokens: room }, { signal: stop.signal });
    await until("num_requests_running", 1);
    assert.ok((await metrics("kv_cache_bytes")) >= 0);
    const waiting = busy.completions.create({ ...greedy, prompt: ids });
    await until("num_requests_waiting", 1);
    await assert.rejects(busy.completions.create({ ...greedy, prompt: ids }), (error: RateLimitError) => {
      assert.equal(error.status, 429);
      assert.equal(error.headers?.get("retry-after"), "1");
      return true;
    });
    void running;
    stop.abort();
    assert.deepEqual(text(await waiting), [(await expected(ids, 12)).text]);
    await until("num_requests_running", 0);
    assert.equal(await metrics("num_requests_waiting"), 0);
    assert.equal(await metrics("kv_cache_bytes"), 0);
  });

  it("a request that takes too long ends with an error; a taken port is said", async () => {
    const { server } = await start({ timeout: 0.05 });
    const body = JSON.stringify({ model: "m", prompt: ids, max_tokens: model.config.maxPositions - ids.length, ignore_eos: true, seed: 1 });
    const answer = await fetch(`${server.url}/completions`, { method: "POST", body });
    assert.deepEqual([answer.status, ((await answer.json()) as { error: { type: string } }).error.type], [504, "timeout"]);
    const port = Number(new URL(server.url).port);
    await assert.rejects(serve(model, { port }), new RegExp(`port ${port}: is taken`));
  });
});
