// ONNX Runtime's C API through koffi: the same numbers, errors as errors, runs that stop, releases that wait.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { choose } from "../../../../lib/runtime/c-api/backend.js";
import { openLibrary } from "../../../../lib/runtime/c-api/library.js";
import { CApiSession } from "../../../../lib/runtime/c-api/session.js";
import { addAndPick, count, counting, float32, FOREVER, int64 } from "./graphs.js";

const library = await openLibrary();
const opened: CApiSession[] = [];
after(() => Promise.all(opened.map((session) => session.release())));

async function open(onnx: Uint8Array): Promise<CApiSession> {
  const session = await CApiSession.open(library, onnx, { threads: 1 });
  opened.push(session);
  return session;
}

test("inputs and outputs, by name, type, shape and number, are those of onnxruntime-node", async () => {
  const onnx = addAndPick();
  const session = await open(onnx);
  const binding = await InferenceSession.create(onnx);
  assert.deepEqual([session.inputNames, session.outputNames], [[...binding.inputNames], [...binding.outputNames]]);
  for (const [n, rows] of [[3, [2, 0]], [1, [0, 0, 0]], [5000, [4999]], [2, []], [0, []]] as const) {
    const feeds = { x: float32(Array.from({ length: n * 2 }, (_, i) => Math.sin(i)), [n, 2]), rows: int64(rows, [rows.length]) };
    const [a, b] = [await session.run(feeds), await binding.run(feeds)];
    assert.deepEqual(Object.keys(a), Object.keys(b));
    for (const [name, { type, dims, data }] of Object.entries(a)) assert.deepEqual({ type, dims: [...dims], data }, { type: b[name]!.type, dims: [...b[name]!.dims], data: b[name]!.data }, `${name} of ${n} rows`);
  }
  assert.deepEqual(Object.keys(await session.run({ x: float32([1, 2], [1, 2]), rows: int64([0], [1]) }, ["picked"])), ["picked"]);
});

test("what is wrong with a graph, a feed or a name is an error that says so, and the session goes on", async () => {
  await assert.rejects(open(Uint8Array.of(1, 2, 3)), /protobuf/i);
  const session = await open(addAndPick());
  const feeds = { x: float32([1, 2], [1, 2]), rows: int64([0], [1]) };
  await assert.rejects(session.run({ x: feeds.x }), /input 'rows' is missing/);
  await assert.rejects(session.run({ ...feeds, rows: float32([0], [1]) }), /rows.*type|type.*float/is);
  await assert.rejects(session.run({ ...feeds, rows: int64([7], [1]) }), /indices element out of data bounds/);
  await assert.rejects(session.run({ ...feeds, x: float32([1, 2], [2]) }), /rank/i);
  await assert.rejects(session.run({ ...feeds, x: new Tensor("string", ["a", "b"], [1, 2]) as Tensor }), /tensor x: string \(must be of numbers\)/);
  await assert.rejects(session.run(feeds, ["z"]), /output 'z' is not one of the graph's: y, picked, rows\.again/);
  assert.deepEqual([...((await session.run(feeds))["y"]!.data as Float32Array)], [2, 3]);
});

test("an output is written into the array that is given for it, again and again, and is not among what is returned", async () => {
  const session = await open(addAndPick());
  const into = { y: float32([0, 0, 0, 0], [2, 2]) };
  for (const base of [1, 10, 100]) {
    const results = await session.run({ x: float32([base, 2, 3, 4], [2, 2]), rows: int64([1], [1]) }, undefined, { into });
    assert.deepEqual(Object.keys(results), ["picked", "rows.again"]);
    assert.deepEqual([...(into.y.data as Float32Array)], [base + 1, 3, 4, 5]);
    assert.deepEqual([...(results["picked"]!.data as Float32Array)], [3, 4]);
  }
  await assert.rejects(session.run({ x: float32([1, 2], [1, 2]), rows: int64([0], [1]) }, undefined, { into }), /shape|size/i);
});

test("a run that would never end is stopped by its signal; the event loop is free meanwhile, other runs go on, and the session is right afterwards", async () => {
  const session = await open(counting());
  const controller = new AbortController();
  let over = false;
  const endless = session.run(count(FOREVER), ["end"], { signal: controller.signal }).finally(() => (over = true));
  endless.catch(() => {});
  for (let ticks = 0; ticks < 20; ticks++) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual([...((await session.run(count(5)))["end"]!.data as Float32Array)], [5]);
  assert.equal(over, false);
  controller.abort(new Error("enough"));
  await assert.rejects(endless, { message: "enough" });
  assert.deepEqual([...((await session.run(count(1000)))["end"]!.data as Float32Array)], [1000]);
  await assert.rejects(session.run(count(FOREVER), ["end"], { signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("a release waits for the run under way, and refuses those that come after", async () => {
  const session = await open(counting());
  const controller = new AbortController();
  let over = false;
  const endless = session.run(count(FOREVER), ["end"], { signal: controller.signal }).finally(() => (over = true));
  endless.catch(() => {});
  let released = false;
  const release = session.release().then(() => (released = true));
  await assert.rejects(session.run(count(1)), { message: "session: it was released" });
  for (let ticks = 0; ticks < 20; ticks++) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual({ over, released }, { over: false, released: false });
  controller.abort();
  await assert.rejects(endless, { name: "AbortError" });
  await release;
  await session.release();
  await assert.rejects(session.run(count(1)), { message: "session: it was released" });
});

test("the backend is chosen by what was tried and what is asked for, and says why", async () => {
  assert.equal((await choose("c-api")).name, "c-api");
  assert.deepEqual(await choose("node"), { name: "node", library: null, why: "asked for by SDTP_BACKEND" });
  const elsewhere = await choose("auto", "sunos sparc");
  assert.deepEqual([elsewhere.name, elsewhere.why], ["node", "the C API was not tried on sunos sparc (SDTP_BACKEND=c-api takes it all the same)"]);
  await assert.rejects(choose("fast"), { message: "SDTP_BACKEND: fast (must be auto, c-api or node)" });
});
