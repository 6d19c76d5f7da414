// Prompts that are stopped: in this thread and in a worker, by a signal and by an exit.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { backend } from "../../../../lib/runtime/c-api/backend.js";
import { generate } from "../../../../lib/runtime/generate.js";
import { load } from "../../../../lib/runtime/model.js";
import { WorkerThread } from "../../../../lib/runtime/worker/client.js";
import { sent } from "../../../../lib/runtime/worker/protocol.js";
import { count, counting, FOREVER } from "./graphs.js";

const { name } = await backend();

for (const worker of [false, true]) {
  test(`${worker ? "in a worker" : "here"}: a prompt that is stopped ends with the signal's reason while the event loop runs on, and the next ones give the numbers of before`, { skip: name !== "c-api" && "the C API is not used here" }, async (t) => {
    const model = await load("tiny", { threads: 1, worker });
    t.after(() => model.release());
    const ids = Array.from({ length: 6000 }, (_, i) => (i * 31 + 1) % model.config.vocabSize);
    const short = ids.slice(0, 40);
    const before = [(await model.prefill(short)).logits, (await generate(model, short, { maxNewTokens: 4, fixedLength: true })).ids];
    await model.warm(ids.length);
    for (const work of [(signal: AbortSignal) => model.prefill(ids, { signal }), (signal: AbortSignal) => generate(model, ids, { signal })]) {
      const controller = new AbortController();
      const stopped = assert.rejects(work(controller.signal), { message: "enough" });
      // In the middle of the run: this thread has gone round several times since it began.
      for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
      controller.abort(new Error("enough"));
      await stopped;
      assert.deepEqual([(await model.prefill(short)).logits, (await generate(model, short, { maxNewTokens: 4, fixedLength: true })).ids], before);
    }
  });
}

test("an exit in the middle of a run that would never end is an exit", { skip: name !== "c-api" && "the C API is not used here" }, () => {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const { status, stderr, signal } = spawnSync(process.execPath, ["--input-type=module", "-e", `
    const { openLibrary } = await import(${url("../../../../lib/runtime/c-api/library.js")});
    const { CApiSession } = await import(${url("../../../../lib/runtime/c-api/session.js")});
    const { count, counting, FOREVER } = await import(${url("./graphs.js")});
    const session = await CApiSession.open(await openLibrary(), counting(), { threads: 1 });
    void session.run(count(FOREVER));
    setTimeout(() => process.exit(3), 20);`], { encoding: "utf8", timeout: 300_000 });
  assert.deepEqual([status, signal], [3, null], stderr);
});

test("a run in a worker that would never end is stopped there: what comes next is answered", { skip: name !== "c-api" && "the C API is not used here" }, async () => {
  const thread = new WorkerThread();
  const [graph, kept] = [thread.handle(), thread.handle()];
  await thread.ask({ op: "load", graph, model: { onnx: counting(), outputs: ["end"], weights: [] }, threads: 1, folder: undefined });
  const run = (steps: number, signal?: AbortSignal) => thread.ask({ op: "run", graph, feeds: sent(count(steps)), wanted: ["end"], kept }, signal);
  const [controller, waiting] = [new AbortController(), new AbortController()];
  const [endless, next] = [run(FOREVER, controller.signal), run(FOREVER, waiting.signal)];
  const both = Promise.all([assert.rejects(endless, { name: "AbortError" }), assert.rejects(next, { name: "AbortError" })]);
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
  waiting.abort();
  controller.abort();
  await both;
  assert.deepEqual([...((await run(7))["end"]!.data as Float32Array)], [7]);
});
