import { bootstrap, type Interval } from "../bench/statistics.js";
import { configurationLabel } from "./configuration.js";
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
  readonly compression: number;
  readonly kvBytes: number;
  readonly prefillSeconds: number;
  /** Seconds a decoded token. */
  readonly tokenSeconds: number;
}

/** Rows of one task by configuration, in order of first appearance; `metric` is the task's. */
export function summarise(rows: readonly EvaluationRow[], metric: string): EvaluationSummary[] {
  const byConfiguration = groupBy(rows, (row) => configurationLabel(row));
  const baseline = new Map(rows.filter(({ config }) => config === "baseline").map((row) => [row.item, valueOf(row, metric)]));
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
      compression: mean(found.map((row) => row.compression)),
      kvBytes: mean(found.map((row) => row.kv_bytes)),
      prefillSeconds: mean(found.map((row) => row.prefill_latency_seconds)),
      tokenSeconds: tokens ? found.reduce((sum, row) => sum + row.decode_latency_seconds, 0) / tokens : 0,
    };
  });
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
