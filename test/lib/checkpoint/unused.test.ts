// Every tensor of a checkpoint is used, known to say nothing, or refused by its name.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import type { Family } from "../../../lib/checkpoint/types.js";
import { rawConfig, temporaryFolder, tinyTensors, writeModel } from "./fixtures.js";

const vector = (name: string, size = 4) => ({ name, dtype: "F32" as const, shape: [size], data: new Float32Array(size).fill(0.5) });

const refused: readonly [Family, string, RegExp][] = [
  ["llama", "model.layers.0.self_attn.q_norm.weight", /tensor model\.layers\.0\.self_attn\.q_norm\.weight: in .*, but a llama model with this config\.json has no use for it \(left out, it would change the numbers\)/],
  ["llama", "model.layers.1.self_attn.q_proj.bias", /q_proj\.bias: .* has no use for it \(.*config\.json says that there is no such bias\)/],
  ["qwen2", "lm_head.bias", /tensor lm_head\.bias: in/],
  ["llama", "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", /lora_A\.weight: .* \(merge the adapter into the model first\)/],
  ["mistral", "model.layers.2.input_layernorm.weight", /tensor model\.layers\.2\.input_layernorm\.weight/],
  ["llama", "vision_tower.patch.weight", /tensor vision_tower\.patch\.weight/],
  ["llama", "model.layers.0.attn.bias", /tensor model\.layers\.0\.attn\.bias/],
];
for (const [family, name, message] of refused) {
  test(`${name} in a ${family} model is refused by its name`, async (t) => {
    const folder = await temporaryFolder(t);
    const raw = rawConfig(family);
    await writeModel(folder, raw, [...tinyTensors(raw), vector(name)]);
    await assert.rejects(openCheckpoint(folder), message);
  });
}

test("buffers of older files are known, and are not part of the model", async (t) => {
  const folder = await temporaryFolder(t);
  const raw = rawConfig("llama");
  const buffers = ["model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.1.self_attn.rotary_emb.cos_cached", "model.rotary_emb.inv_freq", "rotary_emb.inv_freq"];
  await writeModel(folder, raw, [...tinyTensors(raw), ...buffers.map((name) => vector(name))]);
  const { tensors } = await openCheckpoint(folder);
  assert.deepEqual([...tensors.keys()].sort(), tinyTensors(raw).map(({ name }) => name).sort());
});
