import type { EvaluationSummary } from "./summary.js";
import type { EvaluationTask } from "./task.js";

/** A summary for reading: one line a configuration, intervals at 95 %. */
export function summaryText({ name, metric, better, settings }: Pick<EvaluationTask, "name" | "metric" | "better" | "settings">, summaries: readonly EvaluationSummary[]): string {
  const fixed = (value: number) => value.toFixed(Math.abs(value) < 0.1 && value !== 0 ? 4 : 3);
  const interval = ({ low, high }: { low: number; high: number }) => `${fixed(low)} … ${fixed(high)}`;
  const head = ["configuration", metric, "95 % interval", "against baseline", "95 % interval", "1/tau", "KV bytes", "prefill (s)", "prompts"];
  const body = summaries.map(({ label, mean, interval: range, difference, compression, kvBytes, prefillSeconds, prompts }) => [
    label, fixed(mean), interval(range),
    difference ? `${difference.mean < 0 ? "" : "+"}${fixed(difference.mean)}` : "-", difference ? interval(difference.interval) : "-",
    compression.toFixed(2), String(Math.round(kvBytes)), prefillSeconds.toFixed(4), String(prompts),
  ]);
  const widths = head.map((_, c) => Math.max(...[head, ...body].map((row) => row[c]!.length)));
  const lines = [head, ...body].map((row) => row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!))).join("  "));
  return [`${name} (${metric}: ${better} is better)  ${JSON.stringify(settings)}`, ...lines].join("\n");
}
