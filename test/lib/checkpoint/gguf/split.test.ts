// A model in several GGUF files, as gguf-split cuts them.
import assert from "node:assert/strict";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { readGgufHeader } from "../../../../lib/checkpoint/gguf/header.js";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { allValues } from "../../../../lib/checkpoint/values.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";
import { temporaryFolder } from "../fixtures.js";
import { ggufFile, ggufOf, type GgufTensorToWrite, type Kind } from "../gguf-file.js";

/** A tiny llama in three files: metadata and a third of the tensors in the first. */
async function split(t: TestContext, change: (metadata: Record<string, unknown>, part: number) => void = () => {}) {
  const tiny = tinyCheckpoint("llama", { config: { intermediate_size: 64 } });
  t.after(() => tiny.remove());
  const folder = await temporaryFolder(t);
  const kindOf = (name: string): Kind => (/norm/.test(name) ? "F32" : "Q8_0");
  const whole = ggufOf(tiny.config, tiny.weights, tiny.shapes, kindOf);
  const file = join(folder, "whole.gguf");
  await writeFile(file, whole.bytes);
  const { metadata, tensors } = await readGgufHeader(file);
  const all = await Promise.all([...tensors.values()].map(async ({ name, type, shape, offset, length }) => ({ name, kind: type, shape, bytes: (await readFile(file)).subarray(offset, offset + length) })));
  const parts = [0, 1, 2].map((part) => all.filter((_, i) => i % 3 === part));
  for (const [part, some] of parts.entries()) {
    const own: Record<string, unknown> = { "split.no": part, "split.count": 3, "split.tensors.count": all.length, ...(part === 0 ? metadata : {}) };
    change(own, part);
    // Numbers of the whole file were written as floats where they are not integers.
    const typed = Object.fromEntries(Object.entries(own).map(([key, value]) => [key, typeof value === "number" && (!Number.isInteger(value) || /epsilon|freq_base/.test(key)) ? { float: value } : value]));
    const { bytes } = ggufFile(typed as Parameters<typeof ggufFile>[0], some.map(({ name, shape, kind }): GgufTensorToWrite => ({ name, shape, kind, values: new Float64Array(shape.reduce((a, b) => a * b)) })));
    const path = join(folder, name(part));
    await writeFile(path, bytes);
    const header = await readGgufHeader(path);
    for (const { name, bytes: content } of some) content.copy(bytes, header.tensors.get(name)!.offset);
    await writeFile(path, bytes);
  }
  await rm(file);
  return { folder, values: whole.values, config: tiny.config };
}

const name = (part: number) => `tiny-0000${part + 1}-of-00003.gguf`;

test("parts are one model, whichever of them or their folder is given", async (t) => {
  const { folder, values } = await split(t);
  const cacheFolder = join(folder, "cache");
  for (const path of [join(folder, name(0)), join(folder, name(2)), folder]) {
    const { tensors, config } = await openCheckpoint(path, { cacheFolder });
    assert.equal(config.layers, 3);
    for (const [tensor, expected] of values) assert.ok((await allValues(tensors.get(tensor)!)).every((value, i) => value === Math.fround(expected[i]!)), tensor);
  }
});

test("missing parts are named", async (t) => {
  const { folder } = await split(t);
  await rm(join(folder, name(1)));
  await assert.rejects(openCheckpoint(join(folder, name(0))), /tiny-00001-of-00003\.gguf: 1 of its 3 parts missing: tiny-00002-of-00003\.gguf \(must be in the same folder\)/);
  await rm(join(folder, name(0)));
  await assert.rejects(openCheckpoint(join(folder, name(2))), /2 of its 3 parts missing: tiny-00001-of-00003\.gguf, tiny-00002-of-00003\.gguf/);
});

test("numbers and counts that do not fit are refused", async (t) => {
  const wrong = async (change: (metadata: Record<string, unknown>, part: number) => void, message: RegExp) => {
    const { folder } = await split(t, change);
    await assert.rejects(openCheckpoint(join(folder, name(0))), message);
  };
  await wrong((metadata, part) => { if (part === 1) metadata["split.no"] = 2; }, /tiny-00002-of-00003\.gguf: split\.no: 2 \(must be 1\)/);
  await wrong((metadata, part) => { if (part === 2) metadata["split.count"] = 4; }, /tiny-00003-of-00003\.gguf: split\.count: 4 \(must be 3\)/);
  await wrong((metadata, part) => { if (part === 1) delete metadata["split.count"]; }, /tiny-00002-of-00003\.gguf: split\.count: missing \(must be 3\)/);
  await wrong((metadata) => { metadata["split.count"] = 2; }, /tiny-00001-of-00003\.gguf: split\.count: 2 \(its name says 3\)/);
  await wrong((metadata, part) => { if (part === 0) metadata["split.tensors.count"] = 99; }, /split\.tensors\.count: 99 \(its 3 parts hold \d+\)/);
  await wrong((metadata, part) => { if (part === 0) metadata["split.count"] = "three"; }, /split\.count: "three" \(must be an integer\)/);
});

test("a tensor in two parts, and a name that says no number, are refused", async (t) => {
  const { folder } = await split(t);
  const second = await readFile(join(folder, name(1)));
  // The same tensors again, as the third part.
  const at = second.indexOf("split.no") + "split.no".length + 4;
  second.writeUInt32LE(2, at);
  await writeFile(join(folder, name(2)), second);
  await assert.rejects(openCheckpoint(join(folder, name(0))), /tiny-00003-of-00003\.gguf: tensor .*: is in .*tiny-00002-of-00003\.gguf too/);
  await rename(join(folder, name(0)), join(folder, "renamed.gguf"));
  await assert.rejects(openCheckpoint(join(folder, "renamed.gguf")), /renamed\.gguf: one of 3 parts, whose name does not say which \(must end with -00001-of-00003\.gguf\)/);
});
