import { bootstrap, type Interval } from "../bench/statistics.js";
import { labeller } from "./configuration.js";
import { mean } from "./forced.js";
import type { EvaluationRow } from "./rows.js";

/** One configuration over all prompts, or over those of one group. */
export interface EvaluationSummary {
  readonly label: string;
  readonly config: string;
  readonly scorer: string | null;
  readonly kvPolicy: string;
  readonly prompts: number;
  /** Mean of the metric and its 95 % bootstrap interval over prompts. */
  readonly mean: number;
  readonly interval: Interval;
  /** Mean of the difference from the baseline on the same prompts, with its interval; null for the baseline itself. */
  readonly difference: { readonly mean: number; readonly interval: Interval } | null;
  /** Mean / the baseline's mean. */
  readonly share: number | null;
  /** Nats a token of the right answer, where rows have it and it is not the metric: mean, and the mean difference from the baseline with its interval. */
  readonly loss: { readonly mean: number; readonly difference: { readonly mean: number; readonly interval: Interval } | null } | null;
  /** Mean tokens of answers, and the share that the model ended itself; null where nothing was generated to its end. */
  readonly answers: { readonly tokens: number; readonly ended: number } | null;
  /** Prompts with a worse, and with a better, value than the baseline's; null for the baseline itself. */
  readonly changed: { readonly worse: number; readonly better: number } | null;
  readonly compression: number;
  readonly kvBytes: number;
  readonly prefillSeconds: number;
  /** Seconds a decoded token. */
  readonly tokenSeconds: number;
}

/** Rows of one task by configuration, in order of first appearance; `metric` is the task's. */
export function summarise(rows: readonly EvaluationRow[], metric: string): EvaluationSummary[] {
  const byConfiguration = groupBy(rows, labeller(rows));
  const unpruned = rows.filter(({ config }) => config === "baseline");
  const baseline = new Map(unpruned.map((row) => [row.item, valueOf(row, metric)]));
  const losses = new Map(unpruned.flatMap((row) => (row.metrics["loss"] === undefined ? [] : [[row.item, row.metrics["loss"]] as const])));
  const better = metric === "loss" ? -1 : 1;
  return [...byConfiguration].map(([label, found]) => {
    const values = found.map((row) => valueOf(row, metric));
    const paired = found.flatMap((row) => (baseline.has(row.item) ? [valueOf(row, metric) - baseline.get(row.item)!] : []));
    const { config, scorer, kv_policy: kvPolicy } = found[0]!;
    const average = mean(values);
    const reference = baseline.size ? mean([...baseline.values()]) : 0;
    const tokens = found.reduce((sum, row) => sum + row.decoded_tokens, 0);
    return {
      label, config, scorer, kvPolicy,
      prompts: found.length,
      mean: average,
      interval: bootstrap(values, mean),
      difference: config === "baseline" || paired.length === 0 ? null : { mean: mean(paired), interval: bootstrap(paired, mean) },
      share: reference !== 0 ? average / reference : null,
      loss: metric === "loss" ? null : lossOf(found, config === "baseline" ? new Map() : losses),
      answers: answersOf(found),
      changed: config === "baseline" || paired.length === 0 ? null : { worse: paired.filter((value) => better * value < 0).length, better: paired.filter((value) => better * value > 0).length },
      compression: mean(found.map((row) => row.compression)),
      kvBytes: mean(found.map((row) => row.kv_bytes)),
      prefillSeconds: mean(found.map((row) => row.prefill_latency_seconds)),
      tokenSeconds: tokens ? found.reduce((sum, row) => sum + row.decode_latency_seconds, 0) / tokens : 0,
    };
  });
}

function lossOf(rows: readonly EvaluationRow[], unpruned: ReadonlyMap<string, number>): EvaluationSummary["loss"] {
  const known = rows.flatMap(({ item, metrics: { loss } }) => (loss === undefined ? [] : [{ item, loss }]));
  if (known.length === 0) return null;
  const paired = known.flatMap(({ item, loss }) => (unpruned.has(item) ? [loss - unpruned.get(item)!] : []));
  return { mean: mean(known.map(({ loss }) => loss)), difference: paired.length === 0 ? null : { mean: mean(paired), interval: bootstrap(paired, mean) } };
}

function answersOf(rows: readonly EvaluationRow[]): EvaluationSummary["answers"] {
  const known = rows.filter(({ metrics }) => metrics["answer_tokens"] !== undefined);
  if (known.length === 0) return null;
  return { tokens: mean(known.map(({ metrics }) => metrics["answer_tokens"]!)), ended: mean(known.map(({ metrics }) => metrics["ended"] ?? 1)) };
}

/** A prompt that lost against the unpruned model. */
export interface LostPrompt {
  readonly label: string;
  readonly item: string;
  readonly was: number;
  readonly is: number;
  readonly output?: string;
}

/** Of each configuration the prompts that lost most against the baseline: by the metric, then by the loss of the right answer. */
export function worst(rows: readonly EvaluationRow[], { metric, better }: { metric: string; better: "higher" | "lower" }, count: number): LostPrompt[] {
  const label = labeller(rows);
  const baseline = new Map(rows.filter(({ config }) => config === "baseline").map((row) => [row.item, row]));
  return [...groupBy(rows.filter(({ config }) => config !== "baseline"), label)].flatMap(([name, found]) => found
    .flatMap((row) => {
      const other = baseline.get(row.item);
      if (!other) return [];
      const [was, is] = [valueOf(other, metric), valueOf(row, metric)];
      return [{ row, was, is, lost: better === "higher" ? was - is : is - was, nats: (row.metrics["loss"] ?? 0) - (other.metrics["loss"] ?? 0) }];
    })
    .filter(({ lost }) => lost > 0)
    .sort((a, b) => b.lost - a.lost || b.nats - a.nats)
    .slice(0, count)
    .map(({ row, was, is }) => ({ label: name, item: row.item, was, is, ...(row.output !== undefined && { output: row.output }) })));
}

function valueOf(row: EvaluationRow, metric: string): number {
  const value = row.metrics[metric];
  if (value === undefined) throw new Error(`metric: ${metric} (rows of ${row.task} have ${Object.keys(row.metrics).join(", ")})`);
  return value;
}

/** In order of first appearance. */
export function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}
