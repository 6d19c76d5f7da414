import { ambientSignal } from "../ambient-signal.js";
import { methodRecord } from "../methods/method.js";
import type { Model } from "../runtime/model.js";
import { resolveScorer } from "../runtime/scorers.js";
import type { Configuration } from "./configuration.js";
import { appendRow, readRows, ROW_SCHEMA_VERSION, rowKey, type EvaluationRow } from "./rows.js";
import type { EvaluationItem, EvaluationTask } from "./task.js";

export interface EvaluateOptions {
  /** Results file (JSON lines): rows are added to it, and measurements that are in it are not made again. Default: none. */
  readonly file?: string;
  /** Rows that were measured before, beside those of the file. */
  readonly found?: readonly EvaluationRow[];
  readonly signal?: AbortSignal;
  /** Told each row that was not found, before the next is measured. */
  readonly onMeasured?: (row: EvaluationRow) => Promise<void>;
  readonly onRow?: (row: EvaluationRow, progress: { done: number; of: number; secondsLeft: number | null }) => void;
}

/**
 * Puts every prompt of a task to every configuration, a prompt after the other, so that a stopped run has the same prompts
 * for all of them.
 * @returns the rows of this task and these configurations, those found in the file included, in order
 */
export async function evaluate(model: Model, task: EvaluationTask, configurations: readonly Configuration[], { file, found = [], signal = ambientSignal(), onMeasured, onRow }: EvaluateOptions = {}): Promise<EvaluationRow[]> {
  const known = new Map([...found, ...(file === undefined ? [] : await readRows(file))].map((row) => [rowKey(row), row]));
  const modelHash = await hashOf(model);
  const keys = await Promise.all(configurations.map(({ scorer }) => scorerKey(model, scorer)));
  const warmed = new Set<string>();
  const rows: EvaluationRow[] = [];
  const of = task.items.length * configurations.length;
  // What was found in the file took no time.
  let [spent, measured] = [0, 0];
  for (const item of task.items) {
    for (const [c, configuration] of configurations.entries()) {
      signal?.throwIfAborted();
      const about = describe(model, modelHash, task, item, configuration, keys[c]!);
      let row = known.get(rowKey(about));
      if (!row) {
        const started = performance.now();
        // The first run of about a length allocates, and the first of a configuration loads its graph: neither is latency.
        const warm = `${c} ${Math.ceil(item.promptIds.length / 256)}`;
        if (!warmed.has(warm)) (await model.prefill(item.promptIds, settings(configuration, item))).dispose();
        warmed.add(warm);
        row = { ...about, ...(await measure(model, item, configuration)) };
        if (file !== undefined) await appendRow(file, row);
        await onMeasured?.(row);
        spent += (performance.now() - started) / 1e3;
        measured++;
      }
      rows.push(row);
      onRow?.(row, { done: rows.length, of, secondsLeft: measured === 0 ? null : (spent / measured) * (of - rows.length) });
    }
  }
  return rows;
}

/** The rows that `evaluate` gives, by their keys, in order: none is measured. */
export async function wantedRows(model: Model, task: EvaluationTask, configurations: readonly Configuration[]): Promise<{ readonly item: EvaluationItem; readonly configuration: number; readonly key: string }[]> {
  const modelHash = await hashOf(model);
  const keys = await Promise.all(configurations.map(({ scorer }) => scorerKey(model, scorer)));
  return task.items.flatMap((item) => configurations.map((each, configuration) => ({ item, configuration, key: rowKey(describe(model, modelHash, task, item, each, keys[configuration]!)) })));
}

/** Another cache is another measurement; the weights' dtype is in the hash already. */
async function hashOf(model: Model): Promise<string> {
  return `${await model.checkpoint.hash()}${model.kvDtype === "fp32" ? "" : ` kv ${model.kvDtype}`}`;
}

const settings = ({ preset, scorer, kvPolicy }: Configuration, { reserve }: EvaluationItem) => ({ preset, kvPolicy, reserve, ...(scorer !== null && { scorer }) });

type Described = Pick<EvaluationRow, "schema_version" | "task" | "settings" | "item" | "group" | "model" | "model_hash" | "device" | "config" | "preset" | "scorer" | "scorer_key" | "kv_policy" | "prompt_length">;

function describe(model: Model, modelHash: string, task: EvaluationTask, item: EvaluationItem, { preset, scorer, kvPolicy }: Configuration, key: string | null): Described {
  return {
    schema_version: ROW_SCHEMA_VERSION,
    task: task.name,
    settings: { ...task.settings },
    item: item.id,
    group: { ...item.group },
    model: model.name,
    device: model.device,
    model_hash: modelHash,
    config: preset.name,
    preset: methodRecord(preset),
    scorer,
    scorer_key: key,
    kv_policy: kvPolicy,
    prompt_length: item.promptIds.length,
  };
}

async function measure(model: Model, item: EvaluationItem, configuration: Configuration): Promise<Omit<EvaluationRow, keyof Described>> {
  const run = await model.prefill(item.promptIds, settings(configuration, item));
  const n = item.promptIds.length;
  const perBlock = run.plan.tokens;
  const meanTokens = perBlock.reduce((a, b) => a + b, 0) / perBlock.length;
  const kvBytes = run.kv.bytes + run.auxBytes;
  const lengths = [...run.kvLengthsAfterPrefill];
  const { metrics, decodeSeconds, decodedTokens, appendSeconds, output, cells } = await item.grade(run);
  run.dispose();
  const bad = Object.entries(metrics).find(([, value]) => !Number.isFinite(value));
  if (bad) throw new Error(`evaluation: ${item.id}: ${bad[0]} is ${bad[1]} (must be finite)`);
  return {
    metrics: { ...metrics },
    ...(output !== undefined && { output }),
    ...(cells && { cells: cells.map((cell) => ({ ...cell })) }),
    prefill_latency_seconds: run.prefillSeconds,
    decode_latency_seconds: decodeSeconds,
    ...(appendSeconds !== undefined && { append_latency_seconds: appendSeconds }),
    decoded_tokens: decodedTokens,
    mean_tokens: meanTokens,
    compression: n / meanTokens,
    kv_bytes: kvBytes,
    kv_lens_after_prefill: lengths,
  };
}

async function scorerKey(model: Model, scorer: string | null): Promise<string | null> {
  return scorer === null ? null : (await resolveScorer(scorer, model.checkpoint)).key;
}
