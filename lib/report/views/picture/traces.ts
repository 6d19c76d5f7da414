import { escapeHtml } from "../../../escape-html.js";
import type { Attributes } from "../../figure.js";
import { plainWords, pointColours, px, text } from "./draw.js";
import { place, type Plot } from "./plot.js";
import { category } from "./scale.js";
import { isList, list, numbers } from "./values.js";

/** More points than this of one trace tell the eye nothing more. */
const MOST = 2000;

const dashes: Readonly<Record<string, string>> = { dash: "8 5", dot: "2 4", dashdot: "8 4 2 4", longdash: "12 5" };

/** A trace's own coordinates; of a multicategory axis pairs. */
export function coordinates({ x, y, x0 = 0, dx = 1, y0 = 0, dy = 1 }: Attributes): [unknown[], unknown[]] {
  const pairs = (values: unknown): unknown[] => {
    const found = list(values);
    return found.length === 2 && found.every(isList) ? list(found[0]).map((first, i) => [first, list(found[1])[i]]) : found;
  };
  const [xs, ys] = [pairs(x), pairs(y)];
  const count = xs.length > 0 && ys.length > 0 ? Math.min(xs.length, ys.length) : Math.max(xs.length, ys.length);
  const along = (values: unknown[], from: number, by: number): unknown[] => (values.length > 0 ? values.slice(0, count) : Array.from({ length: count }, (_, i) => from + i * by));
  return [along(xs, Number(x0), Number(dx)), along(ys, Number(y0), Number(dy))];
}

/** The points that are drawn of many: of each few neighbours the lowest, the highest and a gap, so that no spike is lost. */
function chosen(ys: readonly unknown[]): number[] {
  if (ys.length <= MOST) return ys.map((_, i) => i);
  const size = Math.ceil((3 * ys.length) / MOST);
  const found = new Set([0, ys.length - 1]);
  for (let start = 0; start < ys.length; start += size) {
    let [low, high, gap] = [-1, -1, -1];
    for (let i = start; i < Math.min(ys.length, start + size); i++) {
      if (ys[i] === null || ys[i] === undefined || Number.isNaN(ys[i])) gap = i;
      else {
        if (low < 0 || Number(ys[i]) < Number(ys[low])) low = i;
        if (high < 0 || Number(ys[i]) > Number(ys[high])) high = i;
      }
    }
    for (const each of [low, high, gap]) if (each >= 0) found.add(each);
  }
  return [...found].sort((a, b) => a - b);
}

/** The largest of a trace's points in pixels. */
export const largest = ({ marker }: Attributes): number => (isList(marker?.size) ? Math.max(0, ...numbers(marker.size).filter(Number.isFinite).map(pointRadius(marker))) : 0);

/** From a marker's size to its radius in pixels. */
function pointRadius(marker: Attributes | undefined): (size: number) => number {
  const reference = Number(marker?.["sizeref"]) || 1;
  return (size) => Math.max(1, (marker?.["sizemode"] === "area" ? Math.sqrt(Math.max(0, size) / reference) : size / reference) / 2);
}

export function scatter(trace: Attributes, plot: Plot, colour: string, below: Attributes | undefined): string {
  const [xs, ys] = coordinates(trace);
  const mode = String(trace["mode"] ?? (xs.length < 20 ? "lines+markers" : "lines"));
  const indices = chosen(ys);
  const points = indices.map((i) => place(plot, xs[i], ys[i]));
  const { shape, dash, width = 2 } = (trace["line"] ?? {}) as { shape?: string; dash?: string; width?: number };
  const path = lineThrough(points, shape, trace["connectgaps"] === true);
  const drawn = points.map((point, i) => [point, indices[i]!] as const).filter(([[x, y]]) => Number.isFinite(x) && Number.isFinite(y));
  const marker = trace["marker"] as Attributes | undefined;
  const fill = pointColours(marker, colour);
  const sizes = isList(marker?.["size"]) ? numbers(marker!["size"]) : undefined;
  const radius = (i: number): number => (sizes ? pointRadius(marker)(sizes[i] ?? 0) : (Number(marker?.["size"]) || 6) / 2);
  const opacity = Number(marker?.["opacity"] ?? trace["opacity"] ?? (sizes ? 0.7 : 1));
  const labels = isList(trace["text"]) ? list(trace["text"]) : undefined;
  return [
    filled(trace, points, plot, colour, below),
    mode.includes("lines") && width > 0 ? `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${Number(width)}"${dash && dashes[dash] ? ` stroke-dasharray="${dashes[dash]}"` : ""}/>` : "",
    errors(trace["error_y"], xs, ys, (x, y, by) => [place(plot, x, Number(y) + by), true], colour),
    errors(trace["error_x"], ys, xs, (y, x, by) => [place(plot, Number(x) + by, y), false], colour),
    mode.includes("markers") ? `<g fill="${colour}"${opacity < 1 ? ` fill-opacity="${opacity}"` : ""}>${drawn.map(([[x, y], i]) => `<circle cx="${px(x)}" cy="${px(y)}" r="${px(radius(i))}"${fill(i) === colour ? "" : ` fill="${fill(i)}"`}/>`).join("")}</g>` : "",
    mode.includes("text") ? drawn.map(([[x, y], i]) => `<text x="${px(x + 6)}" y="${px(y + 4)}">${escapeHtml(plainWords(labels ? labels[i] : trace["text"]))}</text>`).join("") : "",
  ].join("");
}

/** A line through points, with gaps where there is none. */
function lineThrough(points: readonly (readonly [number, number])[], shape: string | undefined, connects: boolean): string {
  let [path, before] = ["", undefined as readonly [number, number] | undefined];
  for (const point of points) {
    const [x, y] = point;
    const isThere = Number.isFinite(x) && Number.isFinite(y);
    if (isThere) path += !before ? `M${px(x)} ${px(y)}` : shape === "hv" ? `H${px(x)}V${px(y)}` : shape === "vh" ? `V${px(y)}H${px(x)}` : `L${px(x)} ${px(y)}`;
    before = isThere ? point : connects ? before : undefined;
  }
  return path;
}

/** The area that a trace fills: to 0, to the trace before it, or its own. */
function filled(trace: Attributes, points: readonly (readonly [number, number])[], plot: Plot, colour: string, below: Attributes | undefined): string {
  const fill = String(trace["fill"] ?? "none");
  const there = points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  if (fill === "none" || there.length === 0) return "";
  const zero = (value: number): number => (Number.isFinite(value) ? value : fill.endsWith("y") ? plot.top + plot.height : plot.left);
  const other = fill.startsWith("tonext") && below ? coordinates(below) : undefined;
  const back = other
    ? other[0].map((x, i) => place(plot, x, other[1][i])).filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)).reverse()
    : fill === "toself" || fill === "tonext" ? []
    : fill.endsWith("y") ? [[there.at(-1)![0], zero(place(plot, undefined, 0)[1])], [there[0]![0], zero(place(plot, undefined, 0)[1])]] as const
    : [[zero(place(plot, 0, undefined)[0]), there.at(-1)![1]], [zero(place(plot, 0, undefined)[0]), there[0]![1]]] as const;
  const own = typeof trace["fillcolor"] === "string" ? `fill="${escapeHtml(trace["fillcolor"])}"` : `fill="${colour}" fill-opacity=".35"`;
  return `<path d="${lineThrough(there, trace["line"]?.shape as string | undefined, true)}${back.map(([x, y]) => `L${px(x)} ${px(y)}`).join("")}Z" ${own}/>`;
}

/** How far a value may be off, up and down. */
export function errorsOf(error: Attributes | undefined, values: readonly unknown[]): { up: number; down: number }[] | undefined {
  if (!error || error["visible"] === false) return undefined;
  const kind = String(error["type"] ?? (error["array"] ? "data" : "percent"));
  const [plus, minus] = [numbers(error["array"]), error["arrayminus"] && error["symmetric"] !== true ? numbers(error["arrayminus"]) : undefined];
  return values.map((value, i) => {
    if (kind === "data") return { up: plus[i] ?? 0, down: (minus ?? plus)[i] ?? 0 };
    const size = kind === "sqrt" ? Math.sqrt(Math.abs(Number(value))) : kind === "constant" ? Number(error["value"] ?? 10) : (Math.abs(Number(value)) * Number(error["value"] ?? 10)) / 100;
    return { up: size, down: size };
  });
}

type Ends = (at: unknown, value: unknown, by: number) => [[number, number], boolean];

function errors(error: Attributes | undefined, ats: readonly unknown[], values: readonly unknown[], spot: Ends, colour: string): string {
  const sizes = errorsOf(error, values);
  if (!sizes) return "";
  const lines = ats.map((at, i) => {
    const [[from, isUp], [to]] = [spot(at, values[i], sizes[i]!.up), spot(at, values[i], -sizes[i]!.down)];
    if (![...from, ...to].every(Number.isFinite)) return "";
    return isUp ? `M${px(from[0])} ${px(from[1])}V${px(to[1])}` : `M${px(from[0])} ${px(from[1])}H${px(to[0])}`;
  });
  return `<path d="${lines.join("")}" stroke="${colour}" stroke-width="1.5"/>`;
}

/** Where each bar of the traces of one pair of axes begins: on 0, on its own base, or on those before it. */
export function bases(traces: readonly Attributes[], barmode: unknown): Map<Attributes, number[]> {
  const ends = new Map<string, number>();
  return new Map(traces.filter(({ type }) => type === "bar").map((trace) => {
    const [at, values] = alongBars(trace);
    const own = isList(trace["base"]) ? numbers(trace["base"]) : trace["base"] !== undefined ? values.map(() => Number(trace["base"])) : undefined;
    return [trace, values.map((value, i) => {
      if (own) return own[i] ?? 0;
      if (barmode !== "stack" && barmode !== "relative") return 0;
      const key = `${trace["orientation"] === "h" ? "h" : "v"} ${category(at[i])} ${barmode === "relative" && Number(value) < 0 ? "-" : ""}`;
      const base = ends.get(key) ?? 0;
      if (Number.isFinite(Number(value))) ends.set(key, base + Number(value));
      return base;
    })] as const;
  }));
}

/** Where the bars of a trace stand, and how long they are. */
export function alongBars(trace: Attributes): [unknown[], unknown[]] {
  const [xs, ys] = coordinates(trace);
  return trace["orientation"] === "h" ? [ys, xs] : [xs, ys];
}

/** Bars of one trace. @param from where each begins @param slot its place among bars side by side */
export function bars(trace: Attributes, plot: Plot, colour: string, from: readonly number[], [slot, slots]: readonly [number, number]): string {
  const isTurned = trace["orientation"] === "h";
  const [ats, values] = alongBars(trace);
  const scale = isTurned ? plot.y : plot.x;
  const length = isTurned ? plot.height : plot.width;
  const places = [...new Set(ats.map((at) => scale.at(at)).filter(Number.isFinite))].sort((a, b) => a - b);
  const gap = places.length > 1 ? Math.min(...places.slice(1).map((at, i) => at - places[i]!)) : 1 / 3;
  // A histogram's bars touch each other.
  const own = typeof trace["width"] === "number" ? Math.abs(scale.at(Number(ats[0]) + trace["width"] / 2) - scale.at(Number(ats[0]) - trace["width"] / 2)) * length * 0.97 : NaN;
  const whole = Number.isFinite(own) && own > 0 ? own : 0.8 * length * (scale.band || gap);
  const width = whole / slots;
  const fill = pointColours(trace["marker"], colour);
  const labels = isList(trace["text"]) && trace["textposition"] !== "none" ? list(trace["text"]) : undefined;
  const sizes = errorsOf(trace[isTurned ? "error_x" : "error_y"], values);
  const spot = (at: unknown, value: number): [number, number] => (isTurned ? place(plot, value, at) : place(plot, at, value));
  return ats.map((at, i) => {
    const [end, start] = [spot(at, from[i]! + Number(values[i])), spot(at, from[i]!)];
    const middle = (isTurned ? end[1] : end[0]) + (isTurned === scale.isReversed ? 1 : -1) * ((slot + 0.5) * width - whole / 2);
    const [a, b] = isTurned ? [start[0], end[0]] : [start[1], end[1]];
    if (values[i] === null || values[i] === undefined || ![middle, a, b].every(Number.isFinite)) return "";
    const [low, size] = [px(Math.min(a, b)), px(Math.abs(a - b))];
    const [aside, thick] = [px(middle - width / 2), px(Math.max(0.5, width))];
    const rectangle = isTurned ? `<rect x="${low}" y="${aside}" width="${size}" height="${thick}" fill="${fill(i)}"/>` : `<rect x="${aside}" y="${low}" width="${thick}" height="${size}" fill="${fill(i)}"/>`;
    const off = sizes?.[i] && [spot(at, from[i]! + Number(values[i]) + sizes[i].up), spot(at, from[i]! + Number(values[i]) - sizes[i].down)].map((point) => (isTurned ? point[0] : point[1]));
    const error = off && off.every(Number.isFinite) ? `<path d="${isTurned ? `M${px(off[0]!)} ${px(middle)}H${px(off[1]!)}` : `M${px(middle)} ${px(off[0]!)}V${px(off[1]!)}`}" stroke="#7a7a7a" stroke-width="1.5"/>` : "";
    const words = labels ? plainWords(labels[i]) : "";
    return rectangle + error + (words === "" ? "" : isTurned ? text(b + (b >= a ? 5 : -5), middle + 4, words, `text-anchor="${b >= a ? "start" : "end"}"`) : text(middle, b <= a ? b - 5 : b + 15, words, 'text-anchor="middle"'));
  }).join("");
}

