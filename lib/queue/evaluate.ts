import { resolve } from "node:path";
import { methodText } from "../bench/sweep/command.js";
import type { Configuration } from "../evaluate/configuration.js";
import { appendRow, readRows, rowKey, rowSchema, type EvaluationRow } from "../evaluate/rows.js";
import { wantedRows } from "../evaluate/run.js";
import type { EvaluationItem, EvaluationTask } from "../evaluate/task.js";
import type { Model } from "../runtime/model.js";
import { connect, withoutSecrets } from "./connection.js";
import { type Filing, Following } from "./follow.js";
import type { QualityJob } from "./jobs.js";
import { pathIn } from "./models.js";
import { hashOf, putText } from "./prompts.js";
import { defaultQueueName, queuedDevice, requireQueueName } from "./queues.js";
import { packed, qualityId, type Slice, slicesOf } from "./slices.js";
import { scorerFile } from "./timed.js";

/** A slice that could not be measured. */
export interface FailedSlice {
  readonly label: string;
  readonly error: string;
  /** Measures it alone, without a queue; null where there is none. */
  readonly command: string | null;
}

export interface QueueEvaluateOptions {
  readonly url: string;
  readonly queueName?: string | undefined;
  /** Results file of a task, as `evaluate` has it: rows are added as they come. Default: none. */
  readonly file?: ((task: EvaluationTask) => string) | undefined;
  readonly threads?: number | undefined;
  readonly seed?: number | undefined;
  /** The command that measures some prompts of a task alone. */
  readonly alone?: (task: EvaluationTask, items: readonly EvaluationItem[]) => string;
  readonly retryFailed: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
  /** @param share of the slices that is done, from 0 to 1 */
  readonly onProgress?: ((share: number, label: string) => void) | undefined;
  readonly onFailed?: ((failed: FailedSlice) => void) | undefined;
}

/** A slice with the task it is of. */
interface Asked extends Slice {
  readonly task: EvaluationTask;
}

/**
 * Has the workers of a queue measure the rows of tasks that their files have not, in slices of prompts, and adds them to the files.
 * @returns the rows of each task and these configurations, those found in its file included, in order
 * @throws where slices failed, after all others are in the files; AbortError on `signal`, and the jobs stay in the queue
 */
export async function queueEvaluate(model: Model, tasks: readonly EvaluationTask[], configurations: readonly Configuration[], options: QueueEvaluateOptions): Promise<EvaluationRow[][]> {
  const { url, queueName = defaultQueueName, file, retryFailed, signal, onMessage, onProgress, onFailed, alone } = options;
  const prefix = requireQueueName(queueName);
  const known = new Map<string, EvaluationRow>();
  const slices = new Map<string, Asked>();
  const wanted = await Promise.all(tasks.map((task) => wantedRows(model, task, configurations)));
  for (const [index, task] of tasks.entries()) {
    if (file) for (const row of await readRows(file(task))) known.set(rowKey(row), row);
    for (const slice of slicesOf(task, wanted[index]!.filter(({ key }) => !known.has(key)))) slices.set(qualityId(slice.keys), { ...slice, task });
  }
  const of = slices.size;
  if (of > 0) await measured();
  return wanted.map((rows) => rows.map(({ key }) => known.get(key)!));

  async function measured(): Promise<void> {
    const scorers = new Map(wanted.flat().map(({ key, configuration }) => [key, configurations[configuration]!.scorer]));
    const filings = [...slices].map(([id, slice]): Filing => ({ id, kind: "quality", device: model.device, data: jobOf(model, configurations, slice, options) }));
    const connection = await connect(url, { signal, ...(onMessage && { onState: onMessage }) });
    const failed: FailedSlice[] = [];
    /** What is done of the slices that are being measured. */
    const shares = new Map<string, number>();
    const tell = (label: string) => {
      const done = of - slices.size;
      const share = (done + [...shares.values()].reduce((sum, each) => sum + each, 0)) / of;
      onProgress?.(Math.min(1, share), `${done} of ${of} slices done${shares.size > 0 ? `, ${shares.size} running` : ""}${failed.length > 0 ? `, ${failed.length} failed` : ""}: ${label}`);
    };
    const following = new Following(connection, prefix, {
      retryFailed, workerCommand: `sdtp worker --queue ${withoutSecrets(url)}${prefix === defaultQueueName ? "" : ` --queue-name ${prefix}`}`, ...(onMessage && { onMessage }),
      prepare: async () => {
        for (const { task, items } of slices.values()) await putText(connection.redis, prefix, packed(task, items).text);
      },
      onStart: (id) => void shares.set(id, 0),
      onBack: (id) => void shares.delete(id),
      onProgress: (id, { machine, placement, share, label }) => {
        shares.set(id, share);
        tell(`${machine} ${placement}: ${label}`);
      },
      onEnd: async (ended) => {
        const slice = slices.get(ended.id)!;
        const rows = "error" in ended ? ended.error : rowsOf(ended.result, slice.keys);
        if (typeof rows === "string") {
          failed.push({ label: labelOf(slice), error: rows, command: alone?.(slice.task, slice.items) ?? null });
          onFailed?.(failed.at(-1)!);
        } else {
          for (const row of rows) {
            const key = rowKey(row);
            if (known.has(key)) continue;
            // Another one who asked for the same may call model and modules otherwise.
            const called = { ...row, model: model.name, scorer: scorers.get(key) ?? null };
            known.set(key, called);
            if (file) await appendRow(file(slice.task), called);
          }
        }
        shares.delete(ended.id);
        slices.delete(ended.id);
        tell(slice.task.name);
      },
    });
    try {
      await following.file(filings, signal);
      await following.follow(signal);
    } finally {
      await following.close();
      await connection.close();
    }
    if (failed.length > 0) throw new Error(`evaluation: ${failed.length} of ${of} slices failed: ${[...new Set(failed.map(({ error }) => error))].join("; ")} (${file ? "the rows of the others are in their files" : "those of the others stay in the queue"}; failed ones are tried again where that is asked for: --retry-failed)`);
  }
}

function labelOf({ task, items, which }: Asked): string {
  return `${task.name}, ${items[0]!.id} to ${items.at(-1)!.id}, ${which.length} configurations`;
}

function jobOf(model: Model, configurations: readonly Configuration[], slice: Asked, { threads, seed = 0, alone }: QueueEvaluateOptions): QualityJob {
  const { name, device, kvDtype } = model;
  const { task } = slice;
  const { text, tokens } = packed(task, slice.items);
  return {
    model: name, modelPath: pathIn(name), dtype: model.askedDtype ?? null, kvDtype, device: queuedDevice(device), threads: threads ?? null, seed,
    task: { name: task.name, settings: { ...task.settings }, metric: task.metric, better: task.better }, prompts: hashOf(text), tokens, items: slice.items.map(({ id }) => id),
    configurations: slice.which.map((index) => {
      const { preset, scorer, kvPolicy } = configurations[index]!;
      const path = scorerFile(scorer ?? undefined);
      return { preset: methodText(preset) ?? preset, scorer, scorerPath: path === null ? null : resolve(path), kvPolicy };
    }),
    label: `${name}, ${device}, ${labelOf(slice)}`, command: alone?.(task, slice.items) ?? null, timeoutSeconds: null, refusals: [], rounds: 0,
  };
}

/** All rows of a slice, or what is wrong. */
function rowsOf(result: unknown, keys: readonly string[]): EvaluationRow[] | string {
  const parsed = rowSchema.array().safeParse((result as { rows?: unknown } | null)?.rows);
  const found = new Set(parsed.data?.map(rowKey));
  return parsed.success && keys.every((key) => found.has(key)) ? parsed.data : "result: is not whole (measure it again: --retry-failed)";
}
