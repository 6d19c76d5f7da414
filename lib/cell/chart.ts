import type { EvaluationSummary } from "../evaluate/summary.js";
import { kvBytesChart, latencyChart, qualityChart, speedupChart } from "../report/charts.js";
import type { Figure } from "../report/figure.js";
import { figureText } from "../report/figure-text.js";
import { table2Rows, type Table2Row } from "../report/rows.js";
import { shown, type Shown } from "../report/views/view.js";
import type { Evaluation } from "./evaluate.js";
import { type Measured, sources } from "./measured.js";
import { modeOf } from "./tables.js";

/**
 * Speedup of prefill (lines) and of prefill + decode (dashed) by prompt length, a colour a configuration.
 * @returns a Plotly figure: `.data`, `.layout`
 * @example
 * sdtp.chart.speedup(rows)
 */
export function speedup(measured: Measured): Shown<Figure> {
  return drawn(speedupChart, measured);
}

/**
 * Seconds of prefill and decode, stacked, a bar a configuration at each prompt length.
 * @example
 * sdtp.chart.latency(rows)
 */
export function latency(measured: Measured): Shown<Figure> {
  return drawn(latencyChart, measured);
}

/**
 * Bytes of KV cache after prefill by prompt length, a line a configuration.
 * @example
 * sdtp.chart.kvBytes(rows)
 */
export function kvBytes(measured: Measured): Shown<Figure> {
  return drawn(kvBytesChart, measured);
}

/**
 * What configurations cost in quality and gain in prefill time, a point a configuration, a symbol a scorer.
 * @param evaluation what `perplexity` or `retrieval` gave; its own prefill times are the speedups
 * @example
 * sdtp.chart.quality(await sdtp.retrieval(model, { configs: ["keep07", "sdtp"], lengths: [1024] }))
 */
export function quality(evaluation: Evaluation): Shown<Figure> {
  const { summary, metric, better, model, task } = evaluation;
  const baseline = summary.find(({ config }) => config === "baseline");
  if (!baseline) throw new Error("chart: no baseline in the evaluation (speedups are against it)");
  const points = summary.map(({ config, scorer, kvPolicy, mean, interval, prefillSeconds }) => ({
    config, quality: mean, interval, speedup: baseline.prefillSeconds / prefillSeconds, variant: scorer === null ? "baseline" : `${scorer}, ${kvPolicy}`,
  }));
  const figure = qualityChart(points, { qualityLabel: `${metric} (${better} is better)`, conditions: `Model ${model}, ${task}, ${Math.max(...summary.map(({ prompts }) => prompts))} prompts.` });
  return asView(figure, summary.map((row: EvaluationSummary) => `${row.label}: ${row.mean.toFixed(3)}`));
}

function drawn(chart: (rows: readonly Table2Row[]) => Figure, measured: Measured): Shown<Figure> {
  const found = sources(measured);
  const { rows } = table2Rows({ mode: modeOf(found.map(({ results }) => results)), sources: found });
  const figure = chart(rows);
  return asView(figure, figureText(figure));
}

function asView(figure: Figure, lines: readonly string[]): Shown<Figure> {
  const title = (figure.layout["title"] as { text: string }).text;
  return shown(figure, { title, text: [title, ...lines].join("\n"), figure });
}
