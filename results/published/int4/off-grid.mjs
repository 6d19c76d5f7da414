// A copy of a llama model that computes the same and whose weights lie on no grid of few levels, for a model that comes in 4 bits:
// `npm run build && node results/published/int4/off-grid.mjs MODEL FOLDER`
// Every input of a product gets a scale between 2^-1/2 and 2^1/2, taken back where that input comes from: in the norm before it, in the values
// before the attention's output, in the upward projection before the downward one. What was a grid along a row is none any more.
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoint } from "../../../dist/lib/checkpoint/index.js";
import { requiredTensors } from "../../../dist/lib/checkpoint/required.js";
import { writeSafetensors } from "../../../dist/lib/checkpoint/safetensors.js";
import { allValues } from "../../../dist/lib/checkpoint/values.js";
import { exportModel } from "../../../dist/lib/export-model/index.js";
import { Random } from "../../../dist/lib/random.js";

const [name, folder] = process.argv.slice(2);
if (!name || !folder) throw new Error("usage: off-grid.mjs MODEL FOLDER");
const checkpoint = await openCheckpoint(name);
const { config } = checkpoint;
if (config.family !== "llama" || config.qkvBias || config.mlpBias) throw new Error(`model: ${name} is ${config.family} (must be llama without biases)`);
await exportModel(checkpoint, { to: "safetensors", output: folder, dtype: "fp32" });

const random = new Random(0);
const scales = (count) => Float64Array.from({ length: count }, () => 2 ** (random.next() - 0.5));
const layers = Array.from({ length: config.layers }, () => ({ attention: scales(config.hiddenSize), mlp: scales(config.hiddenSize), values: scales(config.kvHeads * config.headDim), inner: scales(config.ffnSize) }));
const group = config.heads / config.kvHeads;
const keyHead = (input) => Math.floor(input / config.headDim / group) * config.headDim + (input % config.headDim);

/** What an element of a layer's tensor is multiplied by. */
const factors = {
  "input_layernorm.weight": ({ attention }) => (row, i) => 1 / attention[i],
  "self_attn.q_proj.weight": ({ attention }) => (row, i) => attention[i],
  "self_attn.k_proj.weight": ({ attention }) => (row, i) => attention[i],
  "self_attn.v_proj.weight": ({ attention, values }) => (row, i) => attention[i] * values[row],
  "self_attn.o_proj.weight": ({ values }) => (row, i) => 1 / values[keyHead(i)],
  "post_attention_layernorm.weight": ({ mlp }) => (row, i) => 1 / mlp[i],
  "mlp.gate_proj.weight": ({ mlp }) => (row, i) => mlp[i],
  "mlp.up_proj.weight": ({ mlp, inner }) => (row, i) => mlp[i] * inner[row],
  "mlp.down_proj.weight": ({ inner }) => (row, i) => 1 / inner[i],
};
const tensors = requiredTensors(config).map(({ name: tensor, shape }) => ({
  name: tensor, dtype: "F32", shape,
  async data() {
    const values = await allValues(checkpoint.tensors.get(tensor));
    const [, layer, part] = /^model\.layers\.(\d+)\.(.+)$/.exec(tensor) ?? [];
    const factor = part && factors[part]?.(layers[layer]);
    const columns = shape.at(-1);
    return factor ? values.map((value, at) => value * factor(Math.floor(at / columns), at % columns)) : values;
  },
}));
await writeSafetensors(join(folder, "off-grid.safetensors"), tensors, { format: "pt" });
await rename(join(folder, "off-grid.safetensors"), join(folder, "model.safetensors"));
console.log(`written: ${folder}`);
