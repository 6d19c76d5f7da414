import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { readFloatChunks, readFloats, readSafetensorsHeader, writeSafetensors } from "../../../lib/checkpoint/safetensors.js";
import { applyView, viewed } from "../../../lib/checkpoint/view.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { rawConfig, temporaryFolder } from "./fixtures.js";

const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => i);

test("slices and other orders of axes, worked out by hand", () => {
  assert.deepEqual([...applyView(numbers(6), { stored: [2, 3], perm: [1, 0] })], [0, 3, 1, 4, 2, 5]);
  assert.deepEqual([...applyView(numbers(6), { stored: [2, 3], slice: { axis: 1, from: 1, to: 3 } })], [1, 2, 4, 5]);
  assert.deepEqual([...applyView(numbers(8), { stored: [2, 4], slice: { axis: 1, from: 2, to: 4 }, perm: [1, 0] })], [2, 6, 3, 7]);
  assert.deepEqual([...applyView(numbers(12), { stored: [2, 3, 2], slice: { axis: 1, from: 1, to: 2 } })], [2, 3, 8, 9]);
  assert.deepEqual([...applyView(numbers(8), { stored: [1, 2, 2, 2], perm: [0, 2, 1, 3] })], [0, 1, 4, 5, 2, 3, 6, 7]);
});

test("rows of a file are a shorter range of it; others are read whole and turned", async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, "x.safetensors");
  await writeSafetensors(file, [{ name: "a", dtype: "F16", shape: [4, 3], data: numbers(12) }]);
  const stored = (await readSafetensorsHeader(file)).tensors.get("a")!;
  const rows = viewed(stored, { stored: [4, 3], slice: { axis: 0, from: 1, to: 3 } }, [2, 3]);
  assert.equal(rows.view, undefined);
  assert.deepEqual([...(await readFloats(rows))], [3, 4, 5, 6, 7, 8]);
  const turned = viewed(stored, { stored: [4, 3], slice: { axis: 1, from: 1, to: 3 }, perm: [1, 0] }, [2, 4]);
  assert.deepEqual([...(await readFloats(turned))], [1, 4, 7, 10, 2, 5, 8, 11]);
  const chunks: number[][] = [];
  for await (const chunk of readFloatChunks(turned, 4)) chunks.push([...chunk]);
  assert.deepEqual(chunks, [[1, 4, 7, 10], [2, 5, 8, 11]]);
});

test("a missing or misshapen tensor of another family is named as its checkpoint names it", async (t) => {
  const gpt2 = tinyCheckpoint("gpt2-prefixed", { config: { n_inner: 41 } });
  t.after(() => gpt2.remove());
  await writeFile(join(gpt2.folder, "config.json"), JSON.stringify({ ...gpt2.config, n_inner: 40 }));
  await assert.rejects(openCheckpoint(gpt2.folder), /tensor transformer\.h\.0\.mlp\.c_fc\.weight: shape \[32, 41\] in .* \(config\.json makes it \[32, 40\]\)/);
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "config.json"), JSON.stringify(rawConfig("bloom", { n_layer: 1, n_head: 4, layer_norm_epsilon: 1e-5 })));
  await writeSafetensors(join(folder, "model.safetensors"), [{ name: "word_embeddings.weight", dtype: "F32", shape: [300, 16], data: numbers(4800) }]);
  await assert.rejects(openCheckpoint(folder), /tensor word_embeddings_layernorm\.weight: missing in/);
});
