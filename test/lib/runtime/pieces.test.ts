// A prompt in pieces against the same prompt as a whole: logits, what was kept, caches, and what is decoded after it.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import type { KvDtype } from "../../../lib/checkpoint/kv-dtype.js";
import { entryOf } from "../../../lib/bench/entries.js";
import type { Measured } from "../../../lib/bench/job.js";
import { measure } from "../../../lib/bench/measure.js";
import type { EndToEndEntry } from "../../../lib/bench/record.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import type { PiecesWay } from "../../../lib/methods/plan/pieces-plan.js";
import { backend } from "../../../lib/runtime/c-api/backend.js";
import { hostHome, type Home } from "../../../lib/runtime/home.js";
import { load, Model } from "../../../lib/runtime/model.js";
import type { PrefillSettings } from "../../../lib/runtime/settings.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { checkpointOf } from "../../reference/transformers/cases.js";
import { variants, type Variant } from "../../reference/variants.js";
import { relativeError } from "../relative-error.js";

await backend();

const prompt = (n: number) => Array.from({ length: n }, (_, i) => (i * 37 + 11 * (i % 7)) % 48);

/** A home that takes pieces one way, and the inputs of the graphs that it loads. */
function homeOf(way: PiecesWay, kvDtype: KvDtype = "fp32"): { home: Home; inputs: string[][] } {
  const [host, inputs]: [Home, string[][]] = [hostHome("fused", kvDtype), []];
  return {
    inputs,
    home: {
      ...host,
      inPieces: { ...host.inPieces!, way: () => way },
      async load(g, settings) {
        const graph = await host.load(g, settings);
        inputs.push([...graph.inputNames]);
        return graph;
      },
    },
  };
}

async function modelOf(t: TestContext, name: string, way: PiecesWay, kvDtype: KvDtype = "fp32") {
  const tiny = Object.hasOwn(variants, name) ? tinyCheckpoint(name as Variant) : checkpointOf(name);
  t.after(() => tiny.remove());
  const { home, inputs } = homeOf(way, kvDtype);
  const model = new Model(await openCheckpoint(tiny.folder, {}), { threads: 1, kvDtype }, home);
  t.after(() => model.release());
  return { model, inputs };
}

/** @param close largest difference, of the largest number @param stored the same of what caches hold, which may be coarse */
async function same(model: Model, ids: readonly number[], settings: PrefillSettings, piece: number, close = 1e-4, stored = close): Promise<void> {
  const what = `${String(settings.preset ?? "baseline")}, ${settings.scorer ?? ""} ${settings.kvPolicy ?? ""}, ${ids.length} tokens in pieces of ${piece}`;
  const [whole, parts] = [await model.prefill(ids, { ...settings, piece: "whole", scores: true }), await model.prefill(ids, { ...settings, piece, scores: true })];
  assert.ok(relativeError(parts.logits, whole.logits) < close, what);
  assert.equal(parts.stages.length, whole.stages.length, what);
  whole.stages.forEach((stage, s) => {
    assert.deepEqual(parts.stages[s]!.kept, stage.kept, `${what}: stage ${s}`);
    assert.ok(relativeError(parts.stages[s]!.scores!, stage.scores!) < close, `${what}: scores of stage ${s}`);
  });
  assert.deepEqual(parts.kv.lengths, whole.kv.lengths, what);
  whole.kv.layers.forEach(({ kvHeads }, l) => {
    const [found, due] = [parts.kv.layer(l), whole.kv.layer(l)];
    assert.deepEqual(found.positions, due.positions, `${what}: layer ${l}`);
    for (let head = 0; head < kvHeads; head++) for (const part of ["key", "value"] as const) assert.ok(relativeError(found[part](head), due[part](head)) < stored, `${what}: ${part}s of layer ${l}`);
  });
  for (const tokens of [[3], [5, 8], [7]]) assert.ok(relativeError(await parts.extend(tokens), await whole.extend(tokens)) < close, `${what}: decoded`);
}

const pruned: readonly PrefillSettings[] = [
  { preset: "keep07", scorer: "norm" },
  { preset: "sdtp", scorer: "norm", kvPolicy: "retain" },
  { preset: "sdtp", scorer: "norm", kvPolicy: "evict" },
  { preset: "keep08", scorer: "attention" },
  { preset: "keep07", scorer: "last-query" },
  { preset: "keep07", scorer: "update", kvPolicy: "retain" },
  { preset: "keep07", scorer: "recency" },
  { preset: "31:0.5/32", scorer: "norm" },
  { preset: "gemfilter" },
];

for (const name of ["llama", "mistral"] as const) {
  test(`${name}: the same in pieces, with and without pruning`, async (t) => {
    for (const way of ["in place", "beside"] as const) {
      const { model, inputs } = await modelOf(t, name, way);
      const windowed = model.config.slidingWindow !== null;
      for (const [n, piece] of [[60, 16], [33, 33], [21, 1]] as const) await same(model, prompt(n), {}, piece);
      for (const settings of way === "in place" ? pruned : pruned.slice(0, 3)) if (!(windowed && settings.preset === "gemfilter")) await same(model, prompt(60), settings, 13);
      const grown = inputs.filter((names) => names.includes("lengths") && !names.includes("logits"));
      assert.equal(grown.length > 0, way === "in place" || !windowed);
    }
  });
}

for (const name of ["gpt_oss", "gemma3", "bloom", "gpt2", "qwen3_moe", "phi3.5-longrope-long"]) {
  test(`${name}: the same in pieces`, async (t) => {
    const { model } = await modelOf(t, name, "in place");
    await same(model, prompt(40), {}, 9);
    await same(model, prompt(40), { preset: "keep07", scorer: "norm" }, 9);
  });
}

test("caches in 16 and 8 bits hold the same, as far as they are exact", async (t) => {
  for (const [kvDtype, close] of [["fp16", 3e-3], ["int8", 5e-2]] as const) {
    const { model } = await modelOf(t, "llama", "in place", kvDtype);
    await same(model, prompt(60), {}, 16, close);
    await same(model, prompt(60), { preset: "keep07", scorer: "recency" }, 16, close);
  }
});

async function shaped(t: TestContext, config: Readonly<Record<string, unknown>>, memoryLimit?: number): Promise<Model> {
  const tiny = tinyCheckpoint("llama", { config: { max_position_embeddings: 4096, num_hidden_layers: 2, ...config } });
  t.after(() => tiny.remove());
  const model = await load(tiny.folder, { threads: 1, ...(memoryLimit !== undefined && { memoryLimit }) });
  t.after(() => model.release());
  return model;
}

test("a prompt whose scores are too many at a time: attention tiled, or smaller pieces", async (t) => {
  const model = await shaped(t, { num_attention_heads: 64, num_key_value_heads: 2, head_dim: 8 });
  const inPlace = (await backend()).name === "c-api";
  const { tokens, tiled } = model.plan(1500, { piece: 750 }).pieces!;
  assert.ok(tiled === inPlace && (inPlace ? tokens === 750 : tokens < 750));
  await same(model, prompt(1500), {}, 750);
});

test("a prompt that memory does not hold as a whole goes in pieces by itself, one that it holds does not", async (t) => {
  const wide = { intermediate_size: 2048, head_dim: 64 };
  const model = await shaped(t, wide);
  const [whole, parts] = (["whole", 512] as const).map((piece) => model.memory(1100, { reserve: 0, piece }).total);
  assert.ok(parts! < whole!);
  const tight = await shaped(t, wide, Math.round((parts! + whole!) / 2));
  assert.equal(tight.plan(1100, { reserve: 0 }).pieces?.tokens, 512);
  assert.equal(tight.plan(1023, { reserve: 0 }).pieces, null);
  assert.equal(model.plan(1100, { reserve: 0 }).pieces, null);
  const ids = prompt(1100);
  assert.ok(relativeError((await tight.prefill(ids, { reserve: 0 })).logits, (await model.prefill(ids, { reserve: 0 })).logits) < 1e-4);
  await assert.rejects(tight.prefill(ids, { reserve: 0, piece: "whole" }), /^Error: memory: .* for a prompt of 1100 tokens .*at most \d+ tokens fit/);
});

test("progress is told, and a prompt stops between two pieces", async (t) => {
  const { model } = await modelOf(t, "llama", "in place");
  const shares: number[] = [];
  await model.prefill(prompt(60), { preset: "keep07", scorer: "norm", piece: 16, onProgress: (share) => shares.push(share) });
  assert.ok(shares.length >= 6 && shares.every((share, i) => share > (shares[i - 1] ?? 0)) && Math.abs(shares.at(-1)! - 1) < 1e-9, shares.join(" "));
  const [controller, reason] = [new AbortController(), new Error("enough")];
  let told = 0;
  await assert.rejects(model.prefill(prompt(60), { piece: 16, signal: controller.signal, onProgress: () => ++told === 2 && controller.abort(reason) }), reason);
  assert.equal(told, 2);
  await same(model, prompt(60), {}, 16);
});

test("what is measured says in which pieces", async (t) => {
  const { model } = await modelOf(t, "llama", "in place");
  const job = { model: "", dtype: "fp32", threads: 1, seed: 0, mode: "end2end", ids: prompt(60), methods: [{ preset: resolveMethod("baseline") }, { preset: resolveMethod("keep07"), scorer: "norm" }], repeats: 1, warmup: 0, maxNewTokens: 2 } as const;
  const tokens = async (piece?: number) => (await measure(model, { ...job, ...(piece !== undefined && { piece }) })).map((result) => ("error" in result ? result.error : result.pieceTokens));
  assert.deepEqual(await tokens(16), [16, 16]);
  assert.deepEqual(await tokens(), [null, null]);
  const [whole, parts] = (await Promise.all([undefined, 16].map(async (piece) => (await measure(model, { ...job, ...(piece && { piece }) })) as Measured[]))) as [Measured[], Measured[]];
  const entry = (baseline: Measured, measured: Measured) => entryOf({ mode: "end2end", maxNewTokens: 2, warmup: 1, config: model.config, length: 60 }, { preset: resolveMethod("baseline"), measured: baseline }, { preset: resolveMethod("keep07"), measured }) as EndToEndEntry;
  assert.equal(entry(parts[0]!, parts[1]!).sdtp.prefill_piece_tokens, 16);
  const warned = /^the baseline's prompt went in pieces of 16 tokens, this one as a whole/;
  assert.ok(entry(parts[0]!, whole[1]!).warnings!.some((warning) => warned.test(warning)));
  assert.ok(![entry(parts[0]!, parts[1]!), entry(whole[0]!, whole[1]!)].some(({ warnings }) => warnings?.some((warning) => /went/.test(warning))));
});

test("pieces of what is taken as a whole, and pieces that are none, are refused by name", async (t) => {
  const { model } = await modelOf(t, "llama", "in place");
  await assert.rejects(model.prefill(prompt(60), { preset: "knorm:16", piece: 16 }), /^Error: piece: 16 \(knorm-16 cuts caches down by what the whole prompt looks at\)$/);
  await assert.rejects(model.prefill(prompt(60), { capture: ["embedding"], piece: 16 }), /^Error: piece: 16 \(captured activations are of the whole prompt\)$/);
  for (const piece of [0, -1, 1.5, NaN]) await assert.rejects(model.prefill(prompt(60), { piece }), { message: `piece: ${piece} (must be a positive integer of tokens, or whole)` });
  const { model: other } = await modelOf(t, "llama", null);
  await assert.rejects(other.prefill(prompt(60), { piece: 16 }), /^Error: piece: 16 \(this device takes prompts as a whole: --device cpu, no worker\)$/);
});
