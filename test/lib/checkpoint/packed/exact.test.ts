// Quantised checkpoints: every value is the one that the format says, and logits are those of the same values in float32.
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { allValues } from "../../../../lib/checkpoint/values.js";
import { Model } from "../../../../lib/runtime/model.js";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { relativeError } from "../../relative-error.js";
import { awq, fp8, gptq, intQuantized, packQuantized, quantised, values, type Shape } from "../../../reference/packed.js";
import type { Variant } from "../../../reference/variants.js";
import { folders, open, type Folders, type Replaced } from "./folder.js";

type Replace = (base: string, out: number, inputs: number, at: number) => Replaced;

async function checkValues(made: Folders, dtype: RegExp): Promise<void> {
  const checkpoint = await open(made);
  assert.match(checkpoint.dtype, dtype);
  for (const [name, expected] of made.values) {
    const stored = checkpoint.tensors.get(name)!;
    assert.deepEqual([...stored.shape].reduce((a, b) => a * b), expected.length, name);
    const found = await allValues(stored);
    const at = expected.findIndex((value, i) => !Object.is(value + 0, found[i]! + 0));
    assert.equal(at, -1, `${name}: element ${at} is ${found[at]}, not ${expected[at]}`);
  }
  // Nothing of the format is left beside the weights.
  for (const name of checkpoint.tensors.keys()) assert.doesNotMatch(name, /qweight|qzeros|scale|g_idx|packed|zero_point|weight_shape/);
}

async function checkLogits(t: TestContext, made: Folders): Promise<void> {
  const [here, there] = [new Model(await open(made), { threads: 1, accuracy: "float32" }), new Model(await openCheckpoint(made.exact), { threads: 1 })];
  t.after(() => Promise.all([here.release(), there.release()]));
  const ids = Array.from({ length: 40 }, (_, i) => (i * 31 + 3) % 250);
  for (const settings of [{}, { preset: "keep07", scorer: "recency" }]) {
    const [a, b] = [await here.prefill(ids, settings), await there.prefill(ids, settings)];
    assert.ok(relativeError(a.logits, b.logits) < 1e-4, `prefill ${relativeError(a.logits, b.logits)}`);
    const [c, d] = [await a.extend([7, 9]), await b.extend([7, 9])];
    assert.ok(relativeError(c, d) < 1e-4, `decode ${relativeError(c, d)}`);
  }
}

const gptqConfig = (bits: number, group_size: number, more: object = {}) => ({ quant_method: "gptq", bits, group_size, desc_act: false, sym: false, ...more });
const ofShape = (shape: Shape, write: (base: string, q: ReturnType<typeof quantised>) => Replaced["tensors"]): Replace => (base, out, inputs, at) => {
  const q = quantised(out, inputs, shape, 100 + at);
  return { tensors: write(base, q), values: values(q) };
};

describe("GPTQ", () => {
  for (const bits of [2, 3, 4, 8]) {
    for (const groupSize of [32, 64, 128, 48, -1]) {
      test(`${bits} bits, groups of ${groupSize}, zero points less one`, async (t) => {
        const made = await folders(t, "llama", ofShape({ bits, groupSize, lowestZero: 1 }, (base, q) => gptq(base, q)), gptqConfig(bits, groupSize));
        await checkValues(made, bits === 8 ? /^int8 \(gptq\)$/ : /^int4 \(gptq\)$/);
      });
    }
  }
  test("a zero point of 0, one less than which went into the next one's bits", async (t) => {
    const made = await folders(t, "llama", ofShape({ bits: 4, groupSize: 32 }, (base, q) => gptq(base, q, { version: 2 }).map((tensor) => (tensor.name.endsWith(".qzeros") ? { ...tensor, data: (tensor.data as Int32Array).map((word) => word - 0x11111111) } : tensor))), gptqConfig(4, 32));
    await checkValues(made, /int4/);
  });
  test("the second version stores zero points as they are", async (t) => {
    await checkValues(await folders(t, "llama", ofShape({ bits: 4, groupSize: 32 }, (base, q) => gptq(base, q, { version: 2 })), gptqConfig(4, 32, { checkpoint_format: "gptq_v2" })), /int4/);
  });
  test("symmetric levels, no g_idx, settings in quantize_config.json alone", async (t) => {
    const made = await folders(t, "llama", ofShape({ bits: 4, groupSize: 64, symmetric: true }, (base, q) => gptq(base, q, { index: false })), null, { "quantize_config.json": { bits: 4, group_size: 64, desc_act: false, sym: true } });
    await checkValues(made, /int4 \(gptq\)/);
    assert.ok((await open(made)).tensors.get("model.layers.0.mlp.up_proj.weight")!.quantization!.zeroPoints === null);
  });
  test("groups by activation order", async (t) => {
    const made = await folders(t, "llama", ofShape({ bits: 4, groupSize: 32, mixed: true, lowestZero: 1 }, (base, q) => gptq(base, q)), gptqConfig(4, 32, { desc_act: true }));
    await checkValues(made, /int4/);
    await checkLogits(t, made);
  });
  test("modules of their own bits and group sizes, and one that is left alone", async (t) => {
    const shapes: Shape[] = [{ bits: 4, groupSize: 64, lowestZero: 1 }, { bits: 8, groupSize: 32, lowestZero: 1 }];
    const made = await folders(t, "llama", (base, out, inputs, at) => (at === 3 ? null : ofShape(shapes[at % 2]!, (name, q) => gptq(name, q))(base, out, inputs, at)), gptqConfig(4, 64, { dynamic: { "+:.*k_proj": { bits: 8, group_size: 32 }, "-:.*o_proj": {} } }));
    await checkValues(made, /int4/);
    await checkLogits(t, made);
  });
  for (const variant of ["qwen2", "phi3", "gemma2", "qwen3-tied"] as Variant[]) {
    test(`${variant}: logits of prompts, pruned ones and decode steps`, async (t) => {
      const made = await folders(t, variant, ofShape({ bits: 4, groupSize: 32, lowestZero: 1 }, (base, q) => gptq(base, q)), gptqConfig(4, 32));
      if (variant !== "phi3") await checkValues(made, /int4/);
      await checkLogits(t, made);
    });
  }
  test("a bias of zeros that the model does not have says nothing; one of other numbers is refused", async (t) => {
    const withBias = (value: number) => folders(t, "llama", ofShape({ bits: 4, groupSize: 32, symmetric: true }, (base, q) => [...gptq(base, q), { name: `${base}.bias`, dtype: "F16", shape: [q.out], data: new Float32Array(q.out).fill(value) }]), gptqConfig(4, 32));
    await checkValues(await withBias(0), /int4/);
    await assert.rejects(open(await withBias(0.5)), /tensor \S+_proj\.bias: in \S+, but a llama model with this config\.json has no use for it/);
  });
  test("auto-round in GPTQ's packing", async (t) => {
    await checkValues(await folders(t, "llama", ofShape({ bits: 4, groupSize: 32, lowestZero: 1 }, (base, q) => gptq(base, q, { index: false })), { quant_method: "auto-round", bits: 4, group_size: 32, sym: true, packing_format: "auto_round:auto_gptq" }), /int4/);
  });
});

describe("AWQ", () => {
  for (const groupSize of [32, 64, 128, -1]) {
    test(`groups of ${groupSize}`, async (t) => {
      const made = await folders(t, "llama", ofShape({ bits: 4, groupSize }, awq), { quant_method: "awq", bits: 4, group_size: groupSize, zero_point: true, version: "gemm" });
      await checkValues(made, /^int4 \(awq\)$/);
      await checkLogits(t, made);
    });
  }
  test("settings in quant_config.json alone", async (t) => {
    await checkValues(await folders(t, "mistral", ofShape({ bits: 4, groupSize: 32 }, awq), null, { "quant_config.json": { zero_point: true, q_group_size: 32, w_bit: 4, version: "GEMM" } }), /int4 \(awq\)/);
  });
});

describe("compressed-tensors", () => {
  const config = (format: string, weights: object) => ({ quant_method: "compressed-tensors", format, config_groups: { group_0: { targets: ["Linear"], weights: { type: "int", symmetric: true, dynamic: false, ...weights } } }, ignore: ["lm_head"], quantization_status: "compressed" });
  for (const bits of [4, 8]) {
    for (const groupSize of [32, 128, -1]) {
      for (const symmetric of [true, false]) {
        test(`packed, ${bits} bits, ${groupSize === -1 ? "a scale for each output" : `groups of ${groupSize}`}, ${symmetric ? "symmetric" : "with zero points"}`, async (t) => {
          const made = await folders(t, "llama", ofShape({ bits, groupSize, symmetric }, (base, q) => packQuantized(base, q, { symmetric })),
            config("pack-quantized", { num_bits: bits, symmetric, ...(groupSize === -1 ? { strategy: "channel", group_size: null } : { strategy: "group", group_size: groupSize }) }));
          await checkValues(made, new RegExp(`^int${bits} \\(compressed-tensors\\)$`));
        });
      }
    }
  }
  test("packed, by activation order: logits", async (t) => {
    const made = await folders(t, "llama", ofShape({ bits: 4, groupSize: 32, symmetric: true, mixed: true }, (base, q) => packQuantized(base, q, { index: true })), config("pack-quantized", { num_bits: 4, strategy: "group", group_size: 32, actorder: "group" }));
    await checkValues(made, /int4/);
    await checkLogits(t, made);
  });
  for (const [label, groupSize, symmetric] of [["W8A8, a scale for each output", -1, true], ["groups of 64", 64, true], ["with zero points", -1, false]] as const) {
    test(`8-bit integers, ${label}: logits`, async (t) => {
      const activations = { input_activations: { num_bits: 8, type: "int", dynamic: true, strategy: "token", symmetric: true } };
      const quantization = config("int-quantized", { num_bits: 8, symmetric, ...(groupSize === -1 ? { strategy: "channel" } : { strategy: "group", group_size: groupSize }) });
      Object.assign(quantization.config_groups.group_0, activations);
      const made = await folders(t, "llama", ofShape({ bits: 8, groupSize, symmetric }, (base, q) => [
        ...intQuantized(base, q, { symmetric }), { name: `${base}.input_scale`, dtype: "F32", shape: [1], data: Float32Array.of(1) },
      ]), quantization);
      await checkValues(made, /^int8 \(compressed-tensors\)$/);
      await checkLogits(t, made);
    });
  }
  test("8-bit floats, a scale for each output", async (t) => {
    const made = await folders(t, "llama", (base, out, inputs, at) => fp8(base, out, inputs, [1, inputs], { scaleName: "weight_scale" }, at), config("float-quantized", { num_bits: 8, type: "float", strategy: "channel" }));
    await checkValues(made, /^fp8$/);
    await checkLogits(t, made);
  });
});

describe("8-bit floats", () => {
  test("blocks of 128 outputs and inputs, sizes that are no multiple of it", async (t) => {
    const made = await folders(t, "llama", (base, out, inputs, at) => fp8(base, out, inputs, [128, 128], {}, at), { quant_method: "fp8", fmt: "e4m3", activation_scheme: "dynamic", weight_block_size: [128, 128] });
    await checkValues(made, /^fp8$/);
    await checkLogits(t, made);
  });
  test("blocks in a matrix that a family cuts into queries, keys and values", async (t) => {
    const made = await folders(t, "phi3", (base, out, inputs, at) => fp8(base, out, inputs, [64, 32], {}, at), { quant_method: "fp8", weight_block_size: [64, 32] });
    await checkLogits(t, made);
  });
  for (const shape of [[], [1]]) {
    test(`one scale, of shape [${shape}]`, async (t) => {
      const made = await folders(t, "llama", (base, out, inputs, at) => fp8(base, out, inputs, [out, inputs], { scaleName: "weight_scale", shape }, at), { quant_method: "fp8", activation_scheme: "static" });
      await checkValues(made, /^fp8$/);
    });
  }
});

test("in another dtype weights are the numbers that they stand for", async (t) => {
  const made = [
    await folders(t, "llama", ofShape({ bits: 4, groupSize: 32, mixed: true, lowestZero: 1 }, (base, q) => gptq(base, q)), gptqConfig(4, 32, { desc_act: true })),
    await folders(t, "llama", (base, out, inputs, at) => fp8(base, out, inputs, [128, 128], {}, at), { quant_method: "fp8", weight_block_size: [128, 128] }),
  ];
  for (const { quantised, cache, values: all } of made) {
    for (const [dtype, limit] of [["fp32", 0], ["fp16", 1e-3], ["int8", 0.02]] as const) {
      const { tensors } = await openCheckpoint(quantised, { dtype, cacheFolder: cache });
      for (const [name, expected] of all) assert.ok(relativeError(await allValues(tensors.get(name)!), expected) <= limit, `${dtype} ${name}`);
    }
  }
});
