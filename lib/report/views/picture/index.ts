import { escapeHtml } from "../../../escape-html.js";
import type { Attributes } from "../../figure.js";
import { colorway } from "./colour.js";
import { type Axis, scaleOf } from "./scale.js";
import { bars, coordinates, edges, heatmap, type Plot, scatter } from "./traces.js";

const WIDTH = 800;
/** A grey that is read on white and on black: a picture does not know the page's colours. */
const GREY = "#7a7a7a";

export interface Picture {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

/**
 * A figure of lines, points, bars or heat maps as SVG, without a browser: what is seen of a chart where no script runs. Clear, so
 * that it stands on light and dark.
 * @returns undefined where there is a trace of another kind, or nothing to draw
 */
export function picture({ data, layout = {} }: { readonly data: readonly object[]; readonly layout?: object }): Picture | undefined {
  try {
    return drawn((data as Attributes[]).filter(({ visible }) => visible !== false && visible !== "legendonly"), layout as Attributes);
  } catch {
    return undefined;
  }
}

const known = new Set(["scatter", "scattergl", "bar", "heatmap", "histogram"]);

function drawn(data: readonly Attributes[], layout: Attributes): Picture | undefined {
  const traces = data.map((trace) => (trace["type"] === "histogram" ? binned(trace) : { ...trace, type: trace["type"] ?? "scatter" }));
  if (traces.length === 0 || !traces.every(({ type, orientation }) => known.has(type as string) && orientation !== "h")) return undefined;
  const height = Number(layout["height"]) || 450;
  const title = titleLines(layout["title"]);
  const named = traces.flatMap((trace, i) => (trace["name"] && trace["showlegend"] !== false && trace["type"] !== "heatmap" ? [{ name: String(trace["name"]), colour: colourOf(trace, i), dash: trace["line"]?.dash as string | undefined }] : []));
  const legend = layout["showlegend"] === false || (named.length < 2 && layout["showlegend"] !== true) ? [] : named;
  const right = Math.min(WIDTH / 2, legend.length > 0 ? 50 + 6.6 * Math.max(...legend.map(({ name }) => name.length)) : traces.some(({ type, showscale }) => type === "heatmap" && showscale !== false) ? 90 : 20);
  const top = 20 + 18 * title.length;
  const pairs = [...new Set(traces.map(({ xaxis = "x", yaxis = "y" }) => `${xaxis} ${yaxis}`))];
  const slots: Attributes[] = traces.filter(({ type }) => type === "bar");
  const parts = pairs.map((pair, index) => {
    const [xName, yName] = pair.split(" ") as [string, string];
    const own = traces.map((trace, i) => ({ trace, i })).filter(({ trace: { xaxis = "x", yaxis = "y" } }) => `${xaxis} ${yaxis}` === pair);
    const [xAxis, yAxis] = [(layout[axisKey(xName)] ?? {}) as Axis, (layout[axisKey(yName)] ?? {}) as Axis];
    const isStacked = layout["barmode"] === "stack" || layout["barmode"] === "relative";
    const isBars = own.some(({ trace }) => trace["type"] === "bar");
    const isHeat = own.some(({ trace }) => trace["type"] === "heatmap");
    const sums = new Map<string, number>();
    const xs = own.flatMap(({ trace }) => (trace["type"] === "heatmap" ? edgesOf(trace, "x") : coordinates(trace)[0]));
    const ys = own.flatMap(({ trace }) => {
      if (trace["type"] === "heatmap") return edgesOf(trace, "y");
      const [at, values] = coordinates(trace);
      if (trace["type"] !== "bar" || !isStacked) return [...values, ...extremes(trace, values)];
      return values.map((value, i) => {
        const key = JSON.stringify(at[i]);
        sums.set(key, (sums.get(key) ?? 0) + Number(value));
        return sums.get(key);
      });
    });
    const x = scaleOf(xAxis, xs, { zero: false, flush: isHeat });
    const y = scaleOf(yAxis, ys, { zero: isBars, flush: isHeat });
    const domain = domainOf(index, pairs.length, layout, xAxis, yAxis);
    const [plotLeft, plotWidth, plotHeight] = [75, WIDTH - 75 - right, height - top - 62];
    const plot: Plot = { x, y, left: plotLeft + domain.left * plotWidth, top: top + (1 - domain.top) * plotHeight, width: (domain.right - domain.left) * plotWidth, height: (domain.top - domain.bottom) * plotHeight };
    const stacked = new Map<string, number>();
    const shown = own.map(({ trace, i }) => {
      const colour = colourOf(trace, i);
      if (trace["type"] === "heatmap") {
        const map = heatmap(trace, plot);
        return map.svg + (trace["showscale"] === false ? "" : colourBar(map, plot));
      }
      return trace["type"] === "bar" ? bars(trace, plot, colour, isStacked ? stacked : undefined, [slots.indexOf(trace), slots.length]) : scatter(trace, plot, colour);
    });
    return frame(plot, xAxis, yAxis, isHeat) + shown.join("");
  });
  const background = layout["paper_bgcolor"] && !/^rgba\(.*,\s*0?\.?0*\)$|^transparent$/.test(String(layout["paper_bgcolor"])) ? `<rect width="${WIDTH}" height="${height}" fill="${escapeHtml(String(layout["paper_bgcolor"]))}"/>` : "";
  const heading = title.map((line, i) => text(12, 24 + 18 * i, line, i === 0 ? 'font-size="16"' : 'font-size="12"')).join("");
  const names = legend.map(({ name, colour, dash }, i) => `<path d="M${WIDTH - right + 14} ${top + 10 + 18 * i}h22" stroke="${colour}" stroke-width="3"${dash && dash !== "solid" ? ' stroke-dasharray="6 4"' : ""}/>${text(WIDTH - right + 42, top + 14 + 18 * i, name)}`);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="${GREY}">${background}${heading}${parts.join("")}${names.join("")}</svg>`;
  return { svg, width: WIDTH, height };
}

const axisKey = (name: string): string => `${name[0]}axis${name.slice(1)}`;
const colourOf = (trace: Attributes, index: number): string => escapeHtml(String([trace["line"]?.color, trace["marker"]?.color].find((colour) => typeof colour === "string") ?? colorway[index % colorway.length]));
const text = (x: number, y: number, words: string, more = ""): string => `<text x="${Math.round(x)}" y="${Math.round(y)}" ${more}>${escapeHtml(words)}</text>`;

/** Lines of a title and of its subtitle; markup in them goes, and none is wider than the picture. */
function titleLines(title: unknown): string[] {
  const { text = "", subtitle } = (typeof title === "string" ? { text: title } : (title ?? {})) as { text?: string; subtitle?: { text?: string } };
  return [text, subtitle?.text ?? ""].flatMap((part) => part.split(/<br\s*\/?>/i)).map((line) => line.replace(/<[^>]*>/g, "").trim()).filter(Boolean).flatMap((line) => line.match(/.{1,115}(?:\s|$)|.{115}/g) ?? [line]);
}

function domainOf(index: number, count: number, { grid }: Attributes, xAxis: Axis, yAxis: Axis): { left: number; right: number; top: number; bottom: number } {
  const columns = Number(grid?.columns) || 1;
  const rows = Number(grid?.rows) || Math.ceil(count / columns);
  const isGrid = grid !== undefined;
  const [column, row] = isGrid ? [index % columns, Math.floor(index / columns)] : [0, 0];
  const [xGap, yGap] = [Number(grid?.xgap ?? 0.2), Number(grid?.ygap ?? 0.3)];
  const part = (at: number, of: number, gap: number) => [at / of + (of > 1 ? gap / of / 2 : 0), (at + 1) / of - (of > 1 ? gap / of / 2 : 0)] as const;
  const [left, right] = xAxis.domain ?? (isGrid ? part(column, columns, xGap) : [0, 1]);
  const [bottom, top] = yAxis.domain ?? (isGrid ? part(rows - 1 - row, rows, yGap) : [0, 1]);
  return { left, right, top, bottom };
}

/** The axes of a plot; a heat map has no lines behind it. */
function frame({ x, y, left, top, width, height }: Plot, xAxis: Axis, yAxis: Axis, isHeat: boolean): string {
  const words = (title: Axis["title"]) => (typeof title === "string" ? title : (title?.text ?? ""));
  const longest = Math.max(0, ...x.ticks.map((tick) => tick.text.length));
  const isTilted = longest * 6.5 * x.ticks.length > width;
  const columns = x.ticks.map(({ at, text: label }) => {
    const px = left + at * width;
    return text(px, top + height + 17, label, isTilted ? `text-anchor="end" transform="rotate(-30 ${Math.round(px)} ${Math.round(top + height + 12)})"` : 'text-anchor="middle"');
  });
  const rows = y.ticks.map(({ at, text: label }) => {
    const py = Math.round(top + (1 - at) * height);
    return `${isHeat ? "" : `<path d="M${Math.round(left)} ${py}h${Math.round(width)}" stroke="#808080" stroke-opacity=".25"/>`}${text(left - 7, py + 4, label, 'text-anchor="end"')}`;
  });
  return `${rows.join("")}${columns.join("")}${text(left + width / 2, top + height + (isTilted ? 50 : 38), words(xAxis.title), 'text-anchor="middle"')}` +
    `<text transform="translate(${Math.round(left - 56)} ${Math.round(top + height / 2)}) rotate(-90)" text-anchor="middle">${escapeHtml(words(yAxis.title))}</text>`;
}

function colourBar({ low, high, colour }: ReturnType<typeof heatmap>, { left, top, width, height }: Plot): string {
  const steps = Array.from({ length: 32 }, (_, i) => {
    const [r, g, b, a] = colour((31 - i) / 31);
    return `<rect x="${Math.round(left + width + 14)}" y="${(top + (i * height) / 32).toFixed(1)}" width="14" height="${(height / 32 + 0.5).toFixed(1)}" fill="rgb(${Math.round(r!)},${Math.round(g!)},${Math.round(b!)})" fill-opacity="${a}"/>`;
  });
  const label = (value: number) => String(Number(value.toPrecision(3)));
  return steps.join("") + text(left + width + 33, top + 10, label(high)) + text(left + width + 33, top + height, label(low));
}

/** The ends of a heat map's cells along an axis, and their names where they have names. */
function edgesOf(trace: Attributes, axis: "x" | "y"): unknown[] {
  const values = Array.from((trace[axis] ?? []) as ArrayLike<unknown>);
  const rows = Array.from((trace["z"] ?? []) as ArrayLike<ArrayLike<unknown>>);
  return values.some((value) => typeof value === "string") ? values : edges(trace[axis], axis === "y" ? rows.length : Math.max(...rows.map((row) => row.length)));
}

const extremes = ({ error_y: error }: Attributes, values: readonly unknown[]): number[] => (error?.array ? values.flatMap((value, i) => [Number(value) + Number(error.array[i]), Number(value) - Number((error.arrayminus ?? error.array)[i])]) : []);

/** A histogram's bars: counts in about as many bins as Plotly takes. */
function binned(trace: Attributes): Attributes {
  const values = Array.from((trace["x"] ?? []) as ArrayLike<unknown>, Number).filter(Number.isFinite);
  if (values.length === 0) throw new Error("no values");
  const [low, high] = values.reduce(([a, b], value) => [Math.min(a!, value), Math.max(b!, value)], [Infinity, -Infinity]) as [number, number];
  const bins = Math.max(1, Number(trace["nbinsx"]) || Math.min(60, Math.ceil(Math.sqrt(values.length))));
  const width = (high - low) / bins || 1;
  const counts = Array<number>(bins).fill(0);
  for (const value of values) counts[Math.min(bins - 1, Math.floor((value - low) / width))]!++;
  return { ...trace, type: "bar", x: counts.map((_, i) => low + (i + 0.5) * width), y: counts };
}
