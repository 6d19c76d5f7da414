import assert from "node:assert/strict";
import { test } from "node:test";
import { presets, resolvePreset, type UserPreset } from "../../../lib/methods/method.js";

const own: UserPreset = { name: "mine", stages: [{ afterBlock: 2, ratio: 0.5 }, { afterBlock: 5, ratio: 1 }], baseDepth: 8 };
const invalid = (fields: object) => () => resolvePreset({ ...own, ...fields } as UserPreset);

test("every shipped preset is found by its name and passes its own validation", () => {
  assert.deepEqual(Object.keys(presets), ["baseline", "keep09", "keep08", "keep07", "sdtp", "sdtp-low", "cascade09", "cascade08", "cascade07"]);
  for (const [name, preset] of Object.entries(presets)) {
    assert.equal(preset.name, name);
    assert.equal(resolvePreset(name), preset);
    assert.deepEqual(resolvePreset(preset), preset);
  }
});

test("single-stage presets evict and multi-stage presets retain, unless overridden", () => {
  for (const preset of Object.values(presets)) assert.equal(preset.kvPolicy, preset.stages.length > 1 ? "retain" : "evict");
  assert.equal(resolvePreset({ ...presets.keep07, kvPolicy: "retain" }).kvPolicy, "retain");
  assert.equal(resolvePreset(own).kvPolicy, "retain");
});

test("shipped presets cannot be changed by accident", () => {
  assert.throws(() => ((presets.keep07.stages[0] as { ratio: number }).ratio = 0.1), TypeError);
});

test("a user's preset is completed and copied", () => {
  const { name: _, ...nameless } = own;
  const resolved = resolvePreset(nameless);
  assert.deepEqual(resolved, { name: "custom", stages: own.stages, baseDepth: 8, kvPolicy: "retain" });
  assert.notEqual(resolved.stages, own.stages);
});

test("what is wrong with a preset is named with its value", () => {
  assert.throws(() => resolvePreset("keep06"), /^Error: preset: keep06 \(known: baseline, keep09, /);
  assert.throws(() => resolvePreset("toString"), /preset: toString/);
  assert.throws(() => resolvePreset(null as unknown as UserPreset), /preset: null/);
  assert.throws(invalid({ name: "../up" }), /preset name: "\.\.\/up" \(must be letters/);
  assert.throws(invalid({ name: "keep07" }), /preset name: keep07 \(is a shipped preset with other stages/);
  assert.throws(invalid({ baseDepth: 0 }), /preset mine, baseDepth: 0/);
  assert.throws(invalid({ baseDepth: 5 }), /stage 1, afterBlock: 5 \(must be an integer from 0 to 4\)/);
  assert.throws(invalid({ stages: "x" }), /preset mine, stages: "x"/);
  assert.throws(invalid({ stages: [7] }), /stage 0: 7/);
  assert.throws(invalid({ stages: [{ afterBlock: 1.5, ratio: 0.5 }] }), /stage 0, afterBlock: 1\.5/);
  assert.throws(invalid({ stages: [{ afterBlock: 1, ratio: 0 }] }), /stage 0, ratio: 0 \(must be above 0 and at most 1\)/);
  assert.throws(invalid({ stages: [{ afterBlock: 1, ratio: 1.01 }] }), /stage 0, ratio: 1\.01/);
  assert.throws(invalid({ stages: [{ afterBlock: 1, ratio: Number.NaN }] }), /stage 0, ratio: NaN/);
  assert.throws(invalid({ stages: [{ afterBlock: 3, ratio: 1 }, { afterBlock: 3, ratio: 1 }] }), /stage 1, afterBlock: 3 \(must come after/);
  assert.throws(invalid({ kvPolicy: "drop" }), /kvPolicy: drop/);
});
