// Every operator beside the CPU's, with devices that get one of them wrong: the CPU itself, spoilt.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Tensor } from "onnxruntime-node";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { difference, OperatorCheck, wrongOperators } from "../../../../lib/runtime/devices/operators.js";
import { hostHome } from "../../../../lib/runtime/home.js";
import { Model } from "../../../../lib/runtime/model.js";
import { openSession } from "../../../../lib/runtime/session.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";

const tiny = tinyCheckpoint("llama");
after(tiny.remove);
const checkpoint = await openCheckpoint(tiny.folder, {});
const ids = Array.from({ length: 40 }, (_, i) => (i * 37) % 250);

/** A pruned prompt and a step, on a device that spoils what operators give whose outputs are named so. */
async function checked(start: string, spoil: (data: Float32Array) => void): Promise<OperatorCheck> {
  const check = new OperatorCheck();
  const model = new Model(checkpoint, { threads: 1 }, check.home(hostHome(), "cpu", async (model, settings) => {
    const session = await openSession(model, settings);
    return { inputNames: session.inputNames, outputNames: session.outputNames, release: () => session.release(), run: async (...args) => {
      const results = await session.run(...args);
      for (const [name, { data }] of Object.entries(results)) if (new RegExp(`^${start}(_\\d+)?$`).test(name) && data instanceof Float32Array) spoil(data);
      return results;
    } };
  }));
  const run = await model.prefill(ids, { preset: "keep07", scorer: "norm", reserve: 1 });
  await run.extend([5]);
  run.dispose();
  await model.release();
  return check;
}

test("a device that is right has every operator right, of prompts and of steps", async () => {
  const check = await checked("nothing", () => {});
  const { records } = check;
  assert.deepEqual(wrongOperators(records), []);
  assert.ok(records.every(({ worst, ties }) => worst === 0 && ties === 0));
  const names = records.map(({ operator }) => operator);
  for (const name of ["com.microsoft.GroupQueryAttention (float32)", "com.microsoft.FusedMatMul (float32)", "TopK (float32)", "Softmax (float32)"]) assert.ok(names.includes(name), `${name} of ${names.join(", ")}`);
});

test("an operator that is wrong is named, and none that only got its numbers", async () => {
  const check = await checked("groupqueryattention", (data) => (data[0]! += 1));
  assert.deepEqual(wrongOperators(check.records).map((text) => text.split(" by ")[0]), ["com.microsoft.GroupQueryAttention (float32)"]);
  const none = await checked("softmax", (data) => (data[3] = NaN));
  assert.match(wrongOperators(none.records).join(), /^Softmax \(float32\) by Infinity of its largest number$/);
});

test("what is a little off is within rounding, as a share of the largest number", () => {
  const of = (...values: number[]) => new Tensor("float32", Float32Array.from(values), [values.length]);
  assert.ok(Math.abs(difference(of(100, 1), of(100, 1.05)) - 5e-4) < 1e-6);
  assert.equal(difference(of(-Infinity, 2), of(-Infinity, 2)), 0);
  assert.equal(difference(of(1, 2), of(1, NaN)), Infinity);
  assert.equal(difference(of(1, 2), of(1)), Infinity);
  const half = (...bits: number[]) => new Tensor("float16", Uint16Array.from(bits), [bits.length]);
  // 1 and the next number after it.
  assert.equal(difference(half(0x3c00), half(0x3c01)), 2 ** -10);
});
