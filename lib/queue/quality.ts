import { fileURLToPath } from "node:url";
import type { Job } from "bullmq";
import { lastWords } from "../bench/isolate.js";
import { placedThreads, startPlaced } from "../bench/placement.js";
import { type EvaluationRow } from "../evaluate/rows.js";
import type { Done, PerformOptions } from "./done.js";
import { parseJob, qualityJob } from "./jobs.js";
import { placeModel, placePath } from "./models.js";
import { getText } from "./prompts.js";
import type { QualityMessage, QualityWork } from "./quality-process.js";
import { scorerWithoutPath } from "./timed.js";

/** Does a quality job in a process of its own: its rows. @throws Refusal, AbortError */
export async function performQuality(job: Job, { placement, allowed, folder, machine, redis, prefix, signal, onStart, onProgress, onMessage }: PerformOptions): Promise<Done> {
  const data = parseJob(qualityJob, job.data);
  const before = data.refusals.find((refusal) => refusal.machine === machine);
  if (before) return { error: before.error, refusal: true };
  const scorers = await Promise.all(data.configurations.map(async ({ scorer, scorerPath }) =>
    scorer === null ? null : scorerPath === null ? scorerWithoutPath(scorer) : `learned:${await placePath("scorer", scorerPath, allowed)}`));
  const work: QualityWork = { id: job.id!, job: data, model: await placeModel(data.model, data.modelPath, allowed), scorers, prompts: await getText(redis, prefix, data.prompts), threads: data.threads ?? placedThreads(placement), folder };
  onStart();
  const ended = await isolated(work, placement, signal, onProgress, onMessage);
  if ("error" in ended) return ended;
  return { result: { rows: ended.rows.map((row): EvaluationRow => ({ ...row, machine, placement: placement.name })) } };
}

async function isolated(work: QualityWork, placement: PerformOptions["placement"], signal: AbortSignal, onProgress: PerformOptions["onProgress"], onMessage: PerformOptions["onMessage"]): Promise<Extract<QualityMessage, { rows: unknown } | { error: string }>> {
  const child = startPlaced(fileURLToPath(new URL("./quality-process.js", import.meta.url)), [], placement);
  let stderr = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-2000)));
  let abort = () => {};
  try {
    return await new Promise((resolve, reject) => {
      child.on("message", (message: QualityMessage) => {
        if ("done" in message) onProgress(message.done / message.of, `${work.job.task.name}: ${message.item}`);
        else if ("said" in message) onMessage(message.said);
        else resolve(message);
      });
      child.on("error", reject);
      child.on("close", (code, killer) => reject(new Error(`evaluation: ended with ${killer ?? `code ${code}`} before it was done${lastWords(stderr) === "" ? "" : `: ${lastWords(stderr)}`}`)));
      abort = () => reject(signal.reason as Error);
      signal.addEventListener("abort", abort);
      child.send(work, (error) => error && reject(error));
    });
  } finally {
    signal.removeEventListener("abort", abort);
    child.kill("SIGKILL");
  }
}
