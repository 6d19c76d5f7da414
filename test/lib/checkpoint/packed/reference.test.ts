// The same files through the methods' own code (see test/reference/packed/make.py): every value equal.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";
import type { Method } from "../../../../lib/checkpoint/packed/method.js";
import { unpack } from "../../../../lib/checkpoint/packed/open.js";
import { readFloats, readSafetensorsHeader } from "../../../../lib/checkpoint/safetensors.js";
import type { StoredTensor } from "../../../../lib/checkpoint/types.js";
import { allValues } from "../../../../lib/checkpoint/values.js";

const { tensors: all } = await readSafetensorsHeader(join(packageRoot(), "test", "reference", "packed", "reference.safetensors"));
const where = "the reference";

function methodOf(label: string): Method {
  const [kind, bits, group] = label.split(".") as [string, string, string];
  const groupSize = group === "-1" ? null : Number(group);
  switch (kind) {
    case "gptq": return { kind, settings: { bits: Number(bits), groupSize, version: 1, varied: false, ordered: label.endsWith("mixed"), where } };
    case "awq": return { kind, settings: { groupSize, where } };
    case "fp8": return { kind, settings: { block: [16, 32], where } };
    default: return { kind: "compressed", settings: { bits: [Number(bits)], groupSizes: [groupSize], block: null, where } };
  }
}

const labels = [...all.keys()].filter((name) => name.endsWith(".dense")).map((name) => name.slice(0, -".dense".length));
assert.equal(labels.length, 21);
for (const label of labels) {
  test(label, async (t) => {
    const cacheFolder = mkdtempSync(join(tmpdir(), "sdtp-packed-"));
    t.after(() => rmSync(cacheFolder, { recursive: true, force: true }));
    const parts = new Map<string, StoredTensor>();
    for (const [name, tensor] of all) if (name.startsWith(`${label}.`) && !name.endsWith(".dense")) parts.set(name.replace(label, "m"), { ...tensor, name: name.replace(label, "m") });
    const { tensors } = await unpack(methodOf(label), parts, "reference", { cacheFolder });
    assert.deepEqual([...tensors.keys()], ["m.weight"]);
    const [found, expected] = [await allValues(tensors.get("m.weight")!), await readFloats(all.get(`${label}.dense`)!)];
    const at = expected.findIndex((value, i) => value !== found[i]);
    assert.equal(at, -1, `element ${at} is ${found[at]}, not ${expected[at]}`);
  });
}

test("mxfp4: a matrix for each expert, gate and up apart", async (t) => {
  const cacheFolder = mkdtempSync(join(tmpdir(), "sdtp-packed-"));
  t.after(() => rmSync(cacheFolder, { recursive: true, force: true }));
  const parts = new Map<string, StoredTensor>();
  for (const kind of ["blocks", "scales"]) {
    const name = `m.experts.gate_up_proj_${kind}`;
    parts.set(name, { ...all.get(`mxfp4.gate_up_proj_${kind}`)!, name });
  }
  const { tensors, dtype } = await unpack({ kind: "mxfp4", settings: { where } }, parts, "reference", { cacheFolder });
  assert.equal(dtype, "int8 (mxfp4)");
  const stored = all.get("mxfp4.values")!;
  const expected = await readFloats(stored);
  const [experts, inputs, rows] = stored.shape as [number, number, number];
  assert.deepEqual([...tensors.keys()].sort(), ["m.experts.0.gate_proj.weight", "m.experts.0.up_proj.weight", "m.experts.1.gate_proj.weight", "m.experts.1.up_proj.weight"]);
  for (let expert = 0; expert < experts; expert++) {
    for (const [first, part] of ["gate_proj", "up_proj"].entries()) {
      const found = await allValues(tensors.get(`m.experts.${expert}.${part}.weight`)!);
      found.forEach((value, at) => {
        const [row, column] = [Math.floor(at / inputs), at % inputs];
        assert.equal(value, expected[(expert * inputs + column) * rows + 2 * row + first]! + 0, `${part} ${expert} ${row} ${column}`);
      });
    }
  }
});
