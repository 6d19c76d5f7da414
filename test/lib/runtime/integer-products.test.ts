// Which graphs take which form of int8 weights, and that it makes no difference to a token which others are beside it.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import type { GraphBuilder } from "../../../lib/onnx/builder.js";
import { hostHome, type Home } from "../../../lib/runtime/home.js";
import { exactIntegerProducts } from "../../../lib/runtime/integer-products.js";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { Model, type LoadOptions } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { TINY_VOCABULARY } from "../../reference/tokenizer.js";
import type { Variant } from "../../reference/variants.js";
import { relativeError } from "../relative-error.js";

const cacheFolder = mkdtempSync(join(tmpdir(), "sdtp-integer-products-"));
after(() => rmSync(cacheFolder, { recursive: true, force: true }));
const ids = Array.from({ length: 60 }, (_, i) => (i * 37 + 11 * (i % 7)) % TINY_VOCABULARY);

/** A model, and how often each operator is in each of its graphs, by the order in which they were loaded. */
async function watched(t: TestContext, variant: Variant, options: LoadOptions, change: Partial<Home> = {}): Promise<{ model: Model; graphs: Map<string, number>[] }> {
  const tiny = tinyCheckpoint(variant);
  t.after(() => tiny.remove());
  const graphs: Map<string, number>[] = [];
  const count = (g: GraphBuilder) => {
    const counts = new Map<string, number>();
    for (const { op } of g.nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
    graphs.push(counts);
  };
  const home = { ...hostHome(), load: (g: GraphBuilder, settings: Parameters<Home["load"]>[1]) => (count(g), hostHome().load(g, settings)), ...change };
  const model = new Model(await openCheckpoint(tiny.folder, { ...options, cacheFolder }), { ...options, threads: 1 }, home);
  t.after(() => model.release());
  return { model, graphs };
}

const flags = process.arch === "x64" && existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "utf8") : "";
test("integer products are found to be exact on a processor that has instructions for them", { skip: !/\bavx(512)?_vnni\b/.test(flags) && "needs Linux on a processor with VNNI" }, async () => {
  assert.equal(await exactIntegerProducts(), true);
});

test("int8: prompts take weights by channel in all but what is of one token, decoding takes blocks", async (t) => {
  const { model, graphs } = await watched(t, "llama", { dtype: "int8" });
  const run = await model.prefill(ids);
  await run.extend([1]);
  const [prompt, decode] = graphs;
  const { layers } = model.config;
  // Seven products a block, two terms each; of the last block keys and values alone are of all tokens.
  const products = (await exactIntegerProducts()) ? 2 * (7 * (layers - 1) + 2) : 0;
  assert.equal(prompt!.get("MatMulIntegerToFloat") ?? 0, products);
  assert.equal(prompt!.get("MatMulNBits"), 7 * layers + 1 - products / 2);
  assert.equal(decode!.get("MatMulIntegerToFloat"), undefined);
  assert.equal(decode!.get("MatMulNBits"), 7 * layers + 1);
});

test("without exact integer products, with activations in float32, and of other dtypes, all products are of blocks", async (t) => {
  const cases: [LoadOptions, Partial<Home>][] = [[{ dtype: "int8" }, { byChannel: () => Promise.resolve(false) }], [{ dtype: "int8", accuracy: "float32" }, {}], [{ dtype: "int4:nearest" }, {}]];
  for (const [options, change] of cases) {
    const { model, graphs } = await watched(t, "llama", options, change);
    await model.prefill(ids);
    assert.equal(graphs[0]!.get("MatMulIntegerToFloat"), undefined);
    assert.equal(graphs[0]!.get("MatMulNBits"), 7 * model.config.layers + 1);
  }
});

const variants: readonly Variant[] = ["llama", "qwen2", "qwen3-tied", "mistral", "gemma2", "phi3", "gpt2", "bloom"];
for (const variant of variants) {
  test(`${variant}: prompts by channel are as near to float32 as prompts in blocks, unpruned, pruned, and cut by head`, async (t) => {
    const [exact, blocks, channels] = [
      await watched(t, variant, { dtype: "fp32" }), await watched(t, variant, { dtype: "int8" }, { byChannel: () => Promise.resolve(false) }), await watched(t, variant, { dtype: "int8" }),
    ];
    // Heads hold other tokens each: not with what goes by token.
    const byHead = exact.model.config.slidingWindow === null && exact.model.config.positions !== "alibi";
    for (const preset of ["baseline", "keep07", ...(byHead ? ["snapkv"] : [])]) {
      const settings = { preset, ...(preset === "keep07" && { scorer: "recency" }) };
      const [wanted, before, now] = await Promise.all([exact, blocks, channels].map(async ({ model }) => (await model.prefill(ids, settings)).logits));
      const [old, error] = [relativeError(before!, wanted!), relativeError(now!, wanted!)];
      assert.ok(error > 0 && error < Math.max(0.02, 2.5 * old), `${preset}: ${error}, in blocks ${old}`);
    }
  });
}

test("a token's keys and values are the same with fewer tokens after it", async (t) => {
  const { model } = await watched(t, "llama", { dtype: "int8" });
  const [whole, part] = [await model.prefill(ids), await model.prefill(ids.slice(0, 23))];
  for (let layer = 0; layer < model.config.layers; layer++) {
    const [long, short] = [whole.kv.layer(layer), part.kv.layer(layer)];
    for (const name of ["key", "value"] as const) {
      for (let head = 0; head < model.config.kvHeads; head++) {
        const expected = long[name](head).slice(0, 23 * model.config.headDim);
        assert.ok(relativeError(short[name](head), expected) < 1e-4, `${layer} ${name} ${head}`);
      }
    }
  }
});
