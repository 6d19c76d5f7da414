// Every quantised type against the numbers of ggml's own Python dequantiser: test/reference/gguf/formats.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { formats, fromGgml } from "../../../../lib/checkpoint/gguf/blocks.js";
import { ggmlType, ggmlTypes, isPlain, typeName, type BlockType, type GgmlType } from "../../../../lib/checkpoint/gguf/types.js";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";
import { dequantizeRows } from "../../../../lib/checkpoint/quantize.js";

const reference = JSON.parse(readFileSync(join(packageRoot(), "test", "reference", "gguf", "formats.json"), "utf8")) as {
  types: Record<string, { blocks: number; bytes: string; values: string }>;
};

test("there are reference values for every type that can be read", () => {
  const quantised = (Object.keys(ggmlTypes) as GgmlType[]).filter((type) => !isPlain(type));
  assert.deepEqual(Object.keys(reference.types).sort(), [...quantised].sort());
});

for (const [name, { blocks, bytes, values }] of Object.entries(reference.types)) {
  const type = name as BlockType;
  test(`${name}: the reference's numbers to the last bit`, () => {
    const data = new Uint8Array(Buffer.from(bytes, "base64"));
    const expected = new Uint32Array(new Uint8Array(Buffer.from(values, "base64")).buffer);
    assert.equal(data.length, blocks * ggmlTypes[type].bytes);
    assert.equal(expected.length, blocks * ggmlTypes[type].block);
    const { bits, blockSize, offsets } = formats[type];
    // Every block as a row of its own, and all of them as one row.
    for (const columns of [ggmlTypes[type].block, expected.length]) {
      const rows = fromGgml(data, type);
      assert.equal(rows.offsets !== null, offsets);
      const got = dequantizeRows(rows, columns, bits, blockSize);
      const words = new Uint32Array(got.buffer);
      const floats = new Float32Array(expected.buffer);
      for (let i = 0; i < expected.length; i++) {
        if (Number.isNaN(floats[i])) assert.ok(Number.isNaN(got[i]), `element ${i}: ${got[i]} is not NaN`);
        else assert.equal(words[i], expected[i], `element ${i}: ${got[i]}, not ${floats[i]}`);
      }
    }
  });
}

test("numbers of types are ggml's, and those that cannot be read have a name", () => {
  assert.deepEqual([0, 1, 2, 3, 8, 14, 39].map((code) => ggmlType(code)), ["F32", "F16", "Q4_0", "Q4_1", "Q8_0", "Q6_K", "MXFP4"]);
  assert.equal(ggmlType(16), null);
  assert.equal(typeName(16), "IQ2_XXS");
  assert.equal(typeName(77), "number 77");
});
