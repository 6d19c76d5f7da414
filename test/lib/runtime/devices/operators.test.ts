// Every kind of operator beside the CPU's, with devices that get one of them wrong: the CPU itself, spoilt.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Tensor } from "onnxruntime-node";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { difference, OperatorCheck, wrongOperators } from "../../../../lib/runtime/devices/operators.js";
import { hostHome, type Home } from "../../../../lib/runtime/home.js";
import { Model } from "../../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";

const tiny = tinyCheckpoint("llama");
after(tiny.remove);
const checkpoint = await openCheckpoint(tiny.folder, {});
const ids = Array.from({ length: 40 }, (_, i) => (i * 37) % 250);

type Spoil = (data: Float32Array | BigInt64Array) => void;

/** A device that spoils what graphs of a name give. */
const spoiling = (name: string, spoil: Spoil, output = "out.0"): Home => ({
  ...hostHome(),
  load: async (g, settings) => {
    const session = await hostHome().load(g, settings);
    if (g.name !== name) return session;
    return { inputNames: session.inputNames, outputNames: session.outputNames, release: () => session.release(), run: async (...args) => {
      const results = await session.run(...args);
      if (results[output]) spoil(results[output].data as Float32Array);
      return results;
    } };
  },
});

/** A pruned prompt and a step, or tokens from a loop. */
async function checked(device: Home, { loop = false } = {}): Promise<OperatorCheck> {
  const check = new OperatorCheck();
  const model = new Model(checkpoint, { threads: 1 }, check.home({ ...device, loop: loop ? 4 : null }, hostHome()));
  const run = await model.prefill(ids, { preset: "keep07", scorer: "norm", reserve: 4 });
  if (loop) await run.loop(3, []);
  else await run.extend([5]);
  run.dispose();
  await model.release();
  return check;
}

test("a device that is right has every operator right, of prompts, of steps and of loops", async () => {
  const { records, kinds } = await checked(hostHome());
  assert.deepEqual(wrongOperators(records, { strict: true }), []);
  assert.ok(records.every(({ worst, ties }) => worst < 1e-6 && ties === 0));
  assert.equal(records.reduce((sum, { nodes }) => sum + nodes, 0), kinds);
  const names = records.map(({ operator }) => operator);
  for (const name of ["com.microsoft.GroupQueryAttention (float32)", "com.microsoft.FusedMatMul (float32)", "TopK (float32)", "Softmax (float32)"]) assert.ok(names.includes(name), `${name} of ${names.join(", ")}`);
  // Of single rows and of many they are other kinds: prompts and steps.
  assert.ok(records.find(({ operator }) => operator === "com.microsoft.FusedMatMul (float32)")!.nodes >= 2);
  assert.ok((await checked(hostHome(), { loop: true })).records.some(({ operator }) => operator === "Loop (float32)"));
});

test("an operator that is wrong is named, and no other", async () => {
  for (const [name, spoil, expected] of [
    ["GroupQueryAttention alone", (data) => ((data as Float32Array)[0]! += 1), /^com\.microsoft\.GroupQueryAttention \(float32\), which is off by [\d.]+ of its largest number$/],
    ["Softmax alone", (data) => ((data as Float32Array)[3] = NaN), /^Softmax \(float32\), which is off by Infinity/],
    ["TopK alone", (data) => ((data as BigInt64Array)[0]! += 1n), /^TopK \(\w+\), which is off by \d/],
  ] as [string, Spoil, RegExp][]) {
    const wrong = wrongOperators((await checked(spoiling(name, spoil, name === "TopK alone" ? "out.1" : "out.0"))).records);
    assert.equal(wrong.length, 1, wrong.join());
    assert.match(wrong[0]!, expected);
  }
  const loop = wrongOperators((await checked(spoiling("decode loop", (data) => ((data as Float32Array)[0]! += 1), "logits"), { loop: true })).records);
  assert.match(loop.join(), /^Loop \(float32\), which is off by/);
});

test("one that cannot be loaded, or gives another shape, says so", async () => {
  const refusing: Home = { ...hostHome(), load: (g, settings) => (g.name === "Softmax alone" ? Promise.reject(new Error("no such kernel\nat some place")) : hostHome().load(g, settings)) };
  assert.deepEqual(wrongOperators((await checked(refusing)).records), ["Softmax (float32), which no such kernel"]);
});

test("another of equal elements than the first is told apart from a wrong one", async () => {
  // The forced tokens at both ends are all infinite: the first of them.
  const swapped = (data: Float32Array | BigInt64Array) => ([data[0], data[1]] = [data[1]!, data[0]!]);
  const { records } = await checked(spoiling("TopK alone", swapped, "out.1"));
  assert.equal(records.find(({ operator }) => operator === "TopK (float32)")!.ties, 1);
  assert.deepEqual(wrongOperators(records), []);
  assert.deepEqual(wrongOperators(records, { strict: true }), ["TopK (float32), which takes another of equal elements than the first"]);
  const twice = (data: Float32Array | BigInt64Array) => (data[0] = data[1]!);
  assert.match(wrongOperators((await checked(spoiling("TopK alone", twice, "out.1"))).records).join(), /^TopK \(float32\), which is off by/);
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
  assert.equal(difference(new Tensor("int64", BigInt64Array.of(1000n), [1]), new Tensor("int64", BigInt64Array.of(1001n), [1])), 1);
});
