// A device's own memory: what a prompt takes of it, and that one too long is refused before anything is loaded. The device is the CPU, given a memory of its own.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { planOf } from "../../../../lib/methods/plan/plan.js";
import { resolveMethod } from "../../../../lib/methods/resolve.js";
import { freeMemory } from "../../../../lib/runtime/devices/cuda-home.js";
import { deviceMemoryPlan } from "../../../../lib/runtime/devices/device-memory.js";
import { hostHome, type Home } from "../../../../lib/runtime/home.js";
import { Model } from "../../../../lib/runtime/model.js";
import { fakeSmi } from "../../bench/reading/fake-smi.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";

const tiny = tinyCheckpoint("llama");
after(tiny.remove);
const checkpoint = await openCheckpoint(tiny.folder, {});
const ids = Array.from({ length: 60 }, (_, i) => (i * 37) % 250);

const planned = (n: number, method = "baseline") => planOf(resolveMethod(method), n, { config: checkpoint.config, plain: false, cpu: false, kvDtype: "fp32" });
const taken = (n: number, graphs: number, accuracy: "float16" | "float32" = "float32", method?: string) => deviceMemoryPlan(checkpoint, planned(n, method), { reserve: 0, graphs, accuracy, kvDtype: accuracy === "float16" ? "fp16" : "fp32" });

test("weights are there once a graph, in what they are multiplied in; keys and values of all tokens beside the activations", () => {
  const [one, two, half] = [taken(60, 1), taken(60, 2), taken(60, 1, "float16")];
  const weights = two.weights - one.weights;
  let [elements, vectors] = [0, 0];
  for (const { shape } of checkpoint.tensors.values()) {
    if (shape.length < 2) vectors += shape[0]!;
    else elements += shape[0]! * shape[1]!;
  }
  assert.equal(weights, 4 * (elements + vectors));
  assert.equal(one.weights - half.weights, 2 * elements);
  assert.equal(2 * half.cache, one.cache);
  assert.ok(half.activations < one.activations);
  // 3 layers, 4 kv heads of 8, keys and values, float32.
  assert.equal(one.cache, 60 * 3 * 4 * 8 * 2 * 4);
  assert.equal(one.total, one.weights + one.cache + one.activations);
  assert.ok(taken(60, 1, "float32", "sdtp").cache < one.cache);
  assert.ok(taken(4000, 1).total > taken(2000, 1).total);
});

test("a prompt that the device's memory does not hold is refused before anything is loaded, with the longest that fits", async () => {
  let loads = 0;
  const home = (limit: number): Home => ({
    ...hostHome(), oneCopy: () => false,
    memory: { limit, plan: (of, plan, options) => deviceMemoryPlan(of, plan, { ...options, accuracy: "float32", kvDtype: "fp32" }) },
    load: (g, settings) => {
      loads++;
      return hostHome().load(g, settings);
    },
  });
  const small = new Model(checkpoint, { threads: 1 }, home(taken(40, 2).total));
  await assert.rejects(small.prefill(ids, { reserve: 0 }), /^Error: memory: .* for a prompt of 60 tokens \(weights .*, cache .*, activations .*; .* are there; at most 40 tokens fit\)$/);
  assert.equal(loads, 0);
  const run = await small.prefill(ids.slice(0, 40), { reserve: 0 });
  assert.equal(run.kv.lengths[0], 40);
  await small.release();
  // Weights of three graphs do not fit: the one that is not needed goes.
  loads = 0;
  const model = new Model(checkpoint, { threads: 1 }, home(taken(60, 2).total));
  for (const preset of ["baseline", "keep07", "baseline"]) await (await model.prefill(ids, { preset, scorer: "norm", reserve: 0 })).kv.toHost();
  assert.equal(loads, 3);
  await model.release();
});

test("what is free is what the card has and nobody uses, or unknown", async (t) => {
  const free = (...gpus: string[]) => freeMemory(fakeSmi(t, { gpus }));
  assert.equal(await free("0, GPU-1, NVIDIA L4, 550.127.05, 23034, 34, [N/A], 8.9"), 23000 * 2 ** 20);
  assert.equal(await free("0, GPU-1, NVIDIA L4, 550.127.05, [N/A], [N/A], [N/A], 8.9"), null);
  assert.equal(await free("0, GPU-1, NVIDIA A100, 550.127.05, 40960, 10, Enabled, 8.0"), null);
  assert.equal(await free("0, GPU-1, NVIDIA L4, 550.127.05, 23034, 34, [N/A], 8.9", "1, GPU-2, Tesla T4, 550.127.05, 15360, 0, [N/A], 7.5"), null);
  assert.equal(await freeMemory(fakeSmi(t, null)), null);
});
