import assert from "node:assert/strict";
import { test } from "node:test";
import { overlap, parsePlacement, parsePlacements, placedThreads } from "../../../lib/bench/placement.js";
import { defaultThreads } from "../../../lib/bench/environment.js";

const linux = { skip: process.platform !== "linux" && "processors are chosen by taskset" };

test("a device, a card or a set of processors by its name", linux, () => {
  assert.deepEqual(parsePlacement("cpu"), { name: "cpu", device: "cpu" });
  assert.deepEqual(parsePlacement("cuda:1"), { name: "cuda:1", device: "cuda", card: 1 });
  assert.deepEqual(parsePlacement("cpu:2-5"), { name: "cpu:2-5", device: "cpu", processors: [2, 5] });
  assert.deepEqual(parsePlacement("cpu:3"), { name: "cpu:3", device: "cpu", processors: [3, 3] });
  assert.equal(placedThreads(parsePlacement("cpu:3")), 1);
  assert.equal(placedThreads(parsePlacement("cpu")), defaultThreads());
});

test("what cannot be told apart, or shares hardware, is refused", linux, () => {
  for (const [names, message] of [
    [["gpu"], /device: gpu \(must be cpu, cuda, webgpu or openvino/], [["cuda:x"], /device: cuda:x \(must be cuda and the number of one card/], [["webgpu:1"], /device: webgpu:1 \(WebGPU does not let a card be chosen/],
    [["cpu:5-2"], /device: cpu:5-2 \(must be cpu and one processor or a range/], [["cuda:0", "cuda:0"], /devices: cuda:0 and cuda:0 \(share hardware/], [["cuda", "cuda:1"], /devices: cuda and cuda:1 \(share hardware/],
    [["cpu:0", "cpu:0-0"], /devices: cpu:0 and cpu:0-0 \(share hardware/], [["cpu:0-99999"], /device: cpu:0-99999 \(this machine has processors 0 to \d+\)/], [["cpu:$(id)"], /device: cpu:\$\(id\) \(must be/],
  ] as const) assert.throws(() => parsePlacements(names), message);
  assert.equal(parsePlacements(["cuda:0", "cuda:1", "cpu:0"]).length, 3);
  assert.equal(overlap(parsePlacement("cpu"), parsePlacement("cuda")), false);
});
