// The process that measures: one task in, answers out, then it ends. Started by ask.ts.
import { endWithParent } from "../end-with-parent.js";
import { isFailure, type Job } from "../job.js";
import { measure } from "../measure.js";
import { startMeter } from "../reading/meter.js";
import { withReading } from "../reading/readings.js";
import { loadFor } from "./load-for.js";
import { deviceBandwidth } from "./bandwidth.js";
import { measureEnergy } from "./energy.js";
import { checkMethods, checkOperators } from "./numerics.js";
import type { Answer, Task } from "./tasks.js";
import { decodedBytes } from "./weights.js";

process.on("SIGINT", () => {});
endWithParent();

process.once("message", (task: Task) => {
  work(task).then(
    (result) => finish({ kind: "done", result }),
    (error: unknown) => finish({ kind: "failed", error: error instanceof Error ? error.message : String(error) }),
  );
});

type Result = Extract<Answer, { kind: "done" }>["result"];

async function work(task: Task): Promise<Result> {
  switch (task.kind) {
    case "operators": return checkOperators(task);
    case "methods": return checkMethods(task);
    case "bandwidth": return { bytes_per_second: await deviceBandwidth(task) };
    case "energy": return measureEnergy(task.job, task.seconds);
    case "rows": await rows(task.job, task.lengths);
  }
  return null;
}

/** One length after the other, with the graphs loaded once. One that fails leaves the others. */
async function rows(job: Job, lengths: readonly number[]): Promise<void> {
  const { device = "cpu" } = job;
  const meter = await startMeter({ device });
  const model = await loadFor(job);
  for (const length of lengths) {
    const [result] = await measure(model, { ...job, ids: job.ids.slice(0, length) }, () => {}, meter);
    const readings = await meter.read();
    if (!result || isFailure(result)) send({ kind: "row", length, row: result ?? { error: "nothing was measured" } });
    else send({ kind: "row", length, row: { measured: withReading(result, readings, device), peakMemory: process.resourceUsage().maxRSS * 1024, weightBytes: decodedBytes(model.checkpoint, job.accuracy ?? "float32") } });
  }
  meter.stop();
}

function send(answer: Answer): void {
  process.send?.(answer);
}

function finish(answer: Answer): void {
  process.send?.(answer, undefined, {}, () => process.exit(0));
}
