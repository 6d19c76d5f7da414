import assert from "node:assert/strict";
import { test } from "node:test";
import type { UserMethod } from "../../../lib/methods/method.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { planTokens } from "../../../lib/methods/plan/plan.js";
import { presets } from "../../../lib/methods/sdtp.js";

const own: UserMethod = { name: "mine", stages: [{ afterBlock: 2, ratio: 0.5 }, { afterBlock: 5, ratio: 1 }], baseDepth: 8 };
const invalid = (fields: object) => () => resolveMethod({ ...own, ...fields } as UserMethod);

test("every shipped preset is found by its name and passes its own validation", () => {
  assert.deepEqual(Object.keys(presets), ["baseline", "keep09", "keep08", "keep07", "sdtp", "sdtp-low", "cascade09", "cascade08", "cascade07"]);
  for (const [name, preset] of Object.entries(presets)) {
    assert.equal(preset.name, name);
    assert.equal(resolveMethod(name), preset);
    assert.deepEqual(resolveMethod(preset), preset);
  }
});

test("single-stage presets evict and multi-stage presets retain, unless overridden", () => {
  for (const preset of Object.values(presets)) assert.equal(preset.kvPolicy, preset.stages.length > 1 ? "retain" : "evict");
  assert.equal(resolveMethod({ ...presets.keep07, kvPolicy: "retain" }).kvPolicy, "retain");
  assert.equal(resolveMethod(own).kvPolicy, "retain");
});

test("shipped presets cannot be changed by accident", () => {
  assert.throws(() => ((presets.keep07.stages[0] as { ratio: number }).ratio = 0.1), TypeError);
});

test("a user's preset is completed and copied", () => {
  const { name: _, ...nameless } = own;
  const resolved = resolveMethod(nameless);
  assert.deepEqual(resolved, { name: "custom", stages: own.stages, baseDepth: 8, kvPolicy: "retain" });
  assert.notEqual(resolved.stages, own.stages);
});

test("what is wrong with a preset is named with its value", () => {
  assert.throws(() => resolveMethod("sdtq"), /^Error: preset: sdtq \(known: baseline, keep09, .*any keepNN, .*or stages as in/);
  assert.throws(() => resolveMethod("toString"), /preset: toString/);
  assert.throws(() => resolveMethod(null as unknown as UserMethod), /preset: null/);
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

test("keepNN and cascadeNN take any share, and stages may be written out", () => {
  assert.deepEqual(resolveMethod("keep05").stages, [{ afterBlock: 4, ratio: 0.5 }]);
  assert.deepEqual(resolveMethod("keep50").stages, resolveMethod("keep05").stages);
  assert.deepEqual(resolveMethod("keep085").stages, [{ afterBlock: 4, ratio: 0.85 }]);
  assert.equal(resolveMethod("keep05").kvPolicy, "evict");
  assert.deepEqual(resolveMethod("cascade06").stages.map(({ ratio }) => ratio), Array<number>(8).fill(0.6));
  for (const name of ["keep00", "keep5", "keep0", "keep12345"]) assert.throws(() => resolveMethod(name), new RegExp(`preset: ${name} \\(known: `));
  assert.deepEqual(resolveMethod("4:0.7,16:0.5/30"), { name: "4-0.7_16-0.5_of30", stages: [{ afterBlock: 4, ratio: 0.7 }, { afterBlock: 16, ratio: 0.5 }], baseDepth: 30, kvPolicy: "retain" });
  assert.deepEqual(resolveMethod("15:2048"), { name: "15-2048_of32", stages: [{ afterBlock: 15, tokens: 2048 }], baseDepth: 32, kvPolicy: "evict" });
  assert.throws(() => resolveMethod("4:0.7,x"), /preset: "x" in 4:0.7,x \(must be BLOCK:SHARE/);
  assert.throws(() => resolveMethod("4:0"), /ratio: 0 \(must be above 0/);
  assert.throws(() => resolveMethod("4:1.5"), /tokens: 1\.5 \(must be a positive integer/);
  assert.throws(() => resolveMethod("31:0.5/30"), /afterBlock: 31 \(must be an integer from 0 to 29\)/);
  assert.throws(() => resolveMethod("4:0.5/x"), /after the slash/);
  assert.throws(() => resolveMethod("9:0.5,4:0.5"), /must come after/);
  // A name of a family stands for one method alone.
  assert.throws(() => resolveMethod({ ...own, name: "keep05" }), /is a shipped preset with other stages/);
});

test("stages may keep a number of tokens, and other tokens may be forced", () => {
  const counts = (n: number) => planTokens(resolveMethod({ ...own, stages: [{ afterBlock: 2, tokens: 300 }], forced: { head: 2, tail: 8, tailShare: 0 } }), n, 8).stages[0];
  assert.deepEqual(counts(1000), { afterLayer: 2, present: 1000, keep: 300, head: 2, tail: 8 });
  assert.deepEqual(counts(200), { afterLayer: 2, present: 200, keep: 200, head: 2, tail: 8 });
  assert.throws(invalid({ stages: [{ afterBlock: 2, tokens: 0 }] }), /stage 0, tokens: 0 \(must be a positive integer\)/);
  assert.throws(invalid({ stages: [{ afterBlock: 2, tokens: 3, ratio: 1 }] }), /stage 0: both a ratio and a number/);
  assert.throws(invalid({ forced: { head: -1, tail: 0, tailShare: 0 } }), /forced\.head: -1/);
  assert.throws(invalid({ forced: { head: 1, tail: 0, tailShare: 2 } }), /forced\.tailShare: 2/);
  assert.throws(invalid({ stagess: [] }), /preset mine: stagess \(is no part of a method/);
});
