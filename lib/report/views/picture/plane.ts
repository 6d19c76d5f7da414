import { escapeHtml } from "../../../escape-html.js";
import type { Attributes } from "../../figure.js";
import { binned, binned2d } from "./bins.js";
import { type Box, boxes, candles, drawnBoxes, isHorizontal, reach } from "./box.js";
import { type Area, colourOf, text, words } from "./draw.js";
import { colourBar, edges, heatmap } from "./heatmap.js";
import { marks } from "./marks.js";
import type { Plot } from "./plot.js";
import { type Axis, type Scale, scaleOf } from "./scale.js";
import { alongBars, bars, bases, coordinates, errorsOf, largest, scatter } from "./traces.js";
import { list, numbers } from "./values.js";

export const planeTypes = new Set(["scatter", "scattergl", "bar", "heatmap", "heatmapgl", "contour", "histogram", "histogram2d", "histogram2dcontour", "box", "violin", "candlestick", "ohlc"]);

/** A trace of two axes, with its place among all traces and what it takes to draw it. */
interface Own {
  readonly trace: Attributes;
  readonly i: number;
  readonly xaxis: string;
  readonly yaxis: string;
  readonly boxes?: readonly Box[];
}

const isHeat = ({ type }: Attributes): boolean => type === "heatmap";
const isBoxes = ({ type }: Attributes): boolean => type === "box" || type === "violin" || type === "candlestick";

/** Plots of pairs of axes. */
export class Plane {
  private readonly own: readonly Own[];
  private readonly scales = new Map<string, Scale>();
  private readonly base = new Map<Attributes, number[]>();

  constructor(traces: readonly { readonly trace: Attributes; readonly i: number }[], private readonly layout: Attributes, private readonly palette: readonly string[]) {
    this.own = traces.map(({ trace, i }) => {
      const known = usual(trace);
      return { trace: known, i, xaxis: String(trace["xaxis"] ?? "x"), yaxis: String(trace["yaxis"] ?? "y"), ...(isBoxes(known) && { boxes: known["type"] === "candlestick" ? candles(known) : boxes(known, i) }) };
    });
    for (const { xaxis, yaxis } of this.own) {
      const pair = this.own.filter((each) => each.xaxis === xaxis && each.yaxis === yaxis).map(({ trace }) => trace);
      for (const [trace, from] of bases(pair, layout["barmode"] ?? "group")) this.base.set(trace, from);
    }
    for (const name of new Set(this.own.flatMap(({ xaxis, yaxis }) => [xaxis, yaxis]))) this.scales.set(name, this.scale(name));
  }

  get isEmpty(): boolean {
    return this.own.length === 0;
  }

  /** Room that the names along the left and right edges take. */
  get margins(): { left: number; right: number } {
    const widest = (side: "left" | "right") => Math.max(0, ...[...this.scales].filter(([name]) => name.startsWith("y") && (this.axis(name).side === "right") === (side === "right") && this.axis(name).visible !== false).flatMap(([, { ticks }]) => ticks.map((tick) => short(tick.text).length)));
    const right = widest("right");
    return { left: Math.min(300, Math.max(75, 40 + 7 * widest("left"))), right: right > 0 ? 40 + 7 * right : 0 };
  }

  get hasColourBar(): boolean {
    return this.own.some(({ trace }) => isHeat(trace) && trace["showscale"] !== false);
  }

  svg(area: Area): string {
    const pairs = [...new Map(this.own.map((own) => [`${own.xaxis} ${own.yaxis}`, own])).values()];
    const framed = new Set<string>();
    const places = new Map<string, Area>();
    const drawn = pairs.map(({ xaxis, yaxis }) => {
      const plot: Plot = { x: this.scales.get(xaxis)!, y: this.scales.get(yaxis)!, ...this.domain(xaxis, yaxis, area) };
      places.set(xaxis, plot);
      places.set(yaxis, plot);
      const own = this.own.filter((each) => each.xaxis === xaxis && each.yaxis === yaxis);
      return this.frame(plot, xaxis, yaxis, own.some(({ trace }) => isHeat(trace)), framed) + own.map((each, place) => this.drawn(each, own[place - 1]?.trace, plot)).join("");
    });
    const { below, above } = marks(this.layout, (axis) => (this.scales.has(axis) ? { scale: this.scales.get(axis)!, area: places.get(axis)! } : undefined), area);
    return below + drawn.join("") + above;
  }

  private drawn({ trace, i, boxes: found }: Own, before: Attributes | undefined, plot: Plot): string {
    const colour = colourOf(trace, i, this.palette);
    if (isHeat(trace)) {
      const map = heatmap(trace, plot);
      return map.svg + (trace["showscale"] === false ? "" : colourBar(map, plot));
    }
    if (found) return drawnBoxes(trace, found, plot, colour, this.slot(trace, isBoxes, this.layout["boxmode"] === "group" || this.layout["violinmode"] === "group"));
    if (trace["type"] === "bar") return bars(trace, plot, colour, this.base.get(trace)!, this.slot(trace, ({ type }) => type === "bar", (this.layout["barmode"] ?? "group") === "group"));
    return scatter(trace, plot, colour, before);
  }

  /** A trace's place among those that stand side by side: those of its own pair of axes. */
  private slot(trace: Attributes, isSame: (trace: Attributes) => boolean, isGroup: boolean): [number, number] {
    if (!isGroup) return [0, 1];
    const own = this.own.find((each) => each.trace === trace)!;
    const all = this.own.filter((each) => each.xaxis === own.xaxis && each.yaxis === own.yaxis && isSame(each.trace)).map((each) => each.trace);
    const groups = [...new Set(all.map((each, i) => String(each["offsetgroup"] ?? ` ${i}`)))];
    return [groups.indexOf(String(trace["offsetgroup"] ?? ` ${all.indexOf(trace)}`)), groups.length];
  }

  private axis(name: string): Axis {
    return (this.layout[`${name[0]}axis${name.slice(1)}`] ?? {}) as Axis;
  }

  /** The scale of an axis over all that is drawn along it. */
  private scale(name: string): Scale {
    const isX = name.startsWith("x");
    const group = this.axis(name).matches ?? name;
    const along = this.own.filter(({ xaxis, yaxis }) => [isX ? xaxis : yaxis].some((each) => (this.axis(each).matches ?? each) === group));
    const isAcross = (trace: Attributes): boolean => isHorizontal(trace) === isX;
    const values = along.flatMap(({ trace, boxes: found }) => {
      if (isHeat(trace)) return [...edges(trace, isX ? "x" : "y", isX ? list(list(trace["z"])[0]).length : list(trace["z"]).length)];
      if (found) return isAcross(trace) ? found.flatMap(({ low, high, outliers, values }) => (trace["type"] === "violin" ? reach(values) : [low, high, ...outliers])) : found.map(({ at }) => at);
      if (trace["type"] === "bar") return isAcross(trace) ? this.ends(trace) : alongBars(trace)[0];
      const own = coordinates(trace)[isX ? 0 : 1];
      const errors = errorsOf(trace[isX ? "error_x" : "error_y"], own);
      return errors ? [...own, ...own.flatMap((value, i) => [Number(value) + errors[i]!.up, Number(value) - errors[i]!.down])] : own;
    });
    const room = 0.05 + Math.max(0, ...along.map(({ trace }) => (trace["type"] === "scatter" ? largest(trace) : 0))) / 400;
    const isZero = along.some(({ trace }) => (trace["type"] === "bar" && isAcross(trace)) || String(trace["fill"] ?? "") === `tozero${isX ? "x" : "y"}`);
    const axis = this.axis(name);
    return scaleOf(axis.matches ? { ...this.axis(axis.matches), ...axis } : axis, values, { zero: isZero, flush: along.some(({ trace }) => isHeat(trace)), room });
  }

  private ends(trace: Attributes): number[] {
    const values = numbers(alongBars(trace)[1]);
    const errors = errorsOf(trace[trace["orientation"] === "h" ? "error_x" : "error_y"], values);
    const from = this.base.get(trace)!;
    return values.flatMap((value, i) => [from[i]!, from[i]! + value + (errors?.[i]!.up ?? 0), from[i]! + value - (errors?.[i]!.down ?? 0)]);
  }

  /** Where a pair of axes stands: where they say, or in their place of the layout's grid. */
  private domain(xaxis: string, yaxis: string, area: Area): Area {
    const { grid } = this.layout as { grid?: Attributes };
    const [xNumber, yNumber] = [xaxis, yaxis].map((name) => (Number(name.slice(1)) || 1) - 1) as [number, number];
    const columns = Number(grid?.["columns"]) || 1;
    const count = 1 + Math.max(...this.own.map((own) => Math.max(Number(own.xaxis.slice(1)) || 1, Number(own.yaxis.slice(1)) || 1) - 1));
    const rows = Number(grid?.["rows"]) || Math.ceil(count / columns);
    const index = Math.max(xNumber, yNumber);
    const [column, row] = grid === undefined ? [0, 0] : grid["pattern"] === "independent" ? [index % columns, Math.floor(index / columns)] : [xNumber % columns, yNumber % rows];
    const part = (at: number, of: number, gap: number) => [at / of + (of > 1 ? gap / of / 2 : 0), (at + 1) / of - (of > 1 ? gap / of / 2 : 0)] as const;
    const down = grid?.["roworder"] === "bottom to top" ? row : rows - 1 - row;
    const [left, right] = this.axis(xaxis).domain ?? this.axis(this.axis(xaxis).overlaying ?? "").domain ?? (grid ? part(column, columns, Number(grid["xgap"] ?? 0.2)) : [0, 1]);
    const [bottom, top] = this.axis(yaxis).domain ?? this.axis(this.axis(yaxis).overlaying ?? "").domain ?? (grid ? part(down, rows, Number(grid["ygap"] ?? 0.3)) : [0, 1]);
    return { left: area.left + left * area.width, top: area.top + (1 - top) * area.height, width: (right - left) * area.width, height: (top - bottom) * area.height };
  }

  /** The axes of a plot, each once; a heat map has no lines behind it, an axis over another none of its own. */
  private frame({ x, y, left, top, width, height }: Plot, xaxis: string, yaxis: string, heat: boolean, framed: Set<string>): string {
    const [xAxis, yAxis] = [this.axis(xaxis), this.axis(yaxis)];
    const longest = Math.max(0, ...x.ticks.map((tick) => short(tick.text).length));
    const isTilted = longest * 6.5 * x.ticks.length > width;
    const parts: string[] = [];
    if (!framed.has(xaxis) && xAxis.visible !== false) {
      const isTop = xAxis.side === "top" || xAxis.overlaying !== undefined;
      const base = isTop ? top - 24 : top + height;
      parts.push(...(xAxis.showticklabels === false ? [] : x.ticks).map(({ at, text: label }) => {
        const at0 = left + at * width;
        return text(at0, base + 17, label, isTilted ? `text-anchor="end" transform="rotate(-30 ${Math.round(at0)} ${Math.round(base + 12)})"` : 'text-anchor="middle"');
      }), text(left + width / 2, isTop ? base - 2 : base + (isTilted ? 50 : 38), words(xAxis.title), 'text-anchor="middle"'));
    }
    if (!framed.has(yaxis) && yAxis.visible !== false) {
      const isRight = yAxis.side === "right";
      const widest = Math.max(0, ...y.ticks.map((tick) => short(tick.text).length));
      parts.push(...y.ticks.map(({ at, text: label }) => {
        const at0 = Math.round(top + (1 - at) * height);
        const line = heat || yAxis.overlaying !== undefined ? "" : `<path d="M${Math.round(left)} ${at0}h${Math.round(width)}" stroke="#808080" stroke-opacity=".25"/>`;
        return line + (yAxis.showticklabels === false ? "" : text(isRight ? left + width + 7 : left - 7, at0 + 4, short(label), `text-anchor="${isRight ? "start" : "end"}"`));
      }));
      const aside = isRight ? left + width + Math.max(30, 22 + 7 * widest) : left - Math.min(285, Math.max(56, 22 + 7 * widest));
      parts.push(`<text transform="translate(${Math.round(aside)} ${Math.round(top + height / 2)}) rotate(-90)" text-anchor="middle">${escapeHtml(words(yAxis.title))}</text>`);
    }
    framed.add(xaxis).add(yaxis);
    return parts.join("");
  }
}

/** A category's name as an axis has room for it. */
const short = (name: string): string => (name.length > 40 ? `${name.slice(0, 39)}…` : name);

/** Kinds that are drawn as another one. */
function usual(trace: Attributes): Attributes {
  switch (trace["type"]) {
    case "histogram":
      return binned(trace);
    case "histogram2d":
    case "histogram2dcontour":
      return binned2d(trace);
    case "heatmapgl":
    case "contour":
      return { ...trace, type: "heatmap" };
    case "ohlc":
      return { ...trace, type: "candlestick" };
    default:
      return { ...trace, type: trace["type"] ?? "scatter" };
  }
}
