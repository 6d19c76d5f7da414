// The process that does a quality job: one job in, its rows out, then it ends. Started by quality.ts.
import { endWithParent } from "../bench/end-with-parent.js";
import type { Configuration } from "../evaluate/configuration.js";
import { evaluate, wantedRows } from "../evaluate/run.js";
import type { EvaluationRow } from "../evaluate/rows.js";
import { resolveMethod } from "../methods/resolve.js";
import { load } from "../runtime/model.js";
import type { QualityJob } from "./jobs.js";
import { qualityId, taskOf } from "./quality-task.js";

/** The job, and what its model and scorers are on this machine. */
export interface QualityWork {
  readonly id: string;
  readonly job: QualityJob;
  readonly model: string;
  /** One for each configuration. */
  readonly scorers: readonly (string | null)[];
  readonly text: string;
  readonly threads: number;
}

export type QualityMessage = { readonly done: number; readonly of: number; readonly item: string } | { readonly rows: readonly EvaluationRow[] } | { readonly error: string; readonly refusal: boolean };

process.on("SIGINT", () => {});
endWithParent();
process.once("message", (work: QualityWork) => {
  run(work).then((message) => finish(message), (error: unknown) => finish({ error: (error as Error).message, refusal: false }));
});

async function run({ id, job, model: name, scorers, text, threads }: QualityWork): Promise<QualityMessage> {
  const model = await load(name, { threads, device: job.device, kvDtype: job.kvDtype, synthetic: { seed: job.seed }, ...(job.dtype !== null && { dtype: job.dtype }) }).catch((error: Error) => error);
  if (model instanceof Error) return { error: model.message, refusal: true };
  const whole = taskOf(await model.tokenizer(), job.task, text);
  const wanted = new Set(job.items);
  const task = { ...whole, items: whole.items.filter(({ id: item }) => wanted.has(item)) };
  const configurations = job.configurations.map(({ preset, kvPolicy }, index): Configuration => ({ preset: resolveMethod(preset), scorer: scorers[index]!, kvPolicy }));
  const keys = (await wantedRows(model, task, configurations)).map(({ key }) => key);
  if (qualityId(keys) !== id) return { error: `job: its id (is not that of the rows that this machine would give: weights, trained modules, the prompts or versions differ from those where the job comes from)`, refusal: true };
  const rows = await evaluate(model, task, configurations, { onRow: ({ item }, { done, of }) => process.send?.({ done, of, item }) });
  await model.release();
  return { rows: rows.map((row, index) => ({ ...row, model: job.model, scorer: job.configurations[index % configurations.length]!.scorer })) };
}

function finish(message: QualityMessage): void {
  process.send?.(message, undefined, {}, () => process.exit(0));
}
