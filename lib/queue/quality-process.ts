// The process that does a quality job: one job in, its rows out, then it ends. Started by quality.ts.
import { join } from "node:path";
import { endWithParent } from "../bench/end-with-parent.js";
import type { Configuration } from "../evaluate/configuration.js";
import { itemDataSchema, promptsMark } from "../evaluate/item-data.js";
import { remadeItems } from "../evaluate/remake.js";
import { appendRow, readRows, type EvaluationRow } from "../evaluate/rows.js";
import { evaluate, wantedRows } from "../evaluate/run.js";
import type { EvaluationTask } from "../evaluate/task.js";
import { resolveMethod } from "../methods/resolve.js";
import { load, type Model } from "../runtime/model.js";
import type { QualityJob } from "./jobs.js";
import { qualityId } from "./slices.js";

/** The job, and what its model and scorers are on this machine. */
export interface QualityWork {
  readonly id: string;
  readonly job: QualityJob;
  readonly model: string;
  /** One for each configuration. */
  readonly scorers: readonly (string | null)[];
  readonly prompts: string;
  readonly threads: number;
  /** Where rows are kept, so that none is measured twice. */
  readonly folder: string;
}

export type QualityMessage = { readonly done: number; readonly of: number; readonly item: string } | { readonly said: string } | { readonly rows: readonly EvaluationRow[] } | { readonly error: string; readonly refusal: boolean };

process.on("SIGINT", () => {});
endWithParent();
process.once("message", (work: QualityWork) => {
  run(work).then((message) => finish(message), (error: unknown) => finish({ error: (error as Error).message, refusal: false }));
});

async function run({ id, job, model: name, scorers, prompts, threads, folder }: QualityWork): Promise<QualityMessage> {
  let made: { readonly model: Model; readonly task: EvaluationTask; readonly configurations: Configuration[] };
  try {
    const model = await load(name, { threads, device: job.device, kvDtype: job.kvDtype, synthetic: { seed: job.seed }, ...(job.dtype !== null && { dtype: job.dtype }) });
    made = {
      model, task: await taskOf(model, job, prompts),
      configurations: job.configurations.map(({ preset, kvPolicy }, index): Configuration => ({ preset: resolveMethod(preset), scorer: scorers[index]!, kvPolicy })),
    };
    const keys = (await wantedRows(model, made.task, made.configurations)).map(({ key }) => key);
    if (qualityId(keys) !== id) throw new Error("job: its id (is not that of the rows that this machine would give: weights, trained modules, the prompts or versions differ from those where the job comes from)");
  } catch (error) {
    // What cannot be had here may be had elsewhere.
    return { error: (error as Error).message, refusal: true };
  }
  const { model, task, configurations } = made;
  const file = join(folder, "quality", `${id}.jsonl`);
  const found = await readRows(file).catch(() => []);
  let [kept, keeps] = [found.length, true];
  const rows = await evaluate(model, task, configurations, {
    found,
    onMeasured: async (row) => {
      if (!keeps) return;
      await appendRow(file, row).then(() => kept++, (error: NodeJS.ErrnoException) => {
        keeps = false;
        process.send?.({ said: `rows: ${file} (cannot be written: ${error.code ?? error.message}; ${kept} are there, all go to the queue)` } satisfies QualityMessage);
      });
    },
    onRow: ({ item }, { done, of }) => process.send?.({ done, of, item } satisfies QualityMessage),
  });
  await model.release();
  return { rows: rows.map((row, index) => ({ ...row, model: job.model, scorer: job.configurations[index % configurations.length]!.scorer })) };
}

/** The prompts of a job as a task. @throws where this machine would put other ones */
async function taskOf(model: Model, job: QualityJob, prompts: string): Promise<EvaluationTask> {
  const data = itemDataSchema.array().min(1).safeParse(JSON.parse(prompts));
  if (!data.success) throw new Error(`prompts: ${data.error.issues[0]!.path.join(".")} (${data.error.issues[0]!.message})`);
  const items = await remadeItems(model, data.data);
  if (items.map(({ id }) => id).join("\n") !== job.items.join("\n")) throw new Error("prompts: others than those of the job (their names differ)");
  if (promptsMark(items) !== job.tokens) throw new Error("prompts: in other tokens than where the job comes from (the tokenizer's files differ)");
  return { ...job.task, items };
}

function finish(message: QualityMessage): void {
  process.send?.(message, undefined, {}, () => process.exit(0));
}
