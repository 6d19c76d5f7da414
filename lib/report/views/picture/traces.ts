import { escapeHtml } from "../../../escape-html.js";
import type { Attributes } from "../../figure.js";
import { colours } from "./colour.js";
import { png } from "./png.js";
import { category, type Scale } from "./scale.js";

/** Where a trace is drawn: its scales, the plot's corner and size in pixels. */
export interface Plot {
  readonly x: Scale;
  readonly y: Scale;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** More points than this of one trace tell the eye nothing more. */
const MOST = 2000;

const px = (value: number): string => String(Math.round(10 * value) / 10);
const list = (values: unknown): unknown[] => Array.from((values ?? []) as ArrayLike<unknown>);
const dashes: Readonly<Record<string, string>> = { dash: "8 5", dot: "2 4", dashdot: "8 4 2 4", longdash: "12 5" };

/** A trace's own coordinates; of a multicategory axis pairs. */
export function coordinates({ x, y }: Attributes): [unknown[], unknown[]] {
  const along = (values: unknown, count: number): unknown[] => {
    const found = list(values);
    if (found.length === 2 && found.every((level) => Array.isArray(level)) && (found[0] as unknown[]).length === count) return (found[0] as unknown[]).map((first, i) => [first, (found[1] as unknown[])[i]]);
    return found.length > 0 ? found : Array.from({ length: count }, (_, i) => i);
  };
  const ys = list(y);
  return [along(x, ys.length), ys.length > 0 ? ys : list(x).map((_, i) => i)];
}

const place = ({ x, y, left, top, width, height }: Plot, a: unknown, b: unknown): [number, number] => [left + x.at(a) * width, top + (1 - y.at(b)) * height];

export function scatter(trace: Attributes, plot: Plot, colour: string): string {
  const [xs, ys] = coordinates(trace);
  const step = Math.max(1, Math.ceil(xs.length / MOST));
  const points = xs.flatMap((x, i) => (i % step === 0 ? [place(plot, x, ys[i])] : []));
  const mode = String(trace["mode"] ?? "lines+markers");
  const { shape, dash, width = 2 } = (trace["line"] ?? {}) as { shape?: string; dash?: string; width?: number };
  let [path, before] = ["", undefined as [number, number] | undefined];
  for (const [x, y] of points) {
    const isThere = Number.isFinite(x) && Number.isFinite(y);
    if (isThere) path += !before ? `M${px(x)} ${px(y)}` : shape === "hv" ? `H${px(x)}V${px(y)}` : `L${px(x)} ${px(y)}`;
    before = isThere ? [x, y] : undefined;
  }
  const drawn = points.map((point, i) => [point, i * step] as const).filter(([[x, y]]) => Number.isFinite(x) && Number.isFinite(y));
  const { size = 6 } = (trace["marker"] ?? {}) as { size?: unknown };
  const radius = typeof size === "number" ? size / 2 : 3;
  const bars = errors(trace, plot, xs, ys, colour);
  return [
    mode.includes("lines") ? `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${width}"${dash && dashes[dash] ? ` stroke-dasharray="${dashes[dash]}"` : ""}/>` : "",
    bars,
    mode.includes("markers") ? `<g fill="${colour}">${drawn.map(([[x, y]]) => `<circle cx="${px(x)}" cy="${px(y)}" r="${px(radius)}"/>`).join("")}</g>` : "",
    mode.includes("text") ? drawn.map(([[x, y], i]) => `<text x="${px(x + 6)}" y="${px(y + 4)}">${escapeHtml(String(list(trace["text"])[i] ?? "").trim())}</text>`).join("") : "",
  ].join("");
}

function errors({ error_y: error }: Attributes, plot: Plot, xs: unknown[], ys: unknown[], colour: string): string {
  if (!error?.array) return "";
  const lines = xs.map((x, i) => {
    const [[at, high], [, low]] = [place(plot, x, Number(ys[i]) + Number(error.array[i])), place(plot, x, Number(ys[i]) - Number((error.arrayminus ?? error.array)[i]))];
    return [at, high, low].every(Number.isFinite) ? `M${px(at)} ${px(high)}V${px(low)}` : "";
  });
  return `<path d="${lines.join("")}" stroke="${colour}" stroke-width="1.5"/>`;
}

/** Bars of one trace. @param stacked what is there already at each category, changed @param slot its place among bars side by side */
export function bars(trace: Attributes, plot: Plot, colour: string, stacked: Map<string, number> | undefined, [slot, slots]: readonly [number, number]): string {
  const [xs, ys] = coordinates(trace);
  const gap = xs.length > 1 ? Math.min(...xs.slice(1).map((x, i) => Math.abs(plot.x.at(x) - plot.x.at(xs[i]))).filter((each) => each > 0)) : 1 / 3;
  const whole = 0.8 * plot.width * (plot.x.band || (Number.isFinite(gap) ? gap : 0.2));
  const width = stacked ? whole : whole / slots;
  const fills = (trace["marker"] as { color?: unknown } | undefined)?.color;
  return xs.map((x, i) => {
    const value = Number(ys[i]);
    const base = stacked?.get(category(x)) ?? 0;
    stacked?.set(category(x), base + value);
    const [[at, to], [, from]] = [place(plot, x, base + value), place(plot, x, base)];
    if (![at, to, from].every(Number.isFinite)) return "";
    const left = at - whole / 2 + (stacked ? 0 : slot * width);
    return `<rect x="${px(left)}" y="${px(Math.min(to, from))}" width="${px(Math.max(0.5, width))}" height="${px(Math.abs(from - to))}" fill="${Array.isArray(fills) ? escapeHtml(String(fills[i])) : colour}"/>`;
  }).join("");
}

export function heatmap(trace: Attributes, plot: Plot): { svg: string; low: number; high: number; colour: (share: number) => readonly number[] } {
  const rows = list(trace["z"]).map((row) => list(row).map((value) => (value === null || value === undefined ? NaN : Number(value))));
  const finite = rows.flat().filter(Number.isFinite);
  const low = Number(trace["zmin"] ?? finite.reduce((a, b) => Math.min(a, b), Infinity));
  const high = Number(trace["zmax"] ?? finite.reduce((a, b) => Math.max(a, b), -Infinity));
  const colour = colours(trace["colorscale"], trace["reversescale"] === true);
  const [height, width] = [rows.length, Math.max(...rows.map((row) => row.length))];
  const pixels = new Uint8Array(4 * width * height);
  const isTurned = plot.y.at(edges(trace["y"], height)[0]) > plot.y.at(edges(trace["y"], height)[1]);
  rows.forEach((row, r) => row.forEach((value, c) => {
    if (!Number.isFinite(value)) return;
    const [red, green, blue, alpha] = colour((value - low) / (high - low || 1));
    pixels.set([red!, green!, blue!, 255 * alpha!].map(Math.round), 4 * ((isTurned ? r : height - 1 - r) * width + c));
  }));
  const uri = `data:image/png;base64,${png(pixels, width, height).toString("base64")}`;
  return { low, high, colour, svg: `<image x="${px(plot.left)}" y="${px(plot.top)}" width="${px(plot.width)}" height="${px(plot.height)}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${uri}"/>` };
}

/** First and last edge of a heat map's cells along an axis: half a cell beyond their middles. */
export function edges(values: unknown, count: number): [unknown, unknown] {
  const all = list(values);
  if (all.some((value) => typeof value === "string")) return [all[0], all.at(-1)];
  const [first, last] = all.length > 0 ? [Number(all[0]), Number(all.at(-1))] : [0, count - 1];
  const half = count > 1 ? (last - first) / (count - 1) / 2 : 0.5;
  return [first - half, last + half];
}
