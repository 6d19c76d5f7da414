// Quantised checkpoints that are not as they should be, or not read: one sentence that names tensor or setting.
import assert from "node:assert/strict";
import { existsSync, readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TensorToWrite } from "../../../../lib/checkpoint/safetensors.js";
import { awq, fp8, gptq, intQuantized, packQuantized, quantised, values } from "../../../reference/packed.js";
import { folders, open } from "./folder.js";

const gptqSettings = { quant_method: "gptq", bits: 4, group_size: 32, desc_act: false, sym: false };
const awqSettings = { quant_method: "awq", bits: 4, group_size: 32, zero_point: true, version: "gemm" };
const compressedSettings = { quant_method: "compressed-tensors", format: "pack-quantized", config_groups: { group_0: { targets: ["Linear"], weights: { num_bits: 4, type: "int", symmetric: true, strategy: "group", group_size: 32 } } } };
const fp8Settings = { quant_method: "fp8", weight_block_size: [128, 128] };

type Change = (tensors: TensorToWrite[]) => TensorToWrite[];
const without = (kind: string): Change => (tensors) => tensors.filter(({ name }) => !name.endsWith(kind));
const changed = (kind: string, changes: Partial<TensorToWrite>): Change => (tensors) => tensors.map((tensor) => (tensor.name.endsWith(kind) ? { ...tensor, ...changes } : tensor));

const q = (out: number, inputs: number, at: number) => quantised(out, inputs, { bits: 4, groupSize: 32, lowestZero: 1 }, at);
const byGptq = (base: string, out: number, inputs: number, at: number) => gptq(base, q(out, inputs, at));
const byAwq = (base: string, out: number, inputs: number, at: number) => awq(base, q(out, inputs, at));
const byCompressed = (base: string, out: number, inputs: number, at: number) => packQuantized(base, q(out, inputs, at), { index: true });
const byFp8 = (base: string, out: number, inputs: number, at: number) => fp8(base, out, inputs, [128, 128], {}, at).tensors;

const zeros = (length: number) => new Int32Array(length);
const cases: [string, typeof byGptq, object, Change, RegExp][] = [
  ["GPTQ without scales", byGptq, gptqSettings, without(".scales"), /tensor \S+q_proj\.scales: missing \(must be there beside \S+q_proj\.qweight\)/],
  ["GPTQ without zero points", byGptq, gptqSettings, without(".qzeros"), /tensor \S+q_proj\.qzeros: missing \(must be there with shape \[4, 16\]/],
  ["GPTQ without the groups that activation order needs", byGptq, { ...gptqSettings, desc_act: true }, without(".g_idx"), /tensor \S+\.g_idx: missing \(.*desc_act is true/],
  ["GPTQ with another group size than its scales", byGptq, { ...gptqSettings, group_size: 64 }, (all) => all, /tensor \S+\.scales: F16 \[4, 128\] in \S+ \(\S+config\.json: quantization_config: group_size 64 makes it 2 groups of 128 inputs\)/],
  ["GPTQ with zero points of another shape", byGptq, gptqSettings, changed(".qzeros", { shape: [4, 3], data: zeros(12) }), /tensor \S+\.qzeros: I32 \[4, 3\] in \S+ \(must be I32 \[4, \d+\]/],
  ["GPTQ with elements as floats", byGptq, gptqSettings, changed(".qweight", { dtype: "F32", data: new Float32Array(16 * 128), shape: [16, 128] }), /tensor \S+\.qweight: F32 \[16, 128\] in \S+ \(must be I32/],
  ["GPTQ with a group that is not there", byGptq, gptqSettings, changed(".g_idx", { data: zeros(128).fill(9), shape: [128] }), /tensor \S+\.g_idx: group 9 in \S+ \(must be 0 … 3\)/],
  ["GPTQ with groups of different sizes", byGptq, gptqSettings, changed(".g_idx", { data: zeros(128), shape: [128] }), /tensor \S+\.g_idx: 128 inputs of group 0 in \S+ \(must be 32\)/],
  ["GPTQ with groups of too few inputs", byGptq, gptqSettings, changed(".g_idx", { data: zeros(64), shape: [64] }), /tensor \S+\.qweight: I32 \[16, 128\] in \S+ \(must be \[8, out\] for 64 inputs in 4 bits/],
  ["GPTQ with groups that no block fits", byGptq, { ...gptqSettings, group_size: 33 }, changed(".g_idx", { data: Int32Array.from({ length: 128 }, (_, i) => Math.floor(i / 33)), shape: [128] }), /group_size: 33 \(must be a multiple of 16, or -1\)/],
  ["GPTQ of 5 bits", byGptq, { ...gptqSettings, bits: 5 }, (all) => all, /bits: 5 \(supported: 2, 3, 4, 8\)/],
  ["GPTQ in a kernel's own order", byGptq, { ...gptqSettings, checkpoint_format: "marlin" }, (all) => all, /checkpoint_format: "marlin" \(supported: gptq, gptq_v2; take the checkpoint it was made of/],
  ["a group size that is none", byGptq, { ...gptqSettings, group_size: 0 }, (all) => all, /group_size: 0 \(must be an integer >= 1\)/],
  ["AWQ in another packing order", byAwq, { ...awqSettings, version: "gemv" }, (all) => all, /quantization_config\.version: "gemv" \(supported: gemm;/],
  ["AWQ without zero points", byAwq, awqSettings, without(".qzeros"), /tensor \S+\.qzeros: missing/],
  ["AWQ with another group size than its scales", byAwq, { ...awqSettings, group_size: 64 }, (all) => all, /tensor \S+\.scales: F16 \[4, 128\] in \S+ \(must be F16 or BF16 or F32 \[2, 128\]: \S+ quantization_config: group_size 64 makes 2 groups of 128 inputs\)/],
  ["AWQ of 8 bits", byAwq, { ...awqSettings, bits: 8 }, (all) => all, /bits: 8 \(supported: 4;/],
  ["compressed-tensors without the shape", byCompressed, compressedSettings, without(".weight_shape"), /tensor \S+\.weight_shape: missing/],
  ["compressed-tensors with a shape that lies", byCompressed, compressedSettings, changed(".weight_shape", { data: BigInt64Array.of(1n << 40n, 1n << 40n) }), /tensor \S+\.weight_packed: I32 \[128, 16\] in \S+ \(must be I32 \[1099511627776, 1099511627776/],
  ["compressed-tensors with another group size than its scales", byCompressed, { ...compressedSettings, config_groups: { group_0: { weights: { ...compressedSettings.config_groups.group_0.weights, group_size: 64 } } } }, (all) => all, /tensor \S+\.weight_scale: F16 \[128, 4\] in \S+ \(must be F16, BF16 or F32 \[128, 2\]/],
  ["compressed-tensors in a format that is not read", byCompressed, { ...compressedSettings, format: "nvfp4-pack-quantized" }, (all) => all, /format: "nvfp4-pack-quantized" \(supported: pack-quantized, int-quantized/],
  ["compressed-tensors with integers of 2 bits", byCompressed, { ...compressedSettings, config_groups: { group_0: { weights: { num_bits: 2, type: "int" } } } }, (all) => all, /config_groups\.group_0\.weights\.num_bits: 2 \(supported: 4, 8;/],
  ["8-bit integers without scales", (base, out, inputs, at) => intQuantized(base, quantised(out, inputs, { bits: 8, groupSize: -1 }, at)), { ...compressedSettings, format: "int-quantized" }, without(".weight_scale"), /tensor \S+\.weight_scale: missing/],
  ["8-bit floats without scales", byFp8, fp8Settings, without("_scale_inv"), /tensor \S+\.weight_scale: missing \(\S+\.weight is F8_E4M3 and needs its scale/],
  ["8-bit floats with scales of another block", byFp8, { ...fp8Settings, weight_block_size: [64, 64] }, (all) => all, /tensor \S+\.weight_scale_inv: F32 \[\d, \d\] in \S+ \(must be F32, F16 or BF16/],
  ["8-bit floats with scales as integers", byFp8, fp8Settings, changed("_scale_inv", { dtype: "I32", data: zeros(1), shape: [1, 1] }), /tensor \S+\.weight_scale_inv: I32 \[1, 1\]/],
  ["a block size that is none", byFp8, { quant_method: "fp8", weight_block_size: [128] }, (all) => all, /weight_block_size: \[128\] \(must be two integers > 0/],
];
for (const [label, write, settings, change, error] of cases) {
  test(`${label} is refused`, async (t) => {
    const made = await folders(t, "llama", (base, out, inputs, at) => ({ tensors: change(write(base, out, inputs, at)), values: new Float32Array(out * inputs) }), settings);
    await assert.rejects(open(made), (refused: Error) => {
      assert.match(refused.message, error);
      assert.ok(!refused.message.includes("\n"));
      return true;
    });
    assert.deepEqual(existsSync(made.cache) ? readdirSync(made.cache) : [], [], "nothing half made");
  });
}

for (const [method, more] of [["bitsandbytes", { load_in_4bit: true, bnb_4bit_quant_type: "nf4" }], ["eetq", {}], ["hqq", {}], ["quanto", {}], ["aqlm", {}], ["torchao", {}], ["bitnet", {}], ["something", {}]] as const) {
  test(`${method} is refused by name, with what to take instead`, async (t) => {
    const made = await folders(t, "llama", () => null, { quant_method: method, ...more });
    await assert.rejects(open(made), new RegExp(`config\\.json: quantization_config: quant_method: "${method}" \\(read are gptq, awq, .*; take the checkpoint it was made of.* --dtype int4 or int8`));
  });
}

test("a file that ends inside a packed tensor is refused, nothing is left in the cache", async (t) => {
  const made = await folders(t, "llama", (base, out, inputs, at) => ({ tensors: byGptq(base, out, inputs, at), values: values(q(out, inputs, at)) }), gptqSettings);
  truncateSync(join(made.quantised, "model.safetensors"), 40_000);
  await assert.rejects(open(made), /model\.safetensors: tensor \S+: ends at byte \d+ of a file of 40000 bytes/);
  assert.ok(!existsSync(made.cache));
});

test("blocks are made once; other settings of the same files make others", async (t) => {
  const made = await folders(t, "llama", (base, out, inputs, at) => ({ tensors: byGptq(base, out, inputs, at), values: values(q(out, inputs, at)) }), gptqSettings);
  await open(made);
  const first = readdirSync(made.cache);
  await open(made);
  assert.deepEqual(readdirSync(made.cache), first);
  assert.match(first.join(), /^weights-quantised-gptq-[0-9a-f]{16}$/);
});
