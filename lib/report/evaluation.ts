import type { EvaluationSummary } from "../evaluate/summary.js";
import type { EvaluationTask } from "../evaluate/task.js";
import { modelLabel, type MeasuredModel } from "./label.js";
import type { Table } from "./table.js";

/** A task's summaries, a row a configuration; intervals are bootstrapped over prompts. */
export function evaluationTable(model: MeasuredModel, task: Pick<EvaluationTask, "name" | "metric" | "better" | "settings">, summaries: readonly EvaluationSummary[]): Table<EvaluationSummary> {
  const fixed = (value: number) => value.toFixed(Math.abs(value) < 0.1 && value !== 0 ? 4 : 3);
  const range = ({ low, high }: { low: number; high: number }) => `${fixed(low)} to ${fixed(high)}`;
  const title = `${task.name[0]!.toUpperCase()}${task.name.slice(1)}`;
  return {
    title,
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
    above: [`${title} on ${modelLabel(model)}; ${told(task.settings)}.`],
    warnings: [],
    facts: ({ config, scorer, kvPolicy }) => ({ config, scorer, kv_policy: kvPolicy }),
  };
}

/** `lengths 1024, 2048; samples 8`. */
function told(settings: EvaluationTask["settings"]): string {
  return Object.entries(settings).map(([key, value]) => `${key} ${Array.isArray(value) ? value.join(", ") : String(value)}`).join("; ");
}
