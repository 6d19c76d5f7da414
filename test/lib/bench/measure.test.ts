import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { isolate } from "../../../lib/bench/isolate.js";
import { measureGroup } from "../../../lib/bench/group.js";
import { isFailure, type Job } from "../../../lib/bench/job.js";
import { measure } from "../../../lib/bench/measure.js";
import { openSubject } from "../../../lib/bench/subject.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { presets } from "../../../lib/methods/sdtp.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

function jobOf(t: TestContext, fields: Partial<Job> = {}): Job {
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const ids = Array.from({ length: 60 }, (_, i) => (i * 37) % 250);
  return { model: folder, dtype: "fp32", threads: 1, seed: 0, mode: "end2end", ids, methods: [{ preset: presets.baseline }, { preset: presets.keep07 }, { preset: presets.sdtp }], repeats: 2, warmup: 1, maxNewTokens: 3, ...fields };
}

test("methods take turns, the warm-up does not count, and lengths are those of the caches", async (t) => {
  const job = jobOf(t);
  const order: string[] = [];
  const results = await measure(await load(job.model, { threads: 1 }), job, ({ method, counted }) => order.push(`${counted ? "" : "w"}${method}`));
  assert.deepEqual(order, ["w0", "w1", "w2", "0", "1", "2", "0", "1", "2"]);
  const [baseline, keep07, sdtp] = results.map((result) => (isFailure(result) ? assert.fail(result.error) : result));
  for (const result of [baseline!, keep07!, sdtp!]) {
    assert.deepEqual(result.perToken.map(({ length }) => length), [3, 3]);
    assert.ok([...result.prefill, ...result.perToken.flat()].every((seconds) => seconds > 0));
    assert.deepEqual(result.kvLensFinal, result.kvLensAfterPrefill.map((length) => length + 3));
  }
  assert.deepEqual(baseline!.kvLensAfterPrefill, [60, 60, 60]);
  assert.equal(baseline!.scorer, null);
  assert.deepEqual(keep07!.kvLensAfterPrefill, [42, 42, 42]);
  assert.equal(keep07!.tokensKept, 42);
  assert.equal(sdtp!.kvPolicy, "retain");
  assert.deepEqual(sdtp!.kvLensAfterPrefill, [60, sdtp!.stages[0]!.kept, sdtp!.stages[1]!.kept]);
  // 3 layers, 4 kv heads of 8, keys and values, float32.
  assert.equal(baseline!.kvBytesAfterPrefill, 60 * 3 * 4 * 8 * 2 * 4);
});

test("a method that fails is left out, the others are measured", async (t) => {
  const job = jobOf(t, { methods: [{ preset: presets.baseline }, { preset: presets.keep07, scorer: "nonsense" }], mode: "prefill" });
  const [baseline, failed] = await measure(await load(job.model, { threads: 1 }), job);
  assert.ok(failed && isFailure(failed) && /scorer: nonsense/.test(failed.error));
  assert.ok(baseline && !isFailure(baseline) && baseline.prefill.length === 2 && baseline.perToken.length === 0);
});

test("a process of its own gives the same counts and its own memory", async (t) => {
  const job = jobOf(t, { methods: [{ preset: resolveMethod({ name: "mine", baseDepth: 3, stages: [{ afterBlock: 0, ratio: 0.5 }] }) }], repeats: 1, warmup: 0 });
  const { methods, peakMemory } = await isolate(job);
  const [mine] = methods;
  assert.ok(mine && !isFailure(mine));
  assert.deepEqual(mine.kvLensAfterPrefill, [30, 30, 30]);
  assert.ok(peakMemory > 30e6 && peakMemory < 2e9);
});

test("a process that cannot load, takes too long, is stopped or killed gives an error that says so", async (t) => {
  const job = jobOf(t, { repeats: 100_000 });
  await assert.rejects(isolate({ ...job, model: "/nowhere" }), /model: \/nowhere \(no such folder/);
  await assert.rejects(isolate(job, { timeoutSeconds: 0.001 }), /timeout: 0\.001 s/);
  await assert.rejects(isolate(job, { signal: AbortSignal.abort() }), { name: "AbortError" });
  const controller = new AbortController();
  await assert.rejects(isolate(job, { signal: controller.signal, onRun: () => controller.abort() }), { name: "AbortError" });
  if (process.platform !== "linux") return;
  let killed = false;
  const before = new Set(children());
  const onRun = () => {
    if (!killed) children().filter((pid) => !before.has(pid)).forEach((pid) => process.kill(pid, "SIGKILL"));
    killed = true;
  };
  await assert.rejects(isolate(job, { onRun }), /measurement: killed by SIGKILL/);
});

test("an interrupt that meets the process before its first line is an interrupt, not a failed measurement", { skip: process.platform !== "linux" && "reads /proc" }, async (t) => {
  const job = jobOf(t);
  const subject = await openSubject({ model: job.model, threads: 1 });
  const { mode, repeats, warmup, maxNewTokens, ids } = job;
  // The fork is made before the first await: the process is there, and Node in it has not begun.
  const before = new Set(children());
  const measuring = measureGroup({ subject, presets: [presets.baseline], ids, memory: false, mode, repeats, warmup, maxNewTokens });
  children().filter((pid) => !before.has(pid)).forEach((pid) => process.kill(pid, "SIGINT"));
  await assert.rejects(measuring, { name: "AbortError" });
});

const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ").filter((pid) => pid !== "").map(Number);
