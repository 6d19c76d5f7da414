// The process that measures: one job in, one result out, then it ends. Started by isolate.ts.
import { load } from "../runtime/model.js";
import { endWithParent } from "./end-with-parent.js";
import type { Job, JobResult, RunDone } from "./job.js";
import { measure } from "./measure.js";

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
  const model = await load(job.model, { threads: job.threads, dtype: job.dtype, ...(job.accuracy && { accuracy: job.accuracy }), ...(job.device && { device: job.device }), ...(job.kvDtype && { kvDtype: job.kvDtype }), synthetic: { seed: job.seed } });
  const methods = await measure(model, job, (run) => send({ run }));
  const { user, system } = process.cpuUsage();
  return { methods, peakMemory: process.resourceUsage().maxRSS * 1024, cpuSeconds: (user + system) / 1e6 };
}

function send(message: WorkerMessage): void {
  process.send?.(message);
}

function finish(message: WorkerMessage): void {
  process.send?.(message, undefined, {}, () => process.exit(0));
}
