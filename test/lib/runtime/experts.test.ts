// Models with experts whose weights are quantised, by ONNX Runtime's operators and spelled out; MXFP4 against its values in float32.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openCheckpoint, openFolder } from "../../../lib/checkpoint/open.js";
import { weightError } from "../../../lib/evaluate/weight-error.js";
import { readFloats, writeSafetensors, type TensorToWrite } from "../../../lib/checkpoint/safetensors.js";
import { synthesize } from "../../../lib/checkpoint/synthetic.js";
import type { Checkpoint } from "../../../lib/checkpoint/types.js";
import { planAttention } from "../../../lib/methods/plan/pieces.js";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { hostHome } from "../../../lib/runtime/home.js";
import { Model } from "../../../lib/runtime/model.js";
import { SaliencyMeter } from "../../../lib/train/saliency.js";
import { normalNumbers } from "../../reference/checkpoints.js";
import { awq, fp8, gptq, quantised, values } from "../../reference/packed.js";
import { relativeError } from "../relative-error.js";

const common = { hidden_size: 64, intermediate_size: 96, num_hidden_layers: 3, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16, vocab_size: 80, max_position_embeddings: 256, rms_norm_eps: 1e-5, initializer_range: 0.15 };
const qwen3 = { ...common, model_type: "qwen3_moe", num_experts: 6, num_experts_per_tok: 2, moe_intermediate_size: 96, norm_topk_prob: false, mlp_only_layers: [1] };
const ids = Array.from({ length: 40 }, (_, i) => (i * 31 + 3) % 80);

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-experts-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Logits of a prompt, of one pruned, and of tokens decoded after each. */
async function logitsOf(t: TestContext, checkpoint: Checkpoint, fused: boolean): Promise<Float32Array[]> {
  const model = new Model(checkpoint, { threads: 2, accuracy: "float32" }, { ...hostHome(), builder: (name) => new GraphBuilder(name, "fused", fused) });
  t.after(() => model.release());
  const all: Float32Array[] = [];
  for (const settings of [{}, { preset: "keep07", scorer: "attention" }]) {
    const run = await model.prefill(ids, settings);
    all.push(run.logits, await run.extend([5]), await run.extend([9, 11]));
  }
  return all;
}

for (const dtype of ["fp32", "fp16", "int8", "int4", "int4:symmetric"]) {
  test(`qwen3_moe in ${dtype}: the same logits by ONNX Runtime's experts and spelled out`, async (t) => {
    const folder = await synthesize(qwen3, "experts", { dtype, cacheFolder: temporary(t) });
    const checkpoint = await openFolder(folder);
    const operators = new Set<string>();
    const [fused, spelledOut] = [await logitsOf(t, checkpoint, true), await logitsOf(t, checkpoint, false)];
    fused.forEach((logits, i) => assert.ok(relativeError(logits, spelledOut[i]!) < 1e-4, `${i}: ${relativeError(logits, spelledOut[i]!)}`));
    const model = new Model(checkpoint, { threads: 1 }, { ...hostHome(), load: (g, settings) => { g.nodes.forEach(({ op }) => operators.add(op)); return hostHome().load(g, settings); } });
    t.after(() => model.release());
    await model.prefill(ids);
    assert.ok(operators.has(dtype.startsWith("int") ? "QMoE" : "MoE") && !operators.has(dtype.startsWith("int") ? "MoE" : "QMoE"), [...operators].join());
  });
}

const methods: readonly [string, object, (base: string, rows: number, columns: number, at: number) => { tensors: TensorToWrite[]; values: Float32Array }][] = [
  ["GPTQ", { quant_method: "gptq", bits: 4, group_size: 32, desc_act: false, sym: false }, (base, rows, columns, at) => {
    // Zero points in the middle for some: those have none where they are held.
    const q = quantised(rows, columns, { bits: 4, groupSize: 32, symmetric: at % 3 === 0, lowestZero: 1 }, at);
    return { tensors: gptq(base, q), values: values(q) };
  }],
  ["GPTQ by activation order", { quant_method: "gptq", bits: 4, group_size: 32, desc_act: true, sym: false }, (base, rows, columns, at) => {
    const q = quantised(rows, columns, { bits: 4, groupSize: 32, mixed: true, lowestZero: 1 }, at);
    return { tensors: gptq(base, q), values: values(q) };
  }],
  ["AWQ", { quant_method: "awq", bits: 4, group_size: 32, zero_point: true, version: "gemm" }, (base, rows, columns, at) => {
    const q = quantised(rows, columns, { bits: 4, groupSize: 32 }, at);
    return { tensors: awq(base, q), values: values(q) };
  }],
  ["8-bit floats", { quant_method: "fp8", weight_block_size: [32, 32] }, (base, rows, columns, at) => fp8(base, rows, columns, [32, 32], {}, at)],
];
for (const [label, quantization, pack] of methods) {
  test(`experts in ${label}: the logits of their values in float32`, async (t) => {
    const root = temporary(t);
    const { tensors } = await openFolder(await synthesize(qwen3, "experts", { dtype: "fp32", cacheFolder: root }));
    const [packed, plain]: TensorToWrite[][] = [[], []];
    let at = 0;
    for (const { name, shape, dtype, ...stored } of tensors.values()) {
      const expert = /^(.*\.experts\.\d+\.\w+_proj)\.weight$/.exec(name);
      const made = expert && pack(expert[1]!, shape[0]!, shape[1]!, at++);
      const data = made?.values ?? await readFloats({ name, shape, dtype, ...stored });
      plain!.push({ name, shape, dtype: "F32", data });
      packed!.push(...(made?.tensors ?? [{ name, shape, dtype: "F32" as const, data }]));
    }
    const write = async (folder: string, content: readonly TensorToWrite[], changes: object) => {
      await writeSafetensors(join(root, folder, "model.safetensors"), content, { format: "pt" });
      writeFileSync(join(root, folder, "config.json"), JSON.stringify({ ...qwen3, ...changes }));
      return openCheckpoint(join(root, folder), { cacheFolder: join(root, "cache") });
    };
    const [here, there] = [await logitsOf(t, await write("packed", packed!, { quantization_config: quantization }), true), await logitsOf(t, await write("plain", plain!, {}), true)];
    here.forEach((logits, i) => assert.ok(relativeError(logits, there[i]!) < 1e-4, `${i}: ${relativeError(logits, there[i]!)}`));
  });
}

test("saliency goes through the experts", async (t) => {
  const checkpoint = await openFolder(await synthesize(qwen3, "experts", { dtype: "int4", cacheFolder: temporary(t) }));
  const meter = await SaliencyMeter.create(checkpoint, { blocks: [0, 1], threads: 1 });
  t.after(() => meter.release());
  const { values } = await meter.measure({ ids: ids.slice(0, 20), promptLength: 14 });
  assert.ok(values.every((row) => row.slice(0, 14).every((value) => value > 0)));
});

for (const window of [64, 4096]) {
  test(`attention sinks in prompts that are taken in pieces, a window of ${window}: fused as spelled out`, async (t) => {
    const raw = { ...common, max_position_embeddings: 4096, model_type: "gpt_oss", num_local_experts: 4, num_experts_per_tok: 2, sliding_window: window };
    const checkpoint = await openFolder(await synthesize(raw, "sinks", { dtype: "fp32", cacheFolder: temporary(t) }));
    const prompt = Array.from({ length: 700 }, (_, i) => (i * 7919 + ((i * i) % 13)) % 80);
    const plan = planAttention(checkpoint.config, prompt.length, { fewest: prompt.length });
    assert.ok(plan.kind === "fused" && !plan.tiled && plan.fusedChunks > 1, JSON.stringify(plan));
    const results: Float32Array[][] = [];
    for (const attention of ["fused", "plain"] as const) {
      const model = new Model(checkpoint, { threads: 2, attention });
      t.after(() => model.release());
      const [run, pruned] = [await model.prefill(prompt), await model.prefill(prompt, { preset: "keep07", scorer: "norm" })];
      results.push([run.logits, pruned.logits, await run.extend([5])]);
    }
    results[0]!.forEach((logits, i) => assert.ok(relativeError(logits, results[1]![i]!) < 1e-4, `${i}`));
  });
}

test("gpt_oss in MXFP4: the logits of its values in float32", async (t) => {
  const root = temporary(t);
  const config = { ...common, model_type: "gpt_oss", num_local_experts: 4, num_experts_per_tok: 2, sliding_window: 8, swiglu_limit: 1, rope_scaling: { rope_type: "yarn", factor: 8, original_max_position_embeddings: 32, truncate: false } };
  const [d, f, experts] = [common.hidden_size, common.intermediate_size, 4];
  const normal = normalNumbers(3);
  const dense = (name: string, shape: number[], scale: number, offset = 0): TensorToWrite => ({ name, dtype: "F32", shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => offset + scale * normal()) });
  const shared: TensorToWrite[] = [dense("model.embed_tokens.weight", [80, d], 1), dense("model.norm.weight", [d], 0.2, 1), dense("lm_head.weight", [80, d], 0.15)];
  const [packed, plain]: TensorToWrite[][] = [[], []];
  for (let layer = 0; layer < common.num_hidden_layers; layer++) {
    const name = (part: string) => `model.layers.${layer}.${part}`;
    shared.push(dense(name("input_layernorm.weight"), [d], 0.2, 1), dense(name("post_attention_layernorm.weight"), [d], 0.2, 1), dense(name("self_attn.sinks"), [4], 1),
      dense(name("mlp.router.weight"), [experts, d], 0.2), dense(name("mlp.router.bias"), [experts], 0.2), dense(name("mlp.experts.gate_up_proj_bias"), [experts, 2 * f], 0.2), dense(name("mlp.experts.down_proj_bias"), [experts, d], 0.2));
    for (const [module, rows, columns] of [["q_proj", 64, d], ["k_proj", 32, d], ["v_proj", 32, d], ["o_proj", d, 64]] as const) {
      shared.push(dense(name(`self_attn.${module}.weight`), [rows, columns], 0.15), dense(name(`self_attn.${module}.bias`), [rows], 0.1));
    }
    for (const [module, rows, inputs] of [["gate_up_proj", 2 * f, d], ["down_proj", d, f]] as const) {
      const groups = inputs / 32;
      const codes = Uint8Array.from({ length: experts * rows * groups * 16 }, () => Math.floor(Math.abs(normal() * 1e5)) % 256);
      const exponents = Uint8Array.from({ length: experts * rows * groups }, () => 122 + (Math.floor(Math.abs(normal() * 1e5)) % 3));
      const values = new Float32Array(experts * inputs * rows);
      codes.forEach((byte, at) => [byte & 15, byte >> 4].forEach((code, half) => {
        const [row, column] = [Math.floor(at / (groups * 16)), 2 * (at % (groups * 16)) + half];
        const size = [0, 0.5, 1, 1.5, 2, 3, 4, 6][code & 7]!;
        values[(Math.floor(row / rows) * inputs + column) * rows + (row % rows)] = (code & 8 ? -size : size) * 2 ** (exponents[Math.floor(at / 16)]! - 127);
      }));
      packed!.push({ name: name(`mlp.experts.${module}_blocks`), dtype: "U8", shape: [experts, rows, groups, 16], data: codes }, { name: name(`mlp.experts.${module}_scales`), dtype: "U8", shape: [experts, rows, groups], data: exponents });
      plain!.push({ name: name(`mlp.experts.${module}`), dtype: "F32", shape: [experts, inputs, rows], data: values });
    }
  }
  const write = async (label: string, tensors: readonly TensorToWrite[], changes: object) => {
    await writeSafetensors(join(root, label, "model.safetensors"), [...shared, ...tensors], { format: "pt" });
    writeFileSync(join(root, label, "config.json"), JSON.stringify({ ...config, ...changes }));
    return openCheckpoint(join(root, label), { cacheFolder: join(root, "cache") });
  };
  const quantised = await write("mxfp4", packed!, { quantization_config: { quant_method: "mxfp4", modules_to_not_convert: ["model.layers.*.self_attn", "lm_head"] } });
  assert.equal(quantised.dtype, "int8 (mxfp4)");
  const [here, there] = [await logitsOf(t, quantised, true), await logitsOf(t, await write("plain", plain!, {}), true)];
  here.forEach((logits, i) => assert.ok(relativeError(logits, there[i]!) < 1e-5, `${i}: ${relativeError(logits, there[i]!)}`));
  const compact = await openCheckpoint(join(root, "mxfp4"), { cacheFolder: join(root, "cache"), dtype: "compact" });
  assert.equal(compact.dtype, "compact (mxfp4)");
  for (const [name, { quantization }] of compact.tensors) assert.equal(quantization?.bits, /experts\.\d+\.(gate|up|down)_proj\.weight$/.test(name) ? 4 : undefined, name);
  const [fused, spelledOut] = [await logitsOf(t, compact, true), await logitsOf(t, compact, false)];
  fused.forEach((logits, i) => assert.ok(relativeError(logits, spelledOut[i]!) < 1e-4, `${i}: ${relativeError(logits, spelledOut[i]!)}`));
  const error = (await weightError(compact))!;
  assert.ok(error > 0.01 && error < 0.1, String(error));
  for (const [label, change, error] of [
    ["no-scales", (tensors: TensorToWrite[]) => tensors.filter(({ name }) => !name.endsWith("down_proj_scales")), /tensor model\.layers\.0\.mlp\.experts\.down_proj_scales: missing \(must be there with shape \[4, 64, 3\]/],
    ["other-groups", (tensors: TensorToWrite[]) => tensors.map((tensor) => (tensor.name.endsWith("0.mlp.experts.down_proj_scales") ? { ...tensor, shape: [4, 64, 2], data: new Uint8Array(4 * 64 * 2) } : tensor)), /tensor model\.layers\.0\.mlp\.experts\.down_proj_scales: U8 \[4, 64, 2\] in \S+ \(must be U8 \[4, 64, 3\]/],
    ["other-blocks", (tensors: TensorToWrite[]) => tensors.map((tensor) => (tensor.name.endsWith("_blocks") ? { ...tensor, shape: [tensor.shape[0]!, tensor.shape[1]!, tensor.shape[2]! * 2, 8] } : tensor)), /_blocks: U8 \[4, 192, 4, 8\] in \S+ \(must be U8 \[experts, rows, groups, 16\]\)/],
    ["fewer-experts", (tensors: TensorToWrite[]) => tensors.map((tensor) => ({ ...tensor, shape: [2, ...tensor.shape.slice(1)], data: (tensor.data as Uint8Array).slice(0, (tensor.data as Uint8Array).length / 2) })), /tensor model\.layers\.0\.mlp\.experts\.gate_up_proj: missing/],
  ] as const) {
    await assert.rejects(write(label, change(packed!), { quantization_config: { quant_method: "mxfp4" } }), error);
  }
});
