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
