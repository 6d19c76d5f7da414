import type { Attributes } from "../../figure.js";
import { colours } from "./colour.js";
import { type Area, label, plainWords, px, rgb, text } from "./draw.js";
import { place, type Plot } from "./plot.js";
import { png } from "./png.js";
import { extent, isList, list, numbers } from "./values.js";

export interface HeatMap {
  readonly svg: string;
  readonly low: number;
  readonly high: number;
  readonly colour: (share: number) => readonly number[];
}

/** More cells than this are not worth a rectangle each. */
const MOST_CELLS = 10_000;

export function heatmap(trace: Attributes, plot: Plot): HeatMap {
  const rows = list(trace["z"]).map(numbers);
  const [least, most] = extent(rows.map(extent).flat());
  const [low, high] = [Number(trace["zmin"] ?? least), Number(trace["zmax"] ?? most)];
  const colour = colours(trace["colorscale"], trace["reversescale"] === true);
  const [height, width] = [rows.length, rows.reduce((longest, row) => Math.max(longest, row.length), 0)];
  const [xs, ys] = [edges(trace, "x", width), edges(trace, "y", height)];
  const share = (value: number): readonly number[] => colour((value - low) / (high - low || 1));
  const isUneven = (at: readonly number[]): boolean => at.some((each, i) => i > 1 && Math.abs(each - at[i - 1]! - (at[1]! - at[0]!)) > 0.02 * Math.abs(at[1]! - at[0]!));
  const [across, down] = [xs.map((each) => plot.left + plot.x.at(each) * plot.width), ys.map((each) => plot.top + (1 - plot.y.at(each)) * plot.height)];
  const isCells = plot.x.band === 0 && plot.y.band === 0 && (isUneven(across) || isUneven(down)) && width * height <= MOST_CELLS;
  const svg = isCells ? cells(rows, across, down, share) : image(rows, [width, height], share, plot, trace);
  return { low, high, colour, svg: svg + labels(trace, rows, plot) };
}

/** Cells of different sizes, a rectangle each. */
function cells(rows: readonly number[][], across: readonly number[], down: readonly number[], share: (value: number) => readonly number[]): string {
  return rows.flatMap((row, r) => row.map((value, c) => {
    const [x, u, y, v] = [across[c]!, across[c + 1]!, down[r]!, down[r + 1]!];
    if (!Number.isFinite(value) || ![x, u, y, v].every(Number.isFinite)) return "";
    return `<rect x="${px(Math.min(x, u))}" y="${px(Math.min(y, v))}" width="${px(Math.abs(u - x) + 0.3)}" height="${px(Math.abs(v - y) + 0.3)}" fill="${rgb(share(value))}"/>`;
  })).join("");
}

/** Cells of one size: one image, a pixel each. */
function image(rows: readonly number[][], [width, height]: readonly [number, number], share: (value: number) => readonly number[], plot: Plot, trace: Attributes): string {
  const ends = (axis: "x" | "y", count: number): [number, number] => {
    const scale = plot[axis];
    const own = list(trace[axis]);
    if (scale.band > 0) return [scale.at(own[0] ?? 0), scale.at(own.at(-1) ?? count - 1)].map((at, i, [a, b]) => at + (((i === 0 ? -1 : 1) * scale.band) / 2) * (b! >= a! ? 1 : -1)) as [number, number];
    const all = edges(trace, axis, count);
    return [scale.at(all[0]), scale.at(all.at(-1))];
  };
  const [[x0, x1], [y0, y1]] = [ends("x", width), ends("y", height)];
  const pixels = new Uint8Array(4 * width * height);
  rows.forEach((row, r) => row.forEach((value, c) => {
    if (!Number.isFinite(value)) return;
    const [red, green, blue, alpha] = share(value);
    pixels.set([red!, green!, blue!, 255 * alpha!].map(Math.round), 4 * ((y0 > y1 ? r : height - 1 - r) * width + (x0 > x1 ? width - 1 - c : c)));
  }));
  const uri = `data:image/png;base64,${png(pixels, width, height).toString("base64")}`;
  const [left, top] = [plot.left + Math.min(x0, x1) * plot.width, plot.top + (1 - Math.max(y0, y1)) * plot.height];
  return `<image x="${px(left)}" y="${px(top)}" width="${px(Math.abs(x1 - x0) * plot.width)}" height="${px(Math.abs(y1 - y0) * plot.height)}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${uri}"/>`;
}

/** What stands in the cells where they are few. */
function labels(trace: Attributes, rows: readonly number[][], plot: Plot): string {
  const own = list(trace["text"]);
  const template = String(trace["texttemplate"] ?? "");
  if (!/%\{(z|text)\b/.test(template) || rows.length * (rows[0]?.length ?? 0) > 400) return "";
  const [xs, ys] = [list(trace["x"]), list(trace["y"])];
  return rows.flatMap((row, r) => row.map((value, c) => {
    const [x, y] = place(plot, xs[c] ?? c, ys[r] ?? r);
    const words = template.includes("%{z") ? (Number.isFinite(value) ? label(value) : "") : plainWords(isList(own[r]) ? list(own[r])[c] : "");
    return words && Number.isFinite(x) && Number.isFinite(y) ? text(x, y + 4, words, 'text-anchor="middle" fill="#fff" stroke="#333" stroke-width="2.5" paint-order="stroke"') : "";
  })).join("");
}

/** The lines between a heat map's cells along an axis: half way between their middles. Of names the names themselves. */
export function edges(trace: Attributes, axis: "x" | "y", count: number): readonly any[] {
  const own = list(trace[axis]);
  if (own.some((value) => typeof value === "string" || value instanceof Date)) return own;
  const at = own.length > 0 ? own.map(Number) : Array.from({ length: count }, (_, i) => Number(trace[`${axis}0`] ?? 0) + i * Number(trace[`d${axis}`] ?? 1));
  if (at.length === count + 1) return at;
  if (at.length < 2) return [at[0]! - 0.5, at[0]! + 0.5];
  return [at[0]! - (at[1]! - at[0]!) / 2, ...at.slice(1).map((each, i) => (each + at[i]!) / 2), at.at(-1)! + (at.at(-1)! - at.at(-2)!) / 2];
}

/** What the colours of a heat map, a surface or points mean. */
export function colourBar({ low, high, colour }: Omit<HeatMap, "svg">, { left, top, width, height }: Area): string {
  const steps = Array.from({ length: 32 }, (_, i) => {
    const shade = colour((31 - i) / 31);
    return `<rect x="${Math.round(left + width + 14)}" y="${(top + (i * height) / 32).toFixed(1)}" width="14" height="${(height / 32 + 0.5).toFixed(1)}" fill="${rgb(shade)}" fill-opacity="${shade[3] ?? 1}"/>`;
  });
  return steps.join("") + text(left + width + 33, top + 10, label(high)) + text(left + width + 33, top + height, label(low));
}
