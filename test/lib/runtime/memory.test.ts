import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { synthesize } from "../../../lib/checkpoint/synthetic.js";
import { planOf } from "../../../lib/methods/plan/plan.js";
import { backend } from "../../../lib/runtime/c-api/backend.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { isOutOfMemory, largestLength, memoryError, memoryPlan } from "../../../lib/runtime/memory.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { rawConfig, temporaryFolder } from "../checkpoint/fixtures.js";

/** 44 million weights: enough to be told from node itself. */
const raw = rawConfig("llama", {
  hidden_size: 768, intermediate_size: 2560, num_hidden_layers: 5, num_attention_heads: 12, num_key_value_heads: 12, vocab_size: 4000, max_position_embeddings: 32768,
});

/** 63 million weights, 50 million of them in experts. */
const withExperts = { ...raw, model_type: "qwen3_moe", hidden_size: 512, num_hidden_layers: 4, num_attention_heads: 8, num_key_value_heads: 4, head_dim: 64, num_experts: 16, num_experts_per_tok: 4, moe_intermediate_size: 512, norm_topk_prob: true };

const script = join(dirname(fileURLToPath(import.meta.url)), "memory-process.js");

interface Taken extends Record<"weights" | "total" | "peak" | "cache" | "cacheHeld", number> {
  /** After each preset. */
  readonly held: readonly number[];
}

/** Weights in that form are in the cache folder then: what converting leaves to be collected is another process's. */
async function converted(folder: string, dtype: string): Promise<void> {
  await (await load(folder, { dtype, cacheFolder: `${folder}-cache` })).release();
}

async function measured(args: readonly string[], backend?: "node"): Promise<Taken> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args], { env: { ...process.env, ...(backend && { SDTP_BACKEND: backend }) } });
  return JSON.parse(stdout) as Taken;
}

test("the plan against the peak of a process: long and short prompts, float and quantised weights, attention spelled out, experts", async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const [model, experts] = [await synthesize(raw, "m", { cacheFolder, dtype: "bf16" }), await synthesize(withExperts, "e", { cacheFolder, dtype: "bf16" })];
  const cases = [[model, "bf16", 64, "fused"], [model, "bf16", 4000, "fused"], [model, "int4", 64, "fused"], [model, "int8", 1024, "plain"], [experts, "bf16", 64, "fused"], [experts, "bf16", 3000, "fused"], [experts, "int4", 64, "fused"]] as const;
  for (const [folder, dtype, length, attention] of cases) {
    await converted(folder, dtype);
    const { total, peak, cache, cacheHeld } = await measured([folder, dtype, String(length), attention]);
    const figures = `${folder === experts ? "experts, " : ""}${dtype}, ${length}, ${attention}: planned ${Math.round(total / 1e6)} MB, took ${Math.round(peak / 1e6)} MB`;
    t.diagnostic(figures);
    assert.ok(peak < 1.15 * total && total < 1.6 * peak, figures);
    assert.equal(cache, (cacheHeld * (length + 8)) / (length + 1));
  }
});

test("the plan of a prompt in pieces against the peak of a process: with and without a stage, float and quantised weights", async (t) => {
  const model = await synthesize(raw, "m", { cacheFolder: await temporaryFolder(t), dtype: "bf16" });
  for (const [dtype, preset] of [["bf16", "baseline"], ["int4", "keep07"]] as const) {
    await converted(model, dtype);
    const { total, peak } = await measured([model, dtype, "4000/256", "fused", preset]);
    const figures = `${dtype}, ${preset}: planned ${Math.round(total / 1e6)} MB, took ${Math.round(peak / 1e6)} MB`;
    t.diagnostic(figures);
    assert.ok(peak < 1.15 * total && total < 1.6 * peak, figures);
  }
});

test("graphs of a model hold its weights once: eight presets one after the other take what the plan of one says", { skip: (await backend()).name !== "c-api" && "graphs share their weights where the C API runs them" }, async (t) => {
  const cacheFolder = await temporaryFolder(t);
  const model = await synthesize(raw, "m", { cacheFolder, dtype: "bf16" });
  for (const dtype of ["bf16", "int8", "int4"]) {
    await converted(model, dtype);
    const { weights, total, peak, held } = await measured([model, dtype, "64", "fused", "baseline", "keep09", "keep08", "keep07", "sdtp", "sdtp-low", "cascade09", "gemfilter"]);
    const [first, last] = [held[0]!, held.at(-1)!];
    const figures = `${dtype}: planned ${Math.round(total / 1e6)} MB, ${Math.round(weights / 1e6)} of it weights; took ${Math.round(first / 1e6)} MB after one preset, ${Math.round(last / 1e6)} after eight, ${Math.round(peak / 1e6)} at most`;
    t.diagnostic(figures);
    // Seven further graphs with weights of their own would take seven times those.
    assert.ok(peak < 1.15 * total && (process.platform !== "linux" || 2 * (last - first) < 7 * weights), figures);
  }
});

async function tinyModel(t: TestContext, memoryLimit: number) {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const model = await load(tiny.folder, { threads: 1, memoryLimit });
  t.after(() => model.release());
  return model;
}

test("a prompt that does not fit is refused before anything runs, with three numbers and the longest that does", async (t) => {
  const plan = (await tinyModel(t, Infinity)).memory(300, { reserve: 0 });
  const model = await tinyModel(t, plan.total);
  const prompt = (n: number) => Array.from({ length: n }, (_, i) => i % 200);
  await assert.rejects(model.prefill(prompt(400), { reserve: 0 }), /^Error: memory: [\d.]+ MB for a prompt of 400 tokens \(weights [\d.]+ kB, cache [\d.]+ kB, activations [\d.]+ MB; [\d.]+ MB are there; at most 300 tokens fit\)$/);
  await assert.rejects(model.warm(400), /at most 300 tokens fit/);
  assert.equal((await model.prefill(prompt(300), { reserve: 0 })).kv.lengths[0], 300);
  await assert.rejects(model.prefill(prompt(301), { reserve: 0 }), /at most 300 tokens fit/);
  await assert.rejects((await tinyModel(t, 1e6)).prefill(prompt(4)), /1\.0 MB are there; not even one token fits: take int8 or int4 weights/);
});

test("graphs of other presets make room where memory is short, and come back", async (t) => {
  const roomy = await tinyModel(t, Infinity);
  const tight = await tinyModel(t, roomy.memory(100).total);
  const ids = Array.from({ length: 100 }, (_, i) => i % 200);
  for (const preset of ["keep07", "baseline", "keep07", "sdtp", "baseline"]) {
    const [expected, run] = [await roomy.prefill(ids, { preset, scorer: "norm" }), await tight.prefill(ids, { preset, scorer: "norm" })];
    assert.deepEqual(run.logits, expected.logits);
    assert.deepEqual(await run.extend([3]), await expected.extend([3]));
  }
  // Two prompts at once: neither loses its graph to the other.
  const both = await Promise.allSettled([tight.prefill(ids, { preset: "keep07", scorer: "norm" }), tight.prefill(ids)]);
  assert.ok(both.some(({ status }) => status === "fulfilled"));
  for (const result of both) if (result.status === "rejected") assert.match(String(result.reason), /memory: /);
});

test("memory that ran out is told from other errors, and explained with the plan's numbers", async (t) => {
  const { checkpoint } = await tinyModel(t, Infinity);
  const plan = (n: number) => memoryPlan(checkpoint, planOf(resolveMethod("baseline"), n, { config: checkpoint.config, plain: false, cpu: true, kvDtype: "fp32" }), { reserve: 0, graphs: 2, kvDtype: "fp32" });
  for (const message of ["std::bad_alloc", "Failed to allocate memory for requested buffer of size 1", "Array buffer allocation failed"]) assert.ok(isOutOfMemory(new Error(message)));
  assert.equal(isOutOfMemory(new Error("position: 7")), false);
  const error = memoryError(100_000, plan, 1e12, new Error("std::bad_alloc"));
  assert.match(error.message, /weights .*, cache .*, activations .*; 1\.0 TB are there, and were not enough; at most \d+ tokens fit/);
  assert.equal((error.cause as Error).message, "std::bad_alloc");
  const [, fits] = /at most (\d+) tokens/.exec(error.message)!;
  assert.ok(plan(Number(fits)).total <= 0.9 * plan(100_000).total && Number(fits) > 50_000);
  assert.equal(largestLength(plan, 0, 500), 0);
  assert.equal(largestLength(plan, Infinity, 500), 500);
});

test("pruning and room for new tokens change what the cache takes", async (t) => {
  const model = await tinyModel(t, Infinity);
  const perToken = 2 * 4 * 8 * 4;
  assert.equal(model.memory(100, { reserve: 20 }).cache, 3 * 120 * perToken);
  assert.ok(model.memory(100, { preset: "keep07", reserve: 20 }).cache < 3 * 120 * perToken);
});
