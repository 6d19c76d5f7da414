import type { Attributes } from "../../figure.js";
import { px } from "./draw.js";
import { category } from "./scale.js";
import { extent, isList, list, numbers } from "./values.js";
import { place, type Plot } from "./plot.js";

/** What a box shows of the values at one place. */
export interface Box {
  readonly at: unknown;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
  readonly low: number;
  readonly high: number;
  /** All values, sorted; of a box that was given by its quartiles none. */
  readonly values: readonly number[];
  readonly outliers: readonly number[];
}

export const isHorizontal = (trace: Attributes): boolean => trace["orientation"] === "h" || ((trace["type"] === "box" || trace["type"] === "violin") && trace["orientation"] === undefined && trace["x"] !== undefined && trace["y"] === undefined);

/** The boxes of a trace: one for each place along its other axis, or one that is called as the trace is. */
export function boxes(trace: Attributes, index: number): Box[] {
  const [across, along] = isHorizontal(trace) ? ["x", "y"] : ["y", "x"];
  const name = trace["name"] ?? trace[`${along}0`] ?? `trace ${index}`;
  if (trace["median"] !== undefined) return given(trace, along!, name);
  const groups = new Map<string, { at: unknown; values: number[] }>();
  const places = list(trace[along!]);
  numbers(trace[across!]).forEach((value, i) => {
    const at = places.length > 0 ? places[i] : name;
    const group: { at: unknown; values: number[] } = groups.get(category(at)) ?? { at, values: [] };
    groups.set(category(at), group);
    if (Number.isFinite(value)) group.values.push(value);
  });
  return [...groups.values()].filter(({ values }) => values.length > 0).map(({ at, values }) => summary(at, values.sort((a, b) => a - b)));
}

/** Quartiles by linear interpolation between values at the middles of equal parts, as Plotly takes them; whiskers to the last value within 1.5 times their distance. */
function summary(at: unknown, values: readonly number[]): Box {
  const quantile = (share: number): number => {
    const place = Math.max(0, Math.min(values.length - 1, share * values.length - 0.5));
    const below = Math.floor(place);
    return values[below]! + (place - below) * (values[Math.min(values.length - 1, below + 1)]! - values[below]!);
  };
  const [q1, median, q3] = [quantile(0.25), quantile(0.5), quantile(0.75)];
  const inside = values.filter((value) => value >= q1 - 1.5 * (q3 - q1) && value <= q3 + 1.5 * (q3 - q1));
  const [low, high] = [Math.min(q1, inside[0] ?? q1), Math.max(q3, inside.at(-1) ?? q3)];
  return { at, q1, median, q3, low, high, values, outliers: values.filter((value) => value < low || value > high) };
}

function given(trace: Attributes, along: string, name: unknown): Box[] {
  const [q1, median, q3] = ["q1", "median", "q3"].map((key) => numbers(isList(trace[key]) ? trace[key] : [trace[key]])) as [number[], number[], number[]];
  const [low, high] = [numbers(trace["lowerfence"]), numbers(trace["upperfence"])];
  return median.map((value, i) => ({ at: list(trace[along])[i] ?? name, q1: q1[i]!, median: value, q3: q3[i]!, low: low[i] ?? q1[i]!, high: high[i] ?? q3[i]!, values: [], outliers: [] }));
}

/** Prices as boxes: from open to close, whiskers to low and high. */
export const candles = ({ x, open, high, low, close }: Attributes): (Box & { readonly isUp: boolean })[] => {
  const [first, most, least, last, at] = [numbers(open), numbers(high), numbers(low), numbers(close), list(x)];
  return first.map((from, i) => ({ at: at[i] ?? i, q1: Math.min(from, last[i]!), q3: Math.max(from, last[i]!), median: NaN, low: least[i]!, high: most[i]!, values: [], outliers: [], isUp: last[i]! >= from }));
};

/** Boxes, or violins, across their axis. @param slot place and count of what stands side by side */
export function drawnBoxes(trace: Attributes, found: readonly Box[], plot: Plot, colour: string, [slot, slots]: readonly [number, number]): string {
  const isTurned = isHorizontal(trace);
  const scale = isTurned ? plot.y : plot.x;
  const ats = [...new Set(found.map(({ at }) => scale.at(at)))].sort((a, b) => a - b);
  const gap = scale.band || Math.min(1 / 4, ...ats.slice(1).map((at, i) => at - ats[i]!));
  const whole = 0.7 * gap * (isTurned ? plot.height : plot.width);
  const half = Math.min(60, whole / slots / 2);
  const spot = (at: unknown, value: number, aside: number): string => {
    const [x, y] = isTurned ? place(plot, value, at) : place(plot, at, value);
    return isTurned ? `${px(x)} ${px(y + aside)}` : `${px(x + aside)} ${px(y)}`;
  };
  return found.map((box) => {
    const { at, q1, median, q3, low, high, outliers, values } = box;
    const middle = slots > 1 ? (slot + 0.5) * (whole / slots) - whole / 2 : 0;
    if (!spot(at, q1, middle).split(" ").every((part) => Number.isFinite(Number(part)))) return "";
    const own = "isUp" in box ? (box.isUp ? "#3d9970" : "#ff4136") : colour;
    const stroke = `stroke="${own}" stroke-width="1.5"`;
    const line = Number.isFinite(median) ? `M${spot(at, median, middle - half)}L${spot(at, median, middle + half)}` : "";
    if (trace["type"] === "violin") {
      const sides = density(values);
      const outline = [...sides.map(({ value, share }) => spot(at, value, middle - half * share)), ...[...sides].reverse().map(({ value, share }) => spot(at, value, middle + half * share))];
      return `<path d="M${outline.join("L")}Z" fill="${own}" fill-opacity=".5" ${stroke}/>${trace["box"]?.visible === true || trace["meanline"]?.visible === true ? `<path d="M${spot(at, median, middle - half / 2)}L${spot(at, median, middle + half / 2)}" ${stroke}/>` : ""}`;
    }
    const rectangle = `M${spot(at, q1, middle - half)}L${spot(at, q1, middle + half)}L${spot(at, q3, middle + half)}L${spot(at, q3, middle - half)}Z`;
    const whiskers = [[q3, high], [q1, low]].map(([from, to]) => `M${spot(at, from!, middle)}L${spot(at, to!, middle)}M${spot(at, to!, middle - half / 2)}L${spot(at, to!, middle + half / 2)}`).join("");
    const dots = trace["boxpoints"] === false ? [] : trace["boxpoints"] === "all" ? values : outliers;
    return `<path d="${rectangle}" fill="${own}" fill-opacity=".5" ${stroke}/><path d="${line}${whiskers}" fill="none" ${stroke}/>${dots.map((value) => { const [cx, cy] = spot(at, value, middle).split(" "); return `<circle cx="${cx}" cy="${cy}" r="3" fill="${own}"/>`; }).join("")}`;
  }).join("");
}

/** Width of a Gaussian kernel for values (Silverman's rule). */
function kernelWidth(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, values.length - 1));
  return 1.059 * (deviation || Math.abs(mean) * 0.01 || 1) * values.length ** -0.2;
}

/** From where to where a violin of values goes. */
export function reach(values: readonly number[]): [number, number] {
  const [low, high] = extent(values);
  const width = kernelWidth(values);
  return [low - 2 * width, high + 2 * width];
}

/** Density of values, as shares of its largest. */
function density(values: readonly number[]): { value: number; share: number }[] {
  const width = kernelWidth(values);
  const [low, high] = reach(values);
  const at = Array.from({ length: 50 }, (_, i) => low + ((high - low) * i) / 49);
  const found = at.map((each) => values.reduce((sum, value) => sum + Math.exp(-((each - value) ** 2) / (2 * width * width)), 0));
  const most = Math.max(...found);
  return at.map((value, i) => ({ value, share: found[i]! / most }));
}
