import { resolve } from "node:path";
import { methodText } from "../bench/sweep/command.js";
import type { Configuration } from "../evaluate/configuration.js";
import { appendRow, readRows, rowKey, rowSchema, type EvaluationRow } from "../evaluate/rows.js";
import { wantedRows } from "../evaluate/run.js";
import type { EvaluationTask } from "../evaluate/task.js";
import type { Model } from "../runtime/model.js";
import { connect, withoutSecrets } from "./connection.js";
import { type Filing, Following } from "./follow.js";
import type { QualityJob } from "./jobs.js";
import { pathIn } from "./models.js";
import { hashOf, putText } from "./prompts.js";
import { qualityId } from "./quality-task.js";
import { defaultQueueName, requireQueueName } from "./queues.js";
import { scorerFile } from "./timed.js";

/** Prompts of one job. */
const SLICE = 8;

export interface QueueEvaluateOptions {
  readonly url: string;
  readonly queueName?: string | undefined;
  /** Results file, as `evaluate` has it: rows are added as they come. */
  readonly file: string;
  /** As the task was made. */
  readonly task: QualityJob["task"];
  readonly text: string;
  readonly dtype: string | undefined;
  readonly threads: number | undefined;
  /** The command that was given. */
  readonly command: string;
  readonly retryFailed: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onMessage?: (message: string) => void;
  readonly onProgress?: (done: number, of: number, label: string) => void;
}

/**
 * Has the workers of a queue measure the rows of a task that the file has not, in slices of its prompts, and adds them to it.
 * @throws where slices failed, after all others are in the file; AbortError on `signal`, and the jobs stay in the queue
 */
export async function queueEvaluate(model: Model, task: EvaluationTask, configurations: readonly Configuration[], options: QueueEvaluateOptions): Promise<void> {
  const { url, queueName = defaultQueueName, file, text, retryFailed, signal, onMessage, onProgress, command } = options;
  const prefix = requireQueueName(queueName);
  const known = new Set((await readRows(file)).map(rowKey));
  const wanted = await wantedRows(model, task, configurations);
  const slices = slicesOf(task, wanted.filter(({ key }) => !known.has(key)));
  if (slices.length === 0) return;
  const connection = await connect(url, { signal, ...(onMessage && { onState: onMessage }) });
  const failed: string[] = [];
  let done = 0;
  const following = new Following(connection, prefix, {
    retryFailed, workerCommand: `sdtp worker --queue ${withoutSecrets(url)}`, ...(onMessage && { onMessage }), prepare: async () => void (await putText(connection.redis, prefix, text)),
    onProgress: (_, { machine, share, label }) => onProgress?.(done + share, slices.length, `${machine}: ${label}`),
    onEnd: async (ended) => {
      const rows = "error" in ended ? ended.error : rowsOf(ended.result);
      if (typeof rows === "string") failed.push(rows);
      else {
        for (const row of rows) {
          const key = rowKey(row);
          if (known.has(key)) continue;
          known.add(key);
          await appendRow(file, row);
        }
      }
      onProgress?.(++done, slices.length, task.name);
    },
  });
  try {
    await following.file(slices.map(({ items, which, keys }): Filing => ({ id: qualityId(keys), kind: "quality", device: model.device, data: jobOf(model, configurations, items, which, options) })), signal);
    await following.follow(signal);
  } finally {
    await following.close();
    await connection.close();
  }
  if (failed.length > 0) throw new Error(`evaluation: ${failed.length} of ${slices.length} slices failed: ${[...new Set(failed)].join("; ")} (the others are in ${file}; to try these again: ${command}${retryFailed ? "" : " --retry-failed"})`);
}

interface Slice {
  readonly items: string[];
  /** Numbers of the configurations. */
  readonly which: readonly number[];
  readonly keys: string[];
}

/** Neighbouring prompts of which the same configurations are missing. */
function slicesOf(task: EvaluationTask, missing: Awaited<ReturnType<typeof wantedRows>>): Slice[] {
  const slices = new Map<string, Slice>();
  for (const [place, item] of task.items.entries()) {
    const own = missing.filter((row) => row.item === item);
    if (own.length === 0) continue;
    const which = own.map(({ configuration }) => configuration);
    const name = `${Math.floor(place / SLICE)} ${which.join()}`;
    const slice = slices.get(name) ?? { items: [], which, keys: [] };
    slice.items.push(item.id);
    slice.keys.push(...own.map(({ key }) => key));
    slices.set(name, slice);
  }
  return [...slices.values()];
}

function jobOf({ name, device, kvDtype }: Model, configurations: readonly Configuration[], items: readonly string[], which: readonly number[], { task, text, dtype, threads, command }: QueueEvaluateOptions): QualityJob {
  return {
    model: name, modelPath: pathIn(name), dtype: dtype ?? null, kvDtype, device: device as QualityJob["device"], threads: threads ?? null, seed: 0, task, text: hashOf(text), items: [...items],
    configurations: which.map((index) => {
      const { preset, scorer, kvPolicy } = configurations[index]!;
      const path = scorerFile(scorer ?? undefined);
      return { preset: methodText(preset) ?? preset, scorer, scorerPath: path === null ? null : resolve(path), kvPolicy };
    }),
    label: `${name}, ${device}, ${task.name}, ${items[0]} to ${items.at(-1)}, ${which.length} configurations`, command, timeoutSeconds: null, refusals: [], rounds: 0,
  };
}

function rowsOf(result: unknown): EvaluationRow[] | string {
  const parsed = rowSchema.array().min(1).safeParse((result as { rows?: unknown } | null)?.rows);
  return parsed.success ? parsed.data : "result: is not whole";
}
