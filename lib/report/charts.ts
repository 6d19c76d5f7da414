import type { Data, Layout } from "plotly.js";
import { conditions } from "./conditions.js";
import type { Figure } from "./figure.js";
import { byConfig, lengthLabel, variantLabel } from "./label.js";
import type { Table2Row } from "./rows.js";

/** Okabe and Ito's palette: told apart with any colour vision. */
const palette = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000"];

/**
 * Speedup of prefill (lines) and of prefill + decode (dashed) by prompt length, a colour a configuration.
 * @throws when no row has a speedup
 */
export function speedupChart(rows: readonly Table2Row[]): Figure {
  const lines = (name: string, key: "prefillSpeedup" | "endToEndSpeedup", dash: "solid" | "dash") =>
    prunedOf(rows).flatMap((method, i): Data[] => {
      const points = rows.filter((row) => row.method === method && row[key] !== null);
      if (points.length === 0) return [];
      return [{ type: "scatter", mode: "lines+markers", name: `${method}, ${name}`, x: points.map(({ length }) => lengthLabel(length)), y: points.map((row) => row[key]!), line: { color: colour(i), dash } }];
    });
  const data = [...lines("prefill", "prefillSpeedup", "solid"), ...lines("end to end", "endToEndSpeedup", "dash")];
  requireData(data, "speedup");
  return { data, layout: layout("Speedup over the unpruned prompt", rows, { xaxis: lengths(rows), yaxis: { title: { text: "speedup (×)" }, rangemode: "tozero" }, shapes: [evenLine] }) };
}

/** Seconds of prefill and decode, stacked, a bar a configuration at each prompt length. */
export function latencyChart(rows: readonly Table2Row[]): Figure {
  const sorted = [...rows].sort((a, b) => a.length - b.length);
  const part = (name: string, key: "prefill" | "decode", color: string): Data[] => {
    const bars = sorted.filter((row) => row[key] !== null);
    if (bars.length === 0) return [];
    return [{ type: "bar", name, x: [bars.map(({ length }) => lengthLabel(length)), bars.map(({ config, variant, method, metadata }) => (metadata ? variantLabel(config, variant) : method))], y: bars.map((row) => row[key]!), marker: { color } }];
  };
  const data = [...part("prefill", "prefill", palette[0]!), ...part("decode", "decode", palette[1]!)];
  requireData(data, "latency");
  return { data, layout: layout("Latency", rows, { barmode: "stack", xaxis: { type: "multicategory", automargin: true, title: { text: "prompt length (tokens)" } }, yaxis: { title: { text: "seconds" } } }) };
}

/** Bytes of KV cache after prefill by prompt length, a line a configuration, the baseline too. */
export function kvBytesChart(rows: readonly Table2Row[]): Figure {
  const data = ["Baseline", ...prunedOf(rows)].flatMap((method, i): Data[] => {
    const points = rows.filter((row) => row.method === method && row.kvBytes !== null);
    if (points.length === 0) return [];
    const color = i === 0 ? "#777777" : colour(i - 1);
    return [{ type: "scatter", mode: "lines+markers", name: method, x: points.map(({ length }) => lengthLabel(length)), y: points.map(({ kvBytes }) => kvBytes! / 1e6), line: { color } }];
  });
  requireData(data, "KV bytes");
  return { data, layout: layout("KV cache after prefill", rows, { xaxis: lengths(rows), yaxis: { title: { text: "MB" }, rangemode: "tozero" } }) };
}

/** What a configuration keeps of the quality and gains in speed. */
export interface QualityPoint {
  readonly config: string;
  /** A score or a loss, in the unit that `qualityLabel` names. */
  readonly quality: number;
  /** Interval of the quality, where it is known. */
  readonly interval?: { readonly low: number; readonly high: number };
  /** Speedup over the baseline, whose own is 1. */
  readonly speedup: number;
  /** Told apart by symbol: a scorer, a KV policy. */
  readonly variant?: string;
}

export interface QualityChartOptions {
  /** Of the vertical axis: "retrieval accuracy", "nats a token". */
  readonly qualityLabel: string;
  /** Of the horizontal axis, "prefill speedup (×)" by default. */
  readonly speedupLabel?: string;
  /** Model, device and so on, shown under the title. */
  readonly conditions: string;
}

/** Quality against speedup, a point a configuration, a symbol a variant, intervals as bars. */
export function qualityChart(points: readonly QualityPoint[], { qualityLabel, speedupLabel = "prefill speedup (×)", conditions: subtitle }: QualityChartOptions): Figure {
  const symbols = ["circle", "square", "diamond", "cross", "triangle-up", "star"] as const;
  const variants = [...new Set(points.map(({ variant }) => variant ?? ""))];
  const data = variants.map((variant, i): Data => {
    const shown = points.filter((point) => (point.variant ?? "") === variant);
    const known = shown.some(({ interval }) => interval);
    const bars = known && {
      error_y: {
        type: "data" as const,
        symmetric: false,
        array: shown.map(({ quality, interval }) => (interval ? interval.high - quality : 0)),
        arrayminus: shown.map(({ quality, interval }) => (interval ? quality - interval.low : 0)),
      },
    };
    return {
      type: "scatter",
      mode: "text+markers",
      name: variant || "configurations",
      x: shown.map(({ speedup }) => speedup),
      y: shown.map(({ quality }) => quality),
      text: shown.map(({ config }) => `  ${config}`),
      textposition: "middle right",
      cliponaxis: false,
      marker: { color: colour(i), size: 9, symbol: symbols[i % symbols.length]! },
      ...bars,
    };
  });
  requireData(data, "quality");
  return { data, layout: { ...titled(`${qualityLabel} against ${speedupLabel.replace(/ \(.*/, "")}`, subtitle), xaxis: { title: { text: speedupLabel } }, yaxis: { title: { text: qualityLabel } }, showlegend: variants.length > 1 } };
}

/** Where pruning neither gains nor loses. */
const evenLine = { type: "line" as const, xref: "paper" as const, x0: 0, x1: 1, y0: 1, y1: 1, line: { color: "#999999", width: 1 } };

const colour = (index: number) => palette[index % palette.length]!;

/** Methods of all rows but the baseline's, each once. */
function prunedOf(rows: readonly Table2Row[]): string[] {
  const pruned = rows.filter(({ config }) => config !== "baseline").sort((a, b) => byConfig(a.config, b.config));
  return [...new Set(pruned.map(({ method }) => method))];
}

/** Lengths as categories in ascending order: they double, so a linear axis would crowd the short ones. */
function lengths(rows: readonly Table2Row[]): Partial<Layout>["xaxis"] {
  const sorted = [...new Set(rows.map(({ length }) => length))].sort((a, b) => a - b);
  return { title: { text: "prompt length (tokens)" }, type: "category", categoryorder: "array", categoryarray: sorted.map(lengthLabel) };
}

function layout(title: string, rows: readonly Table2Row[], rest: Partial<Layout>): Partial<Layout> {
  return { ...titled(title, conditions(rows).join(" ")), ...rest };
}

/** Characters of a subtitle's line: a chart cuts what is wider than itself. */
const LINE = 70;

/** A title at the left with the conditions under it, in lines, and room for them. */
function titled(text: string, subtitle: string): Partial<Layout> {
  const lines = subtitle.split(" ").reduce<string[]>((all, word) => {
    const last = all.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= LINE) all[all.length - 1] = `${last} ${word}`;
    else all.push(word);
    return all;
  }, []);
  return { title: { text, subtitle: { text: lines.join("<br>") }, x: 0, xref: "paper", xanchor: "left", y: 1, yref: "paper", yanchor: "bottom", pad: { b: 22 + 16 * lines.length } }, margin: { t: 60 + 16 * lines.length } };
}

function requireData(data: readonly Data[], what: string): void {
  if (data.length === 0) throw new Error(`chart: no ${what} in the rows (nothing to draw)`);
}
