import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, readdir, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  readByteRange, readBytes, readFloatChunks, readFloats, readSafetensorsHeader, readTensor, writeSafetensors,
  type TensorToWrite,
} from "../../../lib/checkpoint/safetensors.js";
import { rawSafetensors, temporaryFolder } from "./fixtures.js";

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({ dtype: "F32", shape, data_offsets: [begin, end] });

test("reads a file that was put together by hand", async (t) => {
  const file = join(await temporaryFolder(t), "hand.safetensors");
  const header = JSON.stringify({ __metadata__: { made: "by hand" }, "b.weight": f32(8, 16, [2, 1]), a: { dtype: "I64", shape: [], data_offsets: [0, 8] } });
  const data = Buffer.alloc(16);
  data.writeBigInt64LE(-5n, 0);
  data.writeFloatLE(1.5, 8);
  data.writeFloatLE(-0.25, 12);
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(header.length);
  await writeFile(file, Buffer.concat([prefix, Buffer.from(header), data]));

  const { tensors, metadata } = await readSafetensorsHeader(file);
  assert.deepEqual({ ...metadata }, { made: "by hand" });
  assert.deepEqual([...tensors.keys()].sort(), ["a", "b.weight"]);
  const b = tensors.get("b.weight")!;
  assert.deepEqual(b, { name: "b.weight", dtype: "F32", shape: [2, 1], file: b.file, offset: 8 + header.length + 8, length: 8 });
  assert.deepEqual(await readTensor(b), Float32Array.of(1.5, -0.25));
  assert.deepEqual(await readTensor(tensors.get("a")!), BigInt64Array.of(-5n));
});

test("every dtype is written and read back", async (t) => {
  const file = join(await temporaryFolder(t), "kinds.safetensors");
  const floats = Float32Array.of(0, -1.5, 0.333251953125, 65504);
  const tensors: TensorToWrite[] = [
    { name: "f32", dtype: "F32", shape: [2, 2], data: floats },
    { name: "f16", dtype: "F16", shape: [4], data: floats },
    { name: "bf16", dtype: "BF16", shape: [4], data: Float32Array.of(1, -2, 0.5, 3e38) },
    { name: "bf16.bits", dtype: "BF16", shape: [1], data: Uint16Array.of(0x3f80) },
    { name: "f64", dtype: "F64", shape: [4], data: floats },
    { name: "i64", dtype: "I64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 62n) },
    { name: "u64", dtype: "U64", shape: [1], data: BigUint64Array.of(2n ** 63n) },
    { name: "i32", dtype: "I32", shape: [1], data: Int32Array.of(-7) },
    { name: "u32", dtype: "U32", shape: [1], data: Uint32Array.of(4e9) },
    { name: "i16", dtype: "I16", shape: [1], data: Int16Array.of(-300) },
    { name: "u16", dtype: "U16", shape: [1], data: Uint16Array.of(65535) },
    { name: "i8", dtype: "I8", shape: [3], data: Int8Array.of(-128, 0, 127) },
    { name: "u8", dtype: "U8", shape: [1], data: Uint8Array.of(255) },
    { name: "bool", dtype: "BOOL", shape: [2], data: Uint8Array.of(0, 1) },
    { name: "empty", dtype: "F32", shape: [0, 5], data: new Float32Array(0) },
    { name: "scalar", dtype: "F32", shape: [], data: Float32Array.of(9) },
  ];
  await writeSafetensors(file, tensors, { note: "ü" });
  const { tensors: stored, metadata } = await readSafetensorsHeader(file);
  assert.equal(metadata.note, "ü");
  assert.deepEqual([...stored.keys()], tensors.map(({ name }) => name));
  for (const { name, shape, dtype, data } of tensors) {
    assert.deepEqual([...stored.get(name)!.shape], shape);
    assert.equal(stored.get(name)!.dtype, dtype);
    if (name === "bf16") assert.deepEqual([...await readFloats(stored.get(name)!)].slice(0, 3), [1, -2, 0.5]);
    else if (name === "bf16.bits") assert.deepEqual(await readTensor(stored.get(name)!), Float32Array.of(1));
    else assert.deepEqual(await readTensor(stored.get(name)!), data, name);
  }
  const first = [...stored.values()].reduce((least, { offset }) => Math.min(least, offset), Infinity);
  assert.equal(first % 8, 0, "data are aligned to 8 bytes");
});

test("a tensor may be written in chunks and is read in chunks", async (t) => {
  const file = join(await temporaryFolder(t), "chunks.safetensors");
  const values = Float32Array.from({ length: 1001 }, (_, i) => i / 8);
  async function* parts() {
    for (let i = 0; i < values.length; i += 100) yield values.subarray(i, i + 100);
  }
  await writeSafetensors(file, [
    { name: "pad", dtype: "U8", shape: [3], data: () => Uint8Array.of(1, 2, 3) },
    { name: "w", dtype: "F32", shape: [7, 143], data: parts },
    { name: "h", dtype: "F16", shape: [1001], data: async () => values },
  ]);
  const { tensors } = await readSafetensorsHeader(file);
  for (const name of ["w", "h"]) {
    assert.deepEqual(await readTensor(tensors.get(name)!), values, name);
    const sizes: number[] = [];
    const read: number[] = [];
    for await (const chunk of readFloatChunks(tensors.get(name)!, 256)) {
      sizes.push(chunk.length);
      read.push(...chunk);
    }
    assert.deepEqual(sizes, [256, 256, 256, 233], name);
    assert.deepEqual(read, [...values], name);
  }
  const hash = createHash("sha256");
  for await (const bytes of readBytes(tensors.get("w")!, 17)) hash.update(bytes);
  assert.equal(hash.digest("hex"), createHash("sha256").update(Buffer.from(values.buffer)).digest("hex"));
  assert.deepEqual(await readByteRange(tensors.get("pad")!, 1, 2), Uint8Array.of(2, 3));
  await assert.rejects(readByteRange(tensors.get("pad")!, 2, 2), /byte range: 2\.\.4 \(tensor pad has 3 bytes\)/);
  await assert.rejects(readFloats(tensors.get("pad")!), /tensor pad: dtype U8/);
});

test("links are resolved, so that the location is that of the bytes", async (t) => {
  const folder = await temporaryFolder(t);
  await writeSafetensors(join(folder, "blob"), [{ name: "a", dtype: "F32", shape: [1], data: Float32Array.of(3) }]);
  await symlink(join(folder, "blob"), join(folder, "model.safetensors"));
  const { tensors } = await readSafetensorsHeader(join(folder, "model.safetensors"));
  assert.ok(tensors.get("a")!.file.endsWith("/blob"));
});

const damaged: [string, Buffer, RegExp][] = [
  ["shorter than its length prefix", Buffer.alloc(5), /5 bytes \(truncated/],
  ["a header longer than the file", rawSafetensors({ a: f32(0, 4) }, 4, 10_000), /header of 10000 bytes in a file of \d+ bytes/],
  ["an absurd header length", Buffer.alloc(64, 255), /header of 18446744073709551615 bytes in a file of 64 bytes/],
  ["bad JSON", rawSafetensors('{"a": ', 4), /header is not JSON/],
  ["a header that is not UTF-8", Buffer.concat([rawSafetensors("", 0, 3), Buffer.from([0x22, 0xff, 0x22])]), /not UTF-8/],
  ["a header that is a list", rawSafetensors("[]", 0), /not a JSON object/],
  ["truncated data", rawSafetensors({ a: f32(0, 4), b: f32(4, 12) }, 8), /tensor b: ends at byte \d+ of a file of \d+ bytes/],
  ["overlapping tensors", rawSafetensors({ a: f32(0, 8), b: f32(4, 12) }, 12), /tensor b: overlaps tensor a by 4 bytes/],
  ["a gap between tensors", rawSafetensors({ a: f32(0, 4), b: f32(8, 12) }, 12), /tensor b: 4 unused bytes before it, after tensor a/],
  ["bytes after the last tensor", rawSafetensors({ a: f32(0, 4) }, 6), /2 unused bytes at its end, after tensor a/],
  ["a wrong byte length", rawSafetensors({ a: f32(0, 12, [2, 2]) }, 12), /tensor a: 12 bytes \(F32 \[2, 2\] takes 16\)/],
  ["a duplicate name", rawSafetensors('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8), /tensor a appears twice/],
  ["an unknown dtype", rawSafetensors({ a: { dtype: "F6_E2M3", shape: [4], data_offsets: [0, 4] } }, 4), /tensor a: dtype "F6_E2M3" \(supported: F64, F32/],
  ["a dtype that objects inherit", rawSafetensors({ a: { dtype: "toString", shape: [4], data_offsets: [0, 4] } }, 4), /tensor a: dtype "toString"/],
  ["a negative size", rawSafetensors({ a: { dtype: "F32", shape: [-1], data_offsets: [0, 4] } }, 4), /tensor a: shape \[-1\]/],
  ["no shape", rawSafetensors({ a: { dtype: "F32", data_offsets: [0, 4] } }, 4), /tensor a: shape missing/],
  ["offsets backwards", rawSafetensors({ a: { dtype: "F32", shape: [1], data_offsets: [4, 0] } }, 4), /tensor a: data_offsets \[4,0\]/],
  ["an entry that is no object", rawSafetensors({ a: 5 }, 0), /tensor a: 5 \(must be an object/],
  ["metadata that are no strings", rawSafetensors({ __metadata__: { step: 5 } }, 0), /__metadata__ step: 5 \(must be a string\)/],
];
for (const [what, bytes, message] of damaged) {
  test(`refuses ${what}, naming the file`, async (t) => {
    const file = join(await temporaryFolder(t), "bad.safetensors");
    await writeFile(file, bytes);
    await assert.rejects(readSafetensorsHeader(file), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(error.message.includes(file), error.message);
      return true;
    });
  });
}

test("a key inside metadata or a tensor does not count as a duplicate", async (t) => {
  const file = join(await temporaryFolder(t), "nested.safetensors");
  await writeFile(file, rawSafetensors({ __metadata__: { a: '{"b":1', dtype: "x\\\"" }, a: f32(0, 4), b: f32(4, 8) }, 8));
  assert.equal((await readSafetensorsHeader(file)).tensors.size, 2);
});

test("a missing file, and one truncated after its header was read, are named", async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(readSafetensorsHeader(join(folder, "none.safetensors")), /none\.safetensors \(no such file\)/);
  const file = join(folder, "a.safetensors");
  await writeSafetensors(file, [{ name: "a", dtype: "F32", shape: [100], data: new Float32Array(100) }]);
  const { tensors } = await readSafetensorsHeader(file);
  await truncate(file, (await stat(file)).size - 1);
  await assert.rejects(readTensor(tensors.get("a")!), /ends inside tensor a/);
});

test("a write that fails leaves no file, and an old one as it was", async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, "a.safetensors");
  const bad: [TensorToWrite[], RegExp][] = [
    [[{ name: "a", dtype: "F32", shape: [3], data: new Float32Array(2) }], /tensor a: 8 bytes of data \(F32 \[3\] takes 12\)/],
    [[{ name: "a", dtype: "F32", shape: [1], data: new Float32Array(2) }], /tensor a: more than 4 bytes of data/],
    [[{ name: "a", dtype: "I32", shape: [1], data: new Float32Array(1) }], /tensor a: Float32Array for I32 \(must be Int32Array or raw bytes\)/],
    [[{ name: "a", dtype: "F32", shape: [1.5], data: new Float32Array(1) }], /tensor a: shape \[1\.5\]/],
    [[{ name: "a", dtype: "F9" as "F32", shape: [1], data: new Float32Array(1) }], /tensor a: dtype F9/],
    [[0, 0].map(() => ({ name: "a", dtype: "F32" as const, shape: [1], data: new Float32Array(1) })), /tensor a \(name taken\)/],
    [[{ name: "a", dtype: "F32", shape: [1], data: () => { throw new Error("source broke"); } }], /source broke/],
  ];
  for (const [tensors, message] of bad) {
    await assert.rejects(writeSafetensors(file, tensors), message);
    assert.deepEqual(await readdir(folder), []);
  }
  await writeSafetensors(file, [{ name: "a", dtype: "F32", shape: [1], data: Float32Array.of(7) }]);
  const before = await readFile(file);
  await assert.rejects(writeSafetensors(file, bad[0]![0]), /8 bytes of data/);
  assert.deepEqual(await readFile(file), before);
  assert.deepEqual(await readdir(folder), ["a.safetensors"]);
});

test("whatever bytes are damaged, the file is read or refused by name", async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, "a.safetensors");
  await writeSafetensors(file, [
    { name: "a", dtype: "F32", shape: [2, 3], data: new Float32Array(6) },
    { name: "b", dtype: "I64", shape: [1], data: BigInt64Array.of(1n) },
  ], { key: "value" });
  const whole = await readFile(file);
  const headerEnd = 8 + whole.readUInt32LE(0);
  let state = 99;
  const random = (n: number) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % n;
  let refused = 0;
  for (let round = 0; round < 600; round++) {
    const bytes = Buffer.from(whole);
    for (let i = 0; i <= round % 3; i++) bytes[random(headerEnd)] = round % 2 ? random(256) : '{}[],:"0123456789'.charCodeAt(random(17));
    await writeFile(file, round % 5 ? bytes : bytes.subarray(0, random(whole.length)));
    try {
      for (const tensor of (await readSafetensorsHeader(file)).tensors.values()) await readTensor(tensor);
    } catch (error) {
      refused++;
      assert.ok((error as Error).message.startsWith(file), (error as Error).stack);
    }
  }
  assert.ok(refused > 300, `${refused}`);
});
