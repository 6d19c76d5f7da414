// Which weights of a quantised file get other blocks than those that lose nothing; experts, which are multiplied together.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { formats } from "../../../lib/checkpoint/gguf/blocks.js";
import { ggmlTypes, type BlockType } from "../../../lib/checkpoint/gguf/types.js";
import { losslessBytes, nearForms, type LosslessBlocks } from "../../../lib/checkpoint/near.js";
import { openCheckpoint, openFolder } from "../../../lib/checkpoint/open.js";
import { readFloats } from "../../../lib/checkpoint/safetensors.js";
import { synthesize } from "../../../lib/checkpoint/synthetic.js";
import { planOf } from "../../../lib/methods/plan/plan.js";
import { presets } from "../../../lib/methods/sdtp.js";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { hostHome } from "../../../lib/runtime/home.js";
import { memoryPlan } from "../../../lib/runtime/memory.js";
import { Model } from "../../../lib/runtime/model.js";
import { relativeError } from "../relative-error.js";
import { temporaryFolder } from "./fixtures.js";
import { convertedToGguf, type HfTensor } from "./gguf/converter.js";
import type { Kind } from "./gguf-file.js";

const weight = (name: string, type: BlockType, columns = 512): LosslessBlocks => {
  const { bits, blockSize, offsets } = formats[type];
  return { name, rows: 64, columns, bits, blockSize, offsets, fileBits: (8 * ggmlTypes[type].bytes) / ggmlTypes[type].block };
};
const experts = (gate: BlockType, up: BlockType, down: BlockType, columns = 512) => (["gate", "up", "down"] as const).flatMap((part, i) => [0, 1].map((expert) => weight(`model.layers.3.mlp.experts.${expert}.${part}_proj.weight`, [gate, up, down][i]!, columns)));
const formsOf = (weights: readonly LosslessBlocks[]) => {
  const forms = nearForms(weights);
  return weights.map(({ name }) => { const form = forms.get(name); return form ? `${form.bits}/${form.blockSize}` : "-"; });
};

test("experts whose lossless blocks are multiplied as they are stay, or each gets the form of its type", () => {
  assert.deepEqual(formsOf(experts("Q4_0", "Q4_0", "Q4_0")), Array(6).fill("-"));
  assert.deepEqual(formsOf(experts("Q8_0", "Q8_0", "Q8_0")), Array(6).fill("-"));
  assert.deepEqual(formsOf(experts("MXFP4", "MXFP4", "MXFP4")), Array(6).fill("4/32"));
  assert.deepEqual(formsOf(experts("Q6_K", "Q6_K", "Q6_K")), Array(6).fill("8/128"));
  assert.deepEqual(formsOf(experts("Q2_K", "Q2_K", "Q2_K")), Array(6).fill("4/128"));
});

test("experts whose lossless blocks would be widened to float32 get one form, that of those with most bits", () => {
  assert.deepEqual(formsOf(experts("Q4_K", "Q4_K", "Q4_K")), Array(6).fill("4/32"));
  assert.deepEqual(formsOf(experts("Q4_1", "Q4_1", "Q4_0")), ["4/32", "4/32", "4/32", "4/32", "-", "-"]);
  // As in most files: of Q4_K_M half of the layers.
  assert.deepEqual(formsOf(experts("Q4_K", "Q4_K", "Q6_K")), Array(6).fill("8/32"));
  assert.deepEqual(formsOf(experts("Q4_K", "Q4_K", "Q8_0")), ["8/32", "8/32", "8/32", "8/32", "-", "-"]);
  assert.deepEqual(formsOf(experts("Q2_K", "Q2_K", "Q3_K", 256)), Array(6).fill("4/128"));
  // Rows of one block of 128 are none to the operator.
  assert.deepEqual(formsOf(experts("Q5_1", "Q5_1", "Q5_1", 128)), Array(6).fill("8/32"));
  // Nothing makes these other than float32, nor those beside plain numbers.
  assert.deepEqual(formsOf(experts("Q4_1", "Q4_1", "Q4_1").slice(0, 4)), Array(4).fill("-"));
  assert.deepEqual(formsOf(experts("Q4_1", "Q4_1", "Q4_1", 32)), Array(6).fill("-"));
});

test("the same types outside of experts: K-quants of 4 bits stay", () => {
  assert.deepEqual(formsOf([weight("a", "Q4_K"), weight("b", "Q6_K"), weight("c", "Q4_1"), weight("d", "Q5_K")]), ["-", "8/128", "-", "8/128"]);
});

test("bytes without loss: float32 where experts are widened", () => {
  assert.equal(losslessBytes([weight("a", "Q4_K")]), (64 * 512 * 6) / 8);
  assert.equal(losslessBytes(experts("Q4_0", "Q4_0", "Q4_0")), (6 * 64 * 512 * 5) / 8);
  assert.equal(losslessBytes(experts("Q4_K", "Q4_K", "Q4_K")), 6 * 64 * 512 * 4);
});

const moe = { model_type: "qwen3_moe", hidden_size: 64, intermediate_size: 128, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16, vocab_size: 80, max_position_embeddings: 256, rms_norm_eps: 1e-5, initializer_range: 0.15, num_experts: 4, num_experts_per_tok: 2, moe_intermediate_size: 128, norm_topk_prob: true, rope_theta: 1e6 };
const ids = Array.from({ length: 24 }, (_, i) => (i * 31 + 3) % 80);

for (const [gate, down, bits, most] of [["Q4_1", "Q4_1", 4, 0.12], ["Q4_1", "Q5_0", 8, 0.01]] as const) {
  test(`a GGUF file with experts in ${gate} and ${down}: multiplied in ${bits} bits, and without loss when that is asked for`, async (t) => {
    const folder = await temporaryFolder(t);
    const cacheFolder = join(folder, "cache");
    const { tensors } = await openFolder(await synthesize(moe, "moe", { dtype: "fp32", cacheFolder }));
    const hf = new Map<string, HfTensor>();
    const joined = new Map<string, Map<string, Float32Array>>();
    for (const [name, stored] of tensors) {
      const values = await readFloats(stored);
      const [, block, expert, part] = /^(.*\.experts)\.(\d+)\.(gate|up|down)_proj\.weight$/.exec(name) ?? [];
      if (block === undefined) hf.set(name, { shape: stored.shape, values: Float64Array.from(values) });
      else joined.set(block, (joined.get(block) ?? new Map<string, Float32Array>()).set(`${expert} ${part}`, values));
    }
    for (const [block, parts] of joined) {
      const all = (names: readonly string[]) => Float64Array.from([0, 1, 2, 3].flatMap((expert) => names.flatMap((part) => [...parts.get(`${expert} ${part}`)!])));
      hf.set(`${block}.gate_up_proj`, { shape: [4, 256, 64], values: all(["gate", "up"]) });
      hf.set(`${block}.down_proj`, { shape: [4, 64, 128], values: all(["down"]) });
    }
    const file = join(folder, "moe.gguf");
    await writeFile(file, convertedToGguf(moe, hf, {}, [], (name): Kind => (/ffn_(gate|up)_exps/.test(name) ? gate : /ffn_down_exps/.test(name) ? down : "F32")));
    const [near, lossless] = [await openCheckpoint(file, { cacheFolder, onNote() {} }), await openCheckpoint(file, { cacheFolder, dtype: "stored" })];
    for (const [name, { quantization }] of near.tensors) assert.deepEqual(quantization && [quantization.bits, quantization.blockSize, quantization.offsets], name.includes(".experts.") ? [bits, 32, null] : undefined, name);
    assert.ok(near.near!.error > 0 && near.near!.error < most, String(near.near!.error));
    const operators = new Set<string>();
    const logits = async (checkpoint: typeof near, fused: boolean) => {
      const model = new Model(checkpoint, { threads: 1, accuracy: "float32" }, { ...hostHome(), builder: (name) => new GraphBuilder(name, "fused", fused), load(g, settings) { g.nodes.forEach(({ op }) => operators.add(op)); return hostHome().load(g, settings); } });
      t.after(() => model.release());
      return (await model.prefill(ids)).logits;
    };
    const fused = await logits(near, true);
    assert.ok(operators.has("QMoE"));
    assert.ok(relativeError(fused, await logits(near, false)) < 1e-4);
    operators.clear();
    const exact = await logits(lossless, true);
    assert.ok(operators.has("MoE") && !operators.has("QMoE"));
    assert.ok(relativeError(exact, await logits(lossless, false)) < 1e-4);
    const error = relativeError(fused, exact);
    assert.ok(error > 1e-5 && error < 5 * most, String(error));
    // The plan counts what is widened.
    const plan = planOf(presets.baseline, 24, { config: near.config, plain: false, cpu: true, kvDtype: "fp32" });
    const weights = [near, lossless].map((checkpoint) => memoryPlan(checkpoint, plan, { reserve: 1, graphs: 2, kvDtype: "fp32" }).weights);
    assert.ok(weights[1]! > 1.3 * weights[0]!, weights.join());
  });
}
