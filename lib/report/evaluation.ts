import type { EvaluationSummary } from "../evaluate/summary.js";
import type { EvaluationTask } from "../evaluate/task.js";
import type { Table } from "./table.js";

/** A task's summaries, a row a configuration. */
export function evaluationTable(task: Pick<EvaluationTask, "name" | "metric" | "better">, summaries: readonly EvaluationSummary[], above: readonly string[]): Table<EvaluationSummary> {
  const fixed = (value: number) => value.toFixed(Math.abs(value) < 0.1 && value !== 0 ? 4 : 3);
  const range = ({ low, high }: { low: number; high: number }) => `${fixed(low)} to ${fixed(high)}`;
  return {
    title: `${task.name[0]!.toUpperCase()}${task.name.slice(1)}`,
    columns: [
      { key: "configuration", label: "Configuration", value: (row) => row.label },
      { key: task.metric, label: `${task.metric} (${task.better} is better)`, value: (row) => row.mean, format: fixed },
      { key: "interval", label: "95 % Interval", value: (row) => range(row.interval) },
      { key: "difference", label: "Against Baseline", value: (row) => row.difference?.mean ?? null, format: (value) => `${value < 0 ? "" : "+"}${fixed(value)}` },
      { key: "difference_interval", label: "95 % Interval", value: (row) => (row.difference ? range(row.difference.interval) : null) },
      { key: "compression", label: "1/τ", value: (row) => row.compression, format: (value) => value.toFixed(2) },
      { key: "kv_bytes", label: "KV (MB)", value: (row) => row.kvBytes, format: (value) => (value / 1e6).toFixed(2) },
      { key: "prefill_seconds", label: "Prefill (s)", value: (row) => row.prefillSeconds, format: (value) => value.toFixed(4) },
      { key: "prompts", label: "Prompts", value: (row) => row.prompts },
    ],
    rows: summaries,
    above,
    warnings: [],
    facts: ({ config, scorer, kvPolicy }) => ({ config, scorer, kv_policy: kvPolicy }),
  };
}
