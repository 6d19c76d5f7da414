import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accepted, controlsOf, stepsOf } from "../../../lib/control/spec.js";
import { allStates, stateKey } from "../../../lib/control/states.js";
import { control } from "../../../lib/control/index.js";

describe("controls as they are described", () => {
  it("say everything, whatever was left out", () => {
    assert.deepEqual(controlsOf({ keep: { min: 0.5, max: 1, step: 0.05 }, layers: { min: 2, max: 9, value: 4 }, scorer: ["norm", "learned"], n: 3, name: "a", on: true, go: { button: "Go" } }), [
      { name: "keep", label: "keep", kind: "slider", min: 0.5, max: 1, step: 0.05, value: 0.5 },
      { name: "layers", label: "layers", kind: "slider", min: 2, max: 9, step: 1, value: 4 },
      { name: "scorer", label: "scorer", kind: "choice", choices: ["norm", "learned"], value: "norm" },
      { name: "n", label: "n", kind: "number", value: 3 },
      { name: "name", label: "name", kind: "text", lines: 1, value: "a" },
      { name: "on", label: "on", kind: "checkbox", value: true },
      { name: "go", label: "Go", kind: "button", value: 0 },
    ]);
  });

  it("a slider's values have no noise of adding, and any value goes to its nearest", () => {
    const [slider] = controlsOf({ keep: { min: 0, max: 0.3, step: 0.1 } });
    assert.deepEqual(stepsOf(slider as never), [0, 0.1, 0.2, 0.3]);
    assert.equal(accepted(slider!, 0.26), 0.3);
    const [uneven] = controlsOf({ x: { min: 0, max: 1, step: 0.3 } });
    assert.deepEqual(stepsOf(uneven as never), [0, 0.3, 0.6, 0.9]);
    assert.equal(accepted(uneven!, 1), 0.9);
  });

  const refused: [unknown, RegExp][] = [
    [undefined, /^control: undefined \(must be an object that names each control/],
    [{}, /^control: \{\} \(must name at least one control/],
    [{ scorer: [] }, /^control scorer: \[\] \(must have at least one choice\)$/],
    [{ scorer: ["a", "a"] }, /^control scorer: choice "a" \(must be .* there once\)$/],
    [{ scorer: [{}] }, /^control scorer: choice \{\} /],
    [{ scorer: { choices: ["a"], value: "b" } }, /^control scorer: "b" \(must be one of "a"\)$/],
    [{ keep: { min: 1, max: 0.5 } }, /^control keep: min 1, max 0\.5 \(min must be below max\)$/],
    [{ keep: { min: 0, max: 0 } }, /min must be below max/],
    [{ keep: { min: 0, max: 1, step: 0 } }, /^control keep: step 0 \(must be above 0 and at most max - min, 1\)$/],
    [{ keep: { min: 0, max: 1, step: 2 } }, /^control keep: step 2 /],
    [{ keep: { min: NaN, max: 1 } }, /^control keep: min NaN \(must be a number\)$/],
    [{ keep: { min: 0, max: 1, value: 3 } }, /^control keep: 3 \(must be a number from 0 to 1\)$/],
    [{ keep: { min: 0, max: 1, stp: 0.1 } }, /^control keep: stp \(is no setting of a slider, which has min, max, step, value, label\)$/],
    [{ keep: { from: 0, to: 1 } }, /^control keep: \{"from":0,"to":1\} \(must be \{min, max\}, a list of choices/],
    [{ keep: null }, /^control keep: null \(must be/],
    [{ keep: () => 1 }, /^control keep: a function \(must be/],
    [{ n: { number: 5, max: 3 } }, /^control n: 5 \(must be a number from -Infinity to 3\)$/],
    [{ n: { number: 5, min: 9, max: 3 } }, /^control n: min 9, max 3 /],
    [{ t: { text: "a", lines: 0 } }, /^control t: lines 0 /],
    [{ on: { checked: "yes" } }, /^control on: checked "yes" /],
    [{ go: { button: 3 } }, /^control go: label 3 \(must be a string\)$/],
  ];
  for (const [specs, message] of refused) it(`refuses ${JSON.stringify(specs) ?? "nothing"} in one sentence`, () => assert.throws(() => controlsOf(specs), { message }));

  it("refuses what is no view, what has no end to compute beforehand, and too many states", () => {
    assert.throws(() => control({ n: 1 }, undefined as never), { message: "control: view is undefined (must be a function of the values)" });
    assert.throws(() => control({ n: 1 }, () => 1, { precompute: true }), /^Error: control n: a number \(precompute: true needs controls with a set of values/);
    assert.throws(() => control({ a: { min: 0, max: 100 }, b: { min: 0, max: 100 } }, () => 1, { precompute: true }), /makes 10201 states of a \(101\), b \(101\) \(must be at most 1000/);
    assert.throws(() => control({ n: 1 }, () => 1), { message: "control: no notebook (controls work in a cell)" });
  });

  it("every combination is a state with a name of its own", () => {
    const controls = controlsOf({ keep: { min: 0, max: 1, step: 0.5 }, on: false, scorer: ["x", 2] });
    const states = allStates(controls);
    assert.equal(states.length, 12);
    assert.equal(new Set(states.map((state) => stateKey(controls, state))).size, 12);
    assert.equal(stateKey(controls, { keep: 0.5, on: true, scorer: 2 }), "1,1,1");
  });
});
