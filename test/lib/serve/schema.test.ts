// Answers as OpenAI's published description of its API has them (test/reference/openai), and as its client types them.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { load, type Model } from "../../../lib/runtime/model.js";
import { serve, type Served } from "../../../lib/serve/index.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

const $defs = JSON.parse(readFileSync(join(packageRoot(), "test", "reference", "openai", "schemas.json"), "utf8")) as Record<string, object>;
const schemas = new Map<string, z.ZodType>();

/** What an answer has against a published schema. */
function wrongWith(name: string, value: unknown): string[] {
  const schema = schemas.get(name) ?? z.fromJSONSchema({ $ref: `#/$defs/${name}`, $defs } as Parameters<typeof z.fromJSONSchema>[0]);
  schemas.set(name, schema);
  return schema.safeParse(value).error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];
}

describe("answers in the published form", () => {
  const tiny = tinyCheckpoint("llama");
  let model: Model;
  let served: Served;
  before(async () => {
    const file = join(tiny.folder, "tokenizer_config.json");
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, "utf8")) as object), chat_template: "{% for m in messages %}{{ m.content }}{% endfor %}" }));
    model = await load(tiny.folder, { threads: 1 });
    served = await serve(model, { port: 0, name: "m" });
  });
  after(async () => {
    await served.close();
    await model.release();
    tiny.remove();
  });

  const post = (path: string, fields: object) => fetch(`${served.url}/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ model: "m", seed: 1, max_tokens: 5, ...fields }) });
  const events = async (path: string, fields: object) => {
    const lines = (await (await post(path, { ...fields, stream: true })).text()).split("\n\n").filter((line) => line !== "");
    assert.equal(lines.at(-1), "data: [DONE]");
    return lines.slice(0, -1).map((line) => JSON.parse(line.slice("data: ".length)) as { choices: { index: number; finish_reason: string | null; delta?: { role?: string } }[]; usage?: object | null; sdtp?: unknown; id: string });
  };
  const fits = (name: string, value: unknown) => assert.deepEqual(wrongWith(name, value), [], JSON.stringify(value));

  it("the check finds what is missing or of another type", () => {
    assert.match(wrongWith("ErrorResponse", { error: { message: 7, type: "x", param: null, code: null } }).join(), /^error\.message: .*expected string, received number$/);
    assert.equal(wrongWith("ErrorResponse", { error: { message: "x", type: "x", param: null } }).length, 1);
    assert.ok(wrongWith("CreateChatCompletionResponse", { id: "x" }).length > 3);
  });

  it("completions, whole and in pieces", async () => {
    fits("CreateCompletionResponse", await (await post("completions", { prompt: "who was", n: 2, logprobs: 3, stop: ["zz"] })).json());
    fits("CreateCompletionResponse", await (await post("completions", { prompt: ["who was", "the sea"], sdtp: { method: "keep07", scorer: "norm" } })).json());
    for (const include_usage of [true, false]) {
      const found = await events("completions", { prompt: "who was", logprobs: 1, n: 2, stream_options: { include_usage } });
      assert.equal(new Set(found.map(({ id }) => id)).size, 1);
      for (const chunk of found) {
        const { usage, choices, ...rest } = chunk;
        // The description has no stream of completions: before the last piece, neither reason nor usage is there.
        fits("CreateCompletionResponse", { ...rest, ...(usage && { usage }), choices: choices.map((choice) => ({ ...choice, finish_reason: choice.finish_reason ?? "stop" })) });
        assert.equal("usage" in chunk, include_usage);
        assert.ok(choices.length === 1 || (include_usage && chunk === found.at(-1)));
      }
      assert.deepEqual(found.flatMap(({ choices }) => choices).filter(({ finish_reason }) => finish_reason !== null).map(({ index }) => index), [0, 1]);
      // What was kept comes with the last piece, whichever that is.
      assert.ok(found.at(-1)!.sdtp);
    }
  });

  it("chat completions, whole and in pieces", async () => {
    const messages = [{ role: "user", content: "who was" }];
    fits("CreateChatCompletionResponse", await (await post("chat/completions", { messages, n: 2, logprobs: true, top_logprobs: 2 })).json());
    for (const stream_options of [{ include_usage: true }, null]) {
      const found = await events("chat/completions", { messages, n: 2, logprobs: true, stream_options });
      for (const chunk of found) fits("CreateChatCompletionStreamResponse", chunk);
      for (const index of [0, 1]) assert.deepEqual(found.flatMap(({ choices }) => choices).filter((choice) => choice.index === index && choice.delta!.role === "assistant").length, 1);
      assert.equal(found.some(({ choices }) => choices.length === 0), stream_options !== null);
    }
  });

  it("models and errors", async () => {
    fits("ListModelsResponse", await (await fetch(`${served.url}/models`)).json());
    fits("Model", await (await fetch(`${served.url}/models/m`)).json());
    for (const answer of [
      await post("completions", { prompt: "x", model: "other" }), await post("completions", {}), await post("chat/completions", { messages: 1 }), await post("embeddings", {}),
      await fetch(`${served.url}/completions`), await fetch(`${served.url}/models/other`), await fetch(`${served.url}/completions`, { method: "POST", body: "{" }),
    ]) {
      assert.ok(answer.status >= 400 && answer.status < 500);
      assert.match(answer.headers.get("Content-Type") ?? "", /^application\/json/);
      fits("ErrorResponse", await answer.json());
    }
  });
});
