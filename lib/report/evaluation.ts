import type { EvaluationSummary } from "../evaluate/summary.js";
import type { EvaluationTask } from "../evaluate/task.js";
import { modelLabel, type MeasuredModel } from "./label.js";
import type { Table } from "./table.js";

/** A task's summaries, a row a configuration; intervals are bootstrapped over prompts. */
export function evaluationTable(model: MeasuredModel, task: Pick<EvaluationTask, "name" | "metric" | "better" | "settings">, summaries: readonly EvaluationSummary[]): Table<EvaluationSummary> {
  // One number of decimals in a table: four where differences are small.
  const shown = summaries.flatMap(({ difference, loss }) => [difference?.mean, loss?.difference?.mean]).filter((value): value is number => typeof value === "number" && value !== 0);
  const decimals = shown.some((value) => Math.abs(value) < 0.01) ? 4 : 3;
  const fixed = (value: number) => value.toFixed(decimals);
  const range = ({ low, high }: { low: number; high: number }) => `${fixed(low)} to ${fixed(high)}`;
  const signed = (value: number) => `${value < 0 ? "" : "+"}${fixed(value)}`;
  const title = `${task.name[0]!.toUpperCase()}${task.name.slice(1)}`;
  return {
    title,
    columns: [
      { key: "configuration", label: "Configuration", value: (row) => row.label },
      { key: task.metric, label: `${task.metric} (${task.better} is better)`, value: (row) => row.mean, format: fixed },
      { key: "interval", label: `${task.metric}, 95 %`, value: (row) => range(row.interval) },
      { key: "difference", label: "Against Baseline", value: (row) => row.difference?.mean ?? null, format: signed },
      { key: "difference_interval", label: "Against Baseline, 95 %", value: (row) => (row.difference ? range(row.difference.interval) : null) },
      ...(summaries.some(({ loss }) => loss) ? [
        { key: "loss", label: "Right Answer (nats a token)", value: (row: EvaluationSummary) => row.loss?.mean ?? null, format: fixed },
        { key: "loss_difference", label: "Against Baseline", value: (row: EvaluationSummary) => row.loss?.difference?.mean ?? null, format: signed },
        { key: "loss_interval", label: "Right Answer against Baseline, 95 %", value: (row: EvaluationSummary) => (row.loss?.difference ? range(row.loss.difference.interval) : null) },
      ] : []),
      ...(summaries.some(({ changed }) => changed) ? [
        { key: "worse", label: "Worse", value: (row: EvaluationSummary) => row.changed?.worse ?? null },
        { key: "better", label: "Better", value: (row: EvaluationSummary) => row.changed?.better ?? null },
      ] : []),
      ...(summaries.some(({ answers }) => answers) ? [
        { key: "answer_tokens", label: "Answer (tokens)", value: (row: EvaluationSummary) => row.answers?.tokens ?? null, format: (value: number) => value.toFixed(1) },
        { key: "ended", label: "Ended Itself (%)", value: (row: EvaluationSummary) => row.answers && 100 * row.answers.ended, format: (value: number) => value.toFixed(0) },
      ] : []),
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
