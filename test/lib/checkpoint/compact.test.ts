import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { compactForm, isCompactable, sizeNote } from "../../../lib/checkpoint/compact.js";
import { ggmlTypes, isPlain, type BlockType, type GgmlType } from "../../../lib/checkpoint/gguf/types.js";
import { nearestRows } from "../../../lib/checkpoint/nearest.js";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { dequantizeRows, quantizeRows } from "../../../lib/checkpoint/quantize.js";
import { totalBytes } from "../../../lib/checkpoint/sizes.js";
import { allValues } from "../../../lib/checkpoint/values.js";
import { weightError } from "../../../lib/evaluate/weight-error.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { forward } from "../../reference/forward.js";
import { relativeError } from "../relative-error.js";
import { temporaryFolder } from "./fixtures.js";
import { ggufOf, type Kind } from "./gguf-file.js";

const ids = [5, 250, 31, 7, 7, 199, 64, 3, 120, 88];

async function written(t: TestContext, kindOf: (name: string) => Kind) {
  const tiny = tinyCheckpoint("llama-tied", { config: { hidden_size: 256, num_attention_heads: 8, num_key_value_heads: 4, intermediate_size: 256, tie_word_embeddings: true } });
  t.after(() => tiny.remove());
  const folder = await temporaryFolder(t);
  const file = join(folder, "tiny.gguf");
  const { bytes, values } = ggufOf(tiny.config, tiny.weights, tiny.shapes, (name) => (name.includes("norm") ? "F32" : kindOf(name)), {});
  await writeFile(file, bytes);
  return { file, folder, values, config: tiny.config, cacheFolder: join(folder, "cache") };
}

/** Of each type that no lossless form holds in about its size: bits and block that it gets, the most that it then takes of the file's bytes, and the most it errs on random blocks. */
const changed: Partial<Record<BlockType, [4 | 8, number, number, number]>> = {
  Q2_K: [4, 128, 1.65, 0.12], Q3_K: [4, 128, 1.27, 0.13], IQ4_NL: [4, 32, 1.16, 0.1], IQ4_XS: [4, 32, 1.23, 0.1], MXFP4: [4, 32, 1.23, 0.1],
  Q5_0: [8, 128, 1.52, 0.01], Q5_1: [8, 128, 1.4, 0.01], Q5_K: [8, 128, 1.52, 0.01], Q6_K: [8, 128, 1.28, 0.01],
};

for (const kind of (Object.keys(ggmlTypes) as GgmlType[]).filter((type): type is BlockType => !isPlain(type))) {
  const expected = changed[kind];
  if (!expected) {
    test(`${kind} is held in about its own size without loss, and compact says so`, async (t) => {
      const { file, cacheFolder } = await written(t, () => kind);
      const checkpoint = await openCheckpoint(file, { cacheFolder });
      const { held, file: own } = totalBytes(checkpoint.tensors);
      assert.ok(held >= 0.98 * own && held < 1.4 * own, `${held} of ${own}`);
      assert.equal(sizeNote(checkpoint), null);
      for (const dtype of ["compact", "stored", kind.toLowerCase()]) {
        const same = await openCheckpoint(file, { cacheFolder, dtype });
        assert.deepEqual([same.dtype, same.near, await same.hash(), same.tensors], [kind.toLowerCase(), undefined, await checkpoint.hash(), checkpoint.tensors]);
      }
      assert.equal((await readdir(cacheFolder)).length, 1);
    });
    continue;
  }
  const [bits, blockSize, share, most] = expected;
  test(`${kind}, compact: near its size in the file, near its values, and computed with what it holds`, async (t) => {
    const gguf = await written(t, () => kind);
    const { cacheFolder } = gguf;
    const notes: string[] = [];
    const model = await load(gguf.file, { threads: 1, accuracy: "float32", cacheFolder, onNote: (note) => notes.push(note) });
    t.after(() => model.release());
    // What holds it without loss is not made for this.
    assert.equal((await readdir(cacheFolder)).length, 1);
    const plain = await openCheckpoint(gguf.file, { cacheFolder, dtype: "stored", onNote: (note) => notes.push(note) });
    assert.deepEqual([plain.dtype, plain.near, model.dtype, model.checkpoint.original?.dtype], [kind.toLowerCase(), undefined, `compact (${kind.toLowerCase()})`, kind.toLowerCase()]);
    const near = model.checkpoint.near!;
    assert.deepEqual(near.kinds.map(({ kind, bits, blockSize }) => [kind, bits, blockSize]), [[kind.toLowerCase(), bits, blockSize]]);
    assert.equal(near.losslessBytes, totalBytes(plain.tensors).held);
    assert.equal(notes.length, 1);
    assert.match(notes[0]!, new RegExp(`^weights of \\S+tiny\\.gguf: held near their size in the file \\([\\d.]+ [kM]B\\) in [\\d.]+ [kM]B, not without loss: ${kind.toLowerCase()} \\(100\\.0 % of the weights\\) in ${bits} bits, blocks of ${blockSize}, ${(100 * near.error).toFixed(near.error < 0.001 ? 3 : near.error < 0.1 ? 2 : 1).replace(".", "\\.")} % from the file's values \\(root mean square\\); dtype stored loses nothing, in [\\d.]+ [kM]B$`));
    const { held, file } = totalBytes(model.checkpoint.tensors);
    assert.equal(file, totalBytes(plain.tensors).file);
    assert.ok(held < share * file, `${held} of ${file}`);
    const values = new Map<string, Float64Array>();
    let [difference, size] = [0, 0];
    for (const [name, stored] of model.checkpoint.tensors) {
      const got = await allValues(stored);
      values.set(name, Float64Array.from(got));
      if (stored.shape.length !== 2) continue;
      assert.deepEqual([stored.quantization!.bits, stored.quantization!.blockSize], [bits, blockSize]);
      got.forEach((value, i) => ((difference += (value - gguf.values.get(name)![i]!) ** 2), (size += gguf.values.get(name)![i]! ** 2)));
    }
    const error = Math.sqrt(difference / size);
    assert.ok(error > 0 && error < most, String(error));
    assert.ok(Math.abs((await weightError(model.checkpoint))! - error) < 1e-6 * error);
    const logits = forward(gguf.config, values, ids, { allLogits: true }).allLogits!;
    const run = await model.prefill(ids.slice(0, 8));
    assert.ok(relativeError(run.logits, logits[7]!) < 1e-4, String(relativeError(run.logits, logits[7]!)));
    assert.ok(relativeError(await run.extend([ids[8]!]), logits[8]!) < 1e-4);
    // A second time it is found, not made.
    const entries = await readdir(cacheFolder);
    for (const dtype of [undefined, "compact", model.dtype]) {
      const again = await openCheckpoint(gguf.file, { cacheFolder, ...(dtype && { dtype }) });
      assert.deepEqual([again.dtype, again.near, await again.hash(), again.tensors], [model.dtype, near, await model.checkpoint.hash(), model.checkpoint.tensors]);
    }
    assert.deepEqual(await readdir(cacheFolder), entries);
    assert.equal(await model.checkpoint.original!.hash(), await plain.hash());
    assert.notEqual(await model.checkpoint.hash(), await plain.hash());
  });
}

test("only what takes much more than in the file changes", async (t) => {
  const { file, cacheFolder } = await written(t, (name) => (name.includes("embed") ? "Q8_0" : name.includes("mlp") ? "IQ4_NL" : "Q4_K"));
  const [plain, compact] = [await openCheckpoint(file, { cacheFolder, dtype: "stored" }), await openCheckpoint(file, { cacheFolder })];
  for (const [name, stored] of plain.tensors) {
    const held = compact.tensors.get(name)!;
    if (/mlp/.test(name)) assert.ok(compactForm(stored) && held.length < stored.length, name);
    else assert.deepEqual([held.shape, held.quantization?.bits, await allValues(held)], [stored.shape, stored.quantization?.bits, await allValues(stored)], name);
  }
  assert.deepEqual([isCompactable(plain), isCompactable(compact)], [true, false]);
  assert.deepEqual(compact.near!.kinds.map(({ kind }) => kind), ["iq4_nl"]);
  // As most of the file is.
  assert.deepEqual([plain.dtype, compact.dtype], [plain.dtype, `compact (${plain.dtype})`]);
});

test("weights of no type of their own have no compact form", async (t) => {
  const tiny = tinyCheckpoint("llama", { dtype: "BF16" });
  t.after(() => tiny.remove());
  await assert.rejects(openCheckpoint(tiny.folder, { dtype: "compact" }), /is held in bf16, about as small as in its files: take int8 or int4/);
  await assert.rejects(openCheckpoint(tiny.folder, { dtype: "compact:head=int8" }), /dtype: compact:head=int8 \(compact takes no choices/);
  await assert.rejects(openCheckpoint(tiny.folder, { dtype: "stored:head=int8" }), /dtype: stored:head=int8 \(stored takes no choices/);
  assert.equal((await openCheckpoint(tiny.folder, { dtype: "stored" })).dtype, "bf16");
  await assert.rejects(openCheckpoint("synthetic:tinyllama-1.1b", { dtype: "compact" }), /dtype: compact \(must be fp32, fp16, int8, int4\)/);
});

test("making it stops when it is told to, and leaves nothing", async (t) => {
  const { file, cacheFolder } = await written(t, () => "MXFP4");
  await openCheckpoint(file, { cacheFolder, dtype: "stored" });
  const before = await readdir(cacheFolder);
  const stop = new AbortController();
  await assert.rejects(openCheckpoint(file, { cacheFolder, dtype: "compact", signal: stop.signal, onProgress: () => stop.abort() }), { name: "AbortError" });
  assert.deepEqual(await readdir(cacheFolder), before);
});

test("the nearest 16 levels: nearer than those that span the range, zero exact, exact where 16 even steps hold the block", () => {
  let state = 7;
  const random = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const table = [0, 1, 2, 3, 4, 6, 8, 12];
  const few = Float32Array.from({ length: 64 * 100 }, () => table[Math.min(7, Math.floor(Math.abs(3 * normal())))]! * (random() < 0.5 ? -1 : 1));
  const distance = (values: Float32Array, { quants, scales, zeroPoints }: ReturnType<typeof nearestRows>) => {
    const held = dequantizeRows({ quants, scales, zeroPoints }, 100, 4, 32);
    return Math.sqrt(held.reduce((sum, value, i) => sum + (value - values[i]!) ** 2, 0) / values.reduce((sum, value) => sum + value * value, 0));
  };
  for (const [values, most] of [[Float32Array.from({ length: 64 * 100 }, normal), 0.98], [few, 0.9]] as const) {
    const [nearest, spanned] = [distance(values, nearestRows(values, 100, 32)), distance(values, quantizeRows(values, 100, 4, false))];
    assert.ok(nearest < most * spanned && nearest > 0.03, `${nearest}, ${spanned}`);
  }
  for (const [low, high] of [[-8, 7], [0, 15], [-15, 0], [-3, 12]] as const) {
    const even = Float32Array.from({ length: 64 }, (_, i) => (low + (i % (high - low + 1))) / 4);
    assert.deepEqual(dequantizeRows(nearestRows(even, 64, 32), 64, 4, 32), even);
  }
  const zeros = nearestRows(new Float32Array(32), 32, 32);
  assert.deepEqual([...dequantizeRows(zeros, 32, 4, 32)], new Array(32).fill(0));
  const sparse = Float32Array.from({ length: 32 }, (_, i) => (i === 3 ? 5 : i === 9 ? -0.7 : 0));
  assert.equal(dequantizeRows(nearestRows(sparse, 32, 32), 32, 4, 32).filter((value) => value === 0).length >= 30, true);
  for (const bad of [NaN, Infinity, -Infinity]) assert.throws(() => nearestRows(Float32Array.of(...new Array(40).fill(1), bad), 41, 32), /quantisation: a value in row 0 is not finite/);
});
