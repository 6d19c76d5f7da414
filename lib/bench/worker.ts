// The process that measures: one job in, one result out, then it ends. Started by isolate.ts.
import { load } from "../runtime/model.js";
import { endWithParent } from "./end-with-parent.js";
import { isFailure, type Job, type JobResult, type RunDone } from "./job.js";
import { measure } from "./measure.js";
import { startMeter } from "./reading/meter.js";
import { withReading } from "./reading/readings.js";

export type WorkerMessage = { readonly run: RunDone } | { readonly result: JobResult } | { readonly error: string };

// A terminal sends Ctrl-C to the whole group; ending this process is the business of the one that started it.
process.on("SIGINT", () => {});
// It must not go on measuring for nobody.
endWithParent();

process.once("message", (job: Job) => {
  work(job).then(
    (result) => finish({ result }),
    (error: unknown) => finish({ error: error instanceof Error ? error.message : String(error) }),
  );
});

async function work(job: Job): Promise<JobResult> {
  // Before anything is on the device: what is in use there now is not this process's.
  const meter = await startMeter({ device: job.device ?? "cpu" });
  const model = await load(job.model, { threads: job.threads, dtype: job.dtype, ...(job.accuracy && { accuracy: job.accuracy }), ...(job.device && { device: job.device }), ...(job.kvDtype && { kvDtype: job.kvDtype }), synthetic: { seed: job.seed } });
  const measured = await measure(model, job, (run) => send({ run }), meter);
  const readings = await meter.read();
  meter.stop();
  const methods = measured.map((result) => (isFailure(result) ? result : withReading(result, readings, job.device)));
  const { user, system } = process.cpuUsage();
  return { methods, peakMemory: process.resourceUsage().maxRSS * 1024, cpuSeconds: (user + system) / 1e6 };
}

function send(message: WorkerMessage): void {
  process.send?.(message);
}

function finish(message: WorkerMessage): void {
  process.send?.(message, undefined, {}, () => process.exit(0));
}
