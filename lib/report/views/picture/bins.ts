import type { Attributes } from "../../figure.js";
import { nice } from "./scale.js";
import { extent, list, numbers } from "./values.js";

/** A histogram as the bars of its counts, in bins of a round size of about as many values as Plotly takes. */
export function binned(trace: Attributes): Attributes {
  if (trace["histfunc"] && trace["histfunc"] !== "count") throw new Error("a histogram that is no count");
  const isTurned = trace["orientation"] === "h" || (trace["x"] === undefined && trace["y"] !== undefined);
  const own = list(trace[isTurned ? "y" : "x"]);
  const isText = own.some((value) => typeof value === "string" && !Number.isFinite(Number(value)));
  const { at, counts, size } = isText ? named(own) : numbered(own, trace[isTurned ? "ybins" : "xbins"], Number(trace[isTurned ? "nbinsy" : "nbinsx"]));
  const total = counts.reduce((a, b) => a + b, 0);
  const norm = String(trace["histnorm"] ?? "");
  let values = counts.map((count) => (norm === "percent" ? (100 * count) / total : norm.startsWith("probability") ? count / total : count) / (norm.endsWith("density") ? size : 1));
  if (trace["cumulative"]?.enabled === true) { let sum = 0; values = values.map((value) => (sum += value)); }
  const { x: _, y: __, ...rest } = trace;
  return { ...rest, type: "bar", width: isText ? undefined : size, ...(isTurned ? { orientation: "h", y: at, x: values } : { x: at, y: values }) };
}

function named(values: readonly unknown[]): { at: unknown[]; counts: number[]; size: number } {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  return { at: [...counts.keys()], counts: [...counts.values()], size: 1 };
}

function numbered(given: readonly unknown[], bins: Attributes | undefined, count: number): { at: number[]; counts: number[]; size: number } {
  const values = numbers(given).filter(Number.isFinite);
  if (values.length === 0) throw new Error("no values");
  const [low, high] = extent(values);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
  const size = Number(bins?.["size"]) || nice(count > 0 ? (high - low) / count : (2 * deviation) / values.length ** 0.4) || 1;
  const start = Number.isFinite(Number(bins?.["start"] ?? NaN)) ? Number(bins!["start"]) : Math.floor(low / size) * size;
  const counts = Array<number>(Math.min(1000, Math.floor((high - start) / size + 1e-9) + 1)).fill(0);
  for (const value of values) {
    const bin = Math.floor((value - start) / size + 1e-9);
    if (bin >= 0 && bin < counts.length) counts[bin]!++;
  }
  return { at: counts.map((_, i) => Number((start + (i + 0.5) * size).toPrecision(12))), counts, size };
}

/** Pairs of values as a heat map of how often they are near each other. */
export function binned2d(trace: Attributes): Attributes {
  if ((trace["histfunc"] && trace["histfunc"] !== "count") || trace["z"] !== undefined) throw new Error("a histogram that is no count");
  const [xs, ys] = [numbers(trace["x"]), numbers(trace["y"])];
  const axes = [xs, ys].map((values, i) => {
    const [low, high] = extent(values);
    if (!Number.isFinite(low)) throw new Error("no values");
    const count = Number(trace[i === 0 ? "nbinsx" : "nbinsy"]) || Math.max(2, Math.min(40, Math.round(values.length ** 0.4)));
    const size = nice((high - low) / count) || 1;
    const start = Math.floor(low / size) * size;
    return { start, size, count: Math.floor((high - start) / size + 1e-9) + 1 };
  }) as [Axis, Axis];
  const z = Array.from({ length: axes[1].count }, () => Array<number>(axes[0].count).fill(0));
  xs.forEach((x, i) => {
    const row = z[Math.floor((ys[i]! - axes[1].start) / axes[1].size + 1e-9)];
    if (row && Number.isFinite(x)) row[Math.floor((x - axes[0].start) / axes[0].size + 1e-9)]!++;
  });
  const middles = ({ start, size, count }: Axis): number[] => Array.from({ length: count }, (_, i) => start + (i + 0.5) * size);
  return { ...trace, type: "heatmap", x: middles(axes[0]), y: middles(axes[1]), z };
}

interface Axis {
  readonly start: number;
  readonly size: number;
  readonly count: number;
}
