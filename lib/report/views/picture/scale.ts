/** Where a value stands along an axis, and the marks on it. */
export interface Scale {
  /** From 0 (left, bottom) to 1. */
  at(value: unknown): number;
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
  /** Part of the axis that a category takes; of numbers 0. */
  readonly band: number;
  /** Whether it runs from right to left, or down. */
  readonly isReversed: boolean;
}

export interface Axis {
  readonly type?: string;
  readonly range?: readonly [unknown, unknown];
  readonly rangemode?: string;
  readonly autorange?: boolean | string;
  readonly categoryarray?: readonly unknown[];
  readonly dtick?: number;
  readonly tickformat?: string;
  readonly title?: string | { readonly text?: string };
  readonly domain?: readonly [number, number];
  readonly side?: string;
  readonly overlaying?: string;
  readonly matches?: string;
  readonly visible?: boolean;
  readonly showticklabels?: boolean;
  readonly tickvals?: readonly unknown[];
  readonly ticktext?: readonly unknown[];
}

/** A category of two levels, `["1K", "keep07"]`, in one text. */
export const category = (value: unknown): string => (Array.isArray(value) ? value.join(" ") : String(value));

/**
 * The scale of an axis over all values that are drawn along it.
 * @param zero whether 0 belongs to it, as with bars
 * @param room part of the data's range that is left free at either end
 * @param flush whether the data reach to the edges, as those of heat maps do
 */
export function scaleOf(axis: Axis, values: readonly unknown[], { zero, flush, room = 0.05 }: { zero: boolean; flush: boolean; room?: number }): Scale {
  const reversed = axis.autorange === "reversed";
  const turn = (share: number) => (reversed ? 1 - share : share);
  const isText = axis.type === "category" || axis.type === "multicategory" || (axis.type === undefined && values.some((value) => Array.isArray(value) || (typeof value === "string" && !Number.isFinite(Number(value)) && Number.isNaN(Date.parse(value)))));
  if (isText) {
    const names = [...new Set([...(axis.categoryarray ?? []), ...values].map(category))];
    const places = new Map(names.map((name, i) => [name, turn((i + 0.5) / names.length)]));
    const every = Math.ceil(names.length / 16);
    // Between categories a number says how many there are before it.
    const between = (value: unknown): number => (typeof value === "number" ? turn((value + 0.5) / names.length) : NaN);
    return { at: (value) => places.get(category(value)) ?? between(value), band: 1 / names.length, isReversed: reversed, ticks: names.flatMap((text, i) => (i % every === 0 ? [{ at: places.get(text)!, text }] : [])) };
  }
  const isDate = axis.type === "date" || values.some((value) => value instanceof Date || (typeof value === "string" && !Number.isFinite(Number(value))));
  const number = (value: unknown) => (value === null || value === undefined || value === "" ? NaN : isDate ? (value instanceof Date ? value.getTime() : Date.parse(String(value))) : Number(value));
  const isLog = axis.type === "log";
  const along = (value: unknown) => (isLog ? Math.log10(number(value)) : number(value));
  const finite = values.map(along).filter(Number.isFinite);
  if (finite.length === 0) throw new Error("no values");
  let [low, high] = finite.reduce(([a, b], value) => [Math.min(a!, value), Math.max(b!, value)], [Infinity, -Infinity]) as [number, number];
  if (axis.range) [low, high] = isLog ? [Number(axis.range[0]), Number(axis.range[1])] : [number(axis.range[0]), number(axis.range[1])];
  else {
    const isAtZero = !isLog && (zero || axis.rangemode === "tozero");
    const pad = flush ? 0 : (high - low || Math.abs(high) || 1) * room;
    [low, high] = [isAtZero && low >= 0 ? 0 : low - pad, isAtZero && high <= 0 ? 0 : high + pad];
  }
  const at = (value: unknown) => turn((along(value) - low) / (high - low || 1));
  const own = (axis.tickvals ?? []).map((value, i) => ({ at: at(value), text: String(axis.ticktext?.[i] ?? value) }));
  if (own.length > 0) return { at, band: 0, isReversed: reversed, ticks: own.filter((tick) => tick.at > -0.001 && tick.at < 1.001) };
  const marks = isLog ? decades(low, high) : isDate ? dates(low, high) : steps(low, high, axis.dtick);
  const text = (value: number) => (axis.tickformat?.endsWith("%") ? `${Number((100 * value).toPrecision(4))}%` : isDate ? new Date(value).toISOString().slice(0, high - low > 172_800_000 ? 10 : 16).replace("T", " ") : short(value));
  return { at, band: 0, isReversed: reversed, ticks: marks.map((value) => ({ at: at(isDate ? new Date(value) : value), text: text(value) })).filter((tick) => tick.at > -0.001 && tick.at < 1.001) };
}

/** The next number of 1, 2 or 5 times a power of ten; 0 for 0. */
export function nice(size: number): number {
  if (!(size > 0) || !Number.isFinite(size)) return 0;
  const ten = 10 ** Math.floor(Math.log10(size));
  return Number((ten * ([1, 2, 5, 10].find((each) => each * ten >= size * (1 - 1e-9)) ?? 10)).toPrecision(12));
}

function steps(low: number, high: number, given?: number): number[] {
  const [a, b] = [Math.min(low, high), Math.max(low, high)];
  const raw = (b - a) / 6 || 1;
  const step = given !== undefined && given > 0 && (b - a) / given <= 40 ? given : nice(raw);
  return Array.from({ length: Math.floor((b - a) / step) + 2 }, (_, i) => Number(((Math.ceil(a / step) + i) * step).toPrecision(12))).filter((value) => value <= b + 1e-9 * step);
}

const dates = (low: number, high: number): number[] => Array.from({ length: 6 }, (_, i) => low + ((high - low) * i) / 5);

function decades(low: number, high: number): number[] {
  const all = Array.from({ length: Math.max(1, Math.floor(high) - Math.ceil(low) + 1) }, (_, i) => 10 ** (Math.ceil(low) + i));
  const some = all.length < 3 ? all.flatMap((ten) => [ten, 2 * ten, 5 * ten, ten / 2, ten / 5]) : all;
  return [...new Set(some)].sort((a, b) => a - b);
}

/** As few digits as tell neighbours apart, thousands as k, millions as M. */
function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(4))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(4))}k`;
  return size !== 0 && size < 1e-3 ? value.toExponential(1).replace(".0e", "e") : String(Number(value.toPrecision(6)));
}
