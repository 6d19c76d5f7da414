// A GPU's graphs of 16-bit numbers on the CPU: each operator computes in float32 and what it gives is rounded.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Tensor } from "onnxruntime-node";
import { decodeFloat16 } from "../../../lib/checkpoint/half.js";
import { openCheckpoint, openFolder } from "../../../lib/checkpoint/open.js";
import { synthesize } from "../../../lib/checkpoint/synthetic.js";
import type { Checkpoint } from "../../../lib/checkpoint/types.js";
import { verifyRun } from "../../../lib/inspect/index.js";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { inFloat32 } from "../../../lib/onnx/in-float32.js";
import { generate } from "../../../lib/runtime/generate.js";
import { formOfGraphs } from "../../../lib/runtime/form-of-graphs.js";
import { cudaGraphs } from "../../../lib/runtime/devices/cuda-graphs.js";
import { roundingHome } from "../../../lib/runtime/devices/rounding-home.js";
import { wrongSums } from "../../../lib/runtime/devices/sums.js";
import { hostHome, type Home } from "../../../lib/runtime/home.js";
import { load, Model } from "../../../lib/runtime/model.js";
import { createSession } from "../../../lib/runtime/session.js";
import { webgpuHome } from "../../../lib/runtime/webgpu-home.js";
import { tinyCheckpoint, type TinyOptions } from "../../reference/checkpoints.js";
import type { Variant } from "../../reference/variants.js";
import { relativeError } from "../relative-error.js";

const ids = Array.from({ length: 40 }, (_, i) => (i * 37) % 250);

/** ONNX Runtime puts in casts of its own, and leaves out some of the rounding. */
const asTheyAre = (home: Home): Home => ({ ...home, load: (g, settings) => createSession(g, settings) });
const webgpuGraphs = (kind: "fused" | "plain"): Home => ({ ...webgpuHome({ prefill: kind, decode: kind }, "float16"), load: roundingHome().load, release: (graph) => graph.release() });
const onCuda = { "CUDA's": () => roundingHome("fused"), "CUDA's, spelled out": () => roundingHome("plain"), "CUDA's, as they are": () => asTheyAre(roundingHome("fused")) };
const homes: Record<string, () => Home> = { ...onCuda, "WebGPU's": () => webgpuGraphs("fused"), "WebGPU's, spelled out": () => webgpuGraphs("plain"), "WebGPU's, as they are": () => asTheyAre(webgpuGraphs("fused")) };

async function opened(t: TestContext, variant: Variant, { dtype, ...options }: Omit<TinyOptions, "dtype"> & { dtype?: string } = {}, stored: TinyOptions["dtype"] = "F16"): Promise<Checkpoint> {
  const tiny = tinyCheckpoint(variant, { dtype: stored, ...options });
  t.after(tiny.remove);
  return openCheckpoint(tiny.folder, { ...(dtype && { dtype }), cacheFolder: `${tiny.folder}/cache` });
}

/** A prompt, one pruned, and tokens after each, in float32 and in a home's 16-bit numbers: the same tokens kept, the rest to rounding. */
async function sameToRounding(t: TestContext, checkpoint: Checkpoint, home: Home): Promise<void> {
  const [exact, half] = [new Model(checkpoint, { threads: 1, accuracy: "float32" }), new Model(checkpoint, { threads: 1 }, home)];
  t.after(() => Promise.all([exact.release(), half.release()]));
  assert.equal(half.computeDtype, "fp16");
  assert.equal(half.kvDtype, "fp16");
  for (const preset of ["baseline", "keep07"]) {
    const [here, there] = [await exact.prefill(ids, { preset, scorer: "norm", scores: true }), await half.prefill(ids, { preset, scorer: "norm", scores: true })];
    assert.deepEqual(there.kept, here.kept);
    assert.deepEqual(there.kv.summary().map(({ dtype }) => dtype), here.kv.layers.map(() => "float16"));
    assert.equal(2 * there.kv.bytes, here.kv.bytes);
    const pairs = [[there.logits, here.logits], ...here.stages.map(({ scores }, s) => [there.stages[s]!.scores!, scores!] as const)];
    for (const tokens of [[5], [9, 4, 200]]) pairs.push([await there.extend(tokens), await here.extend(tokens)]);
    const [kept, rounded] = [(await here.kv.toHost()).layer(1), (await there.kv.toHost()).layer(1)];
    pairs.push([rounded.key(0), kept.key(0)], [rounded.value(0), kept.value(0)]);
    for (const [a, b] of pairs) {
      const error = relativeError(a!, b!);
      assert.ok(error > 1e-6 && error < 6e-3, `${preset}: ${error}`);
    }
    there.dispose();
  }
}

for (const [name, home] of Object.entries(homes)) {
  test(`${name} graphs: tokens kept are float32's; logits, scores, keys and values to rounding`, async (t) => sameToRounding(t, await opened(t, "llama"), home()));
}

// Norms of heads; capped scores and two kinds of layers; learned positions; ALiBi; one matrix for queries, keys and values.
for (const variant of ["qwen3", "gemma2", "gpt2", "bloom", "phi3"] as const) {
  test(`${variant}: the same, as CUDA and WebGPU compute it`, async (t) => {
    const checkpoint = await opened(t, variant);
    for (const home of [roundingHome("fused"), webgpuGraphs("plain")]) await sameToRounding(t, checkpoint, home);
  });
}

for (const [stored, dtype] of [["F32", undefined], ["BF16", undefined], ["F32", "int8"], ["F32", "int4:nearest"]] as const) {
  test(`${stored} weights${dtype ? ` as ${dtype}` : ""}: the same`, async (t) => sameToRounding(t, await opened(t, "llama", { ...(dtype && { dtype }) }, stored), roundingHome()));
}

test("experts: the same", async (t) => {
  const cacheFolder = mkdtempSync(join(tmpdir(), "sdtp-float16-"));
  t.after(() => rmSync(cacheFolder, { recursive: true, force: true }));
  const config = { model_type: "qwen3_moe", hidden_size: 64, intermediate_size: 96, num_hidden_layers: 3, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16, vocab_size: 250, max_position_embeddings: 256, rms_norm_eps: 1e-5, initializer_range: 0.15, num_experts: 4, num_experts_per_tok: 2, moe_intermediate_size: 96, norm_topk_prob: true, mlp_only_layers: [1] };
  await sameToRounding(t, await openFolder(await synthesize(config, "experts", { dtype: "fp16", cacheFolder })), roundingHome());
});

test("tokens from a loop inside the graph are those of steps, with caches in 16 bits", async (t) => {
  const checkpoint = await opened(t, "gemma2");
  const [looping, stepping] = [new Model(checkpoint, { threads: 1 }, { ...roundingHome("plain"), loop: 4 }), new Model(checkpoint, { threads: 1 }, roundingHome("plain"))];
  t.after(() => Promise.all([looping.release(), stepping.release()]));
  const settings = { preset: "keep07", scorer: "norm", maxNewTokens: 10, fixedLength: true };
  assert.deepEqual((await generate(looping, ids, settings)).ids, (await generate(stepping, ids, settings)).ids);
});

test("methods that choose by keys, values and attention; captured activations; attention weights; a run's own check", async (t) => {
  const checkpoint = await opened(t, "llama");
  const [exact, half] = [new Model(checkpoint, { threads: 1, accuracy: "float32" }), new Model(checkpoint, { threads: 1 }, roundingHome())];
  t.after(() => Promise.all([exact.release(), half.release()]));
  for (const preset of ["snapkv:0.5", "expected:0.5", "keydiff:0.5", "h2o:0.5", "kvzip:0.5", "lazyllm"]) {
    const [here, there] = [await exact.prefill(ids, { preset }), await half.prefill(ids, { preset })];
    assert.deepEqual(there.kv.lengths, here.kv.lengths);
    const [a, b] = [here.kv, there.kv].map((kv) => kv.layers.flatMap((layer, l) => Array.from({ length: layer.kvHeads }, (_, head) => [...layer.headPositions(head)].map((position) => `${l}.${head}.${position}`)).flat()));
    const same = a!.filter((place) => b!.includes(place)).length / a!.length;
    assert.ok(same > 0.95, `${preset}: ${same}`);
    assert.ok((await there.extend([5])).every(Number.isFinite));
  }
  for (const preset of ["baseline", "keep07"]) {
    const [whole, pieces] = [await half.prefill(ids, { preset, scorer: "attention" }), await half.prefill(ids, { preset, scorer: "attention", piece: 16 })];
    assert.deepEqual(pieces.kept, whole.kept);
    assert.ok(relativeError(pieces.logits, whole.logits) < 6e-3, preset);
  }
  const capture = ["block.1.hidden", "block.1.attention.query", "block.0.attention.scores"];
  const [here, there] = [await exact.prefill(ids, { capture }), await half.prefill(ids, { capture })];
  for (const name of capture.slice(0, 2)) assert.ok(relativeError(there.activations.get(name)!.data, here.activations.get(name)!.data) < 6e-3, name);
  const [a, b] = [await here.observe([5, 8]), await there.observe([5, 8])];
  b.attention.forEach((paid, layer) => assert.ok(relativeError(paid, a.attention[layer]!) < 6e-3));
  assert.ok((await verifyRun(there)).ok);
});

test("what overflows ends the run, with the block where it did, in prompts and in steps", async (t) => {
  const tiny = tinyCheckpoint("llama", { dtype: "F32" });
  t.after(tiny.remove);
  const checkpoint = await openCheckpoint(tiny.folder);
  // Weights that float32 takes, in the middle of the model: activations of a million.
  const large: Home = { ...roundingHome(), load: (g, settings) => {
    for (const node of g.nodes.filter(({ op }) => op === "QuickGelu").slice(1, 2)) {
      const by = g.scale(node.inputs[0]!, 3e4);
      g.nodes.splice(g.nodes.indexOf(node), 0, ...g.nodes.splice(-3));
      Object.assign(node, { inputs: [by] });
    }
    return roundingHome().load(g, settings);
  } };
  const model = new Model(checkpoint, { threads: 1 }, large);
  await assert.rejects(model.prefill(ids), /^Error: block 1 \(mlp output\): not finite, first at token \d+ \(accuracy: float16: this model's activations go beyond what 16-bit numbers hold; load it with accuracy: "float32"\)$/);
  await model.release();
});

test("each node's result is rounded, on the CPU, and its sums are not; a graph without 16-bit numbers stays as it is", async () => {
  const plain = new GraphBuilder("plain");
  plain.output(plain.add(plain.input("x", "float32", ["n"]), 1), "y");
  assert.equal(inFloat32(plain), plain);
  const g = new GraphBuilder("rounded", "fused", false, "", "float16");
  const x = g.input("x", "float16", ["n"]);
  // 2048 + 1 is none of 16 bits; the sum of 2048 and four of 0.5 is.
  g.output(g.sub(g.add(x, 2048), 2048), "twice");
  g.output(g.add(g.reduceSum(x, [0], true), 0), "sum");
  const graph = await createSession(inFloat32(g), {});
  const half = (...bits: number[]) => new Tensor("float16", Uint16Array.from(bits), [bits.length]);
  const { twice, sum } = await graph.run({ x: half(0x3c00, 0x4000, 0x6800, 0x3800, 0x3800, 0x3800, 0x3800) });
  assert.deepEqual([...decodeFloat16(twice!.data as unknown as Uint16Array)], [0, 2, 2048, 0, 0, 0, 0]);
  assert.deepEqual([...decodeFloat16(sum!.data as unknown as Uint16Array)], [2052]);
  await graph.release();
});

test("a device that sums products in 16 bits is found out, in pieces too", async () => {
  assert.equal(await wrongSums(roundingHome()), null);
  assert.equal(await wrongSums(asTheyAre(roundingHome())), null);
  assert.equal(await wrongSums(webgpuGraphs("plain")), null);
  const pieces = 64;
  class Narrow extends GraphBuilder {
    override linear(x: Parameters<GraphBuilder["linear"]>[0], weight: typeof x) {
      const part = (of: typeof x) => this.splitEvenly(of, 1, pieces, () => (x.shape[1] as number) / pieces);
      const [left, right] = [part(x), part(weight)];
      return left.map((each, i) => super.linear(each, right[i]!)).reduce((a, b) => this.add(a, b));
    }
  }
  const narrow: Home = { ...roundingHome(), builder: (name) => new Narrow(name, "fused", false, "", "float16") };
  assert.match((await wrongSums(narrow))!, /^products of 16-bit numbers are not summed in float32: off by 0\.00\d+ of the largest$/);
});

test("weights of 16 bits are not widened into a file for a device that holds none in common", async (t) => {
  const checkpoint = await opened(t, "llama");
  for (const accuracy of ["float32", "float16"] as const) assert.equal(await formOfGraphs(checkpoint, cudaGraphs("plain", accuracy, "fp32"), {}), checkpoint);
});

test("the CPU computes so when asked, and only then", async () => {
  const model = await load("tiny", { accuracy: "float16" });
  assert.deepEqual([model.device, model.computeDtype, model.kvDtype], ["cpu", "fp16", "fp16"]);
  const wide = await load("tiny", { accuracy: "float16", kvDtype: "int8" });
  assert.equal(wide.kvDtype, "int8");
  const run = await wide.prefill(ids);
  assert.ok((await run.extend([5])).every(Number.isFinite));
  await Promise.all([model.release(), wide.release()]);
  await assert.rejects(load("tiny", { accuracy: "float16", worker: true }), /worker: true \(not with accuracy float16\)/);
  assert.equal(new Model(await openCheckpoint("tiny"), {}, hostHome()).computeDtype, "fp32");
});
