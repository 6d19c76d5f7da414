// Model folders in PyTorch's format, against the plain pass with the weights that were written.
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { zipSync } from "fflate";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { readFloats } from "../../../lib/checkpoint/safetensors.js";
import { allValues } from "../../../lib/checkpoint/values.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { forward } from "../../reference/forward.js";
import type { Variant } from "../../reference/variants.js";
import { relativeError } from "../relative-error.js";
import { temporaryFolder } from "./fixtures.js";
import { stateDict, type PickledTensor } from "./torch-file.js";

const ids = [5, 250, 31, 7, 7, 199, 64, 3, 120, 88];

/** Replaces a tiny checkpoint's safetensors by a file that torch.save would have written, or two with an index. */
function torchCheckpoint(t: TestContext, variant: Variant, { shards = 1, turned = "" } = {}) {
  const tiny = tinyCheckpoint(variant);
  t.after(() => tiny.remove());
  rmSync(join(tiny.folder, "model.safetensors"));
  const names = [...tiny.weights.keys()];
  const map: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const file = shards === 1 ? "pytorch_model.bin" : `pytorch_model-0000${shard + 1}-of-0000${shards}.bin`;
    const part = names.filter((_, i) => i % shards === shard);
    const entries: Record<string, Uint8Array> = {};
    const tensors = part.map((name, key): PickledTensor => {
      map[name] = file;
      const values = Float32Array.from(tiny.weights.get(name)!);
      const shape = tiny.shapes.get(name)!;
      const [rows, columns] = shape as [number, number];
      const transposed = name === turned;
      entries[`data/${key}`] = new Uint8Array((transposed ? values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!) : values).buffer);
      return { name, storage: "FloatStorage", key: String(key), size: values.length, offset: 0, shape, ...(transposed && { stride: [1, rows] }) };
    });
    // What old checkpoints keep beside the weights.
    const mask = { name: tiny.config.model_type === "gpt2" ? `h.${shard}.attn.bias` : `model.layers.${shard}.self_attn.rotary_emb.inv_freq`, storage: "BoolStorage", key: "999", size: 4, offset: 0, shape: [2, 2] };
    const all = { "data.pkl": stateDict([...tensors, mask]), ...entries, "data/999": Uint8Array.of(1, 0, 1, 1), version: new TextEncoder().encode("3\n") };
    writeFileSync(join(tiny.folder, file), zipSync(Object.fromEntries(Object.entries(all).map(([entry, bytes]) => [`archive/${entry}`, [bytes, { level: 0 }]]))));
  }
  if (shards > 1) writeFileSync(join(tiny.folder, "pytorch_model.bin.index.json"), JSON.stringify({ weight_map: map }));
  return tiny;
}

for (const [variant, shards, turned] of [["qwen2", 1, "model.layers.1.mlp.up_proj.weight"], ["bloom", 2, ""], ["gpt2", 1, ""]] as [Variant, number, string][]) {
  test(`${variant} from ${shards === 1 ? "one file" : `${shards} files`}: the reference's logits, prefilled and decoded, straight from the archive`, async (t) => {
    const tiny = torchCheckpoint(t, variant, { shards, turned });
    const model = await load(tiny.folder, { threads: 1 });
    t.after(() => model.release());
    assert.ok([...model.checkpoint.tensors.values()].every(({ file }) => file.endsWith(".bin")));
    const expected = forward(tiny.config, tiny.weights, ids, { allLogits: true }).allLogits!;
    const run = await model.prefill(ids.slice(0, 8));
    assert.ok(relativeError(run.logits, expected[7]!) < 1e-4);
    assert.ok(relativeError(await run.extend([ids[8]!]), expected[8]!) < 1e-4);
  });
}

test("it can be held in another dtype like any checkpoint, a transposed tensor included", async (t) => {
  const turned = "model.layers.1.mlp.up_proj.weight";
  const tiny = torchCheckpoint(t, "llama", { turned });
  const checkpoint = await openCheckpoint(tiny.folder);
  assert.deepEqual(await readFloats(checkpoint.tensors.get(turned)!), Float32Array.from(tiny.weights.get(turned)!));
  const int8 = await openCheckpoint(tiny.folder, { dtype: "int8", cacheFolder: await temporaryFolder(t) });
  assert.ok(relativeError(await allValues(int8.tensors.get(turned)!), tiny.weights.get(turned)!) < 0.01);
  assert.match(await checkpoint.hash(), /^[0-9a-f]{64}$/);
});

test("missing shards, other files in the index and cut files are errors", async (t) => {
  const tiny = torchCheckpoint(t, "llama", { shards: 2 });
  const index = join(tiny.folder, "pytorch_model.bin.index.json");
  const original = readFileSync(index, "utf8");
  writeFileSync(index, original.replaceAll("pytorch_model-00002", "../pytorch_model-00002"));
  await assert.rejects(openCheckpoint(tiny.folder), /must be a \.bin file in the same folder/);
  writeFileSync(index, original);
  const second = join(tiny.folder, "pytorch_model-00002-of-00002.bin");
  writeFileSync(second, readFileSync(second).subarray(0, 2000));
  await assert.rejects(openCheckpoint(tiny.folder), /pytorch_model-00002-of-00002\.bin: the zip archive is damaged/);
  rmSync(second);
  await assert.rejects(openCheckpoint(tiny.folder), /shard: pytorch_model-00002-of-00002\.bin is missing in .* \(pytorch_model\.bin\.index\.json names it/);
});
