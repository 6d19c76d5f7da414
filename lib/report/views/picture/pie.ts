import type { Attributes } from "../../figure.js";
import { type Area, colourOf, type Name, plainWords, px, text, words } from "./draw.js";
import { list, numbers } from "./values.js";

/** The colour of a label: one label, one colour, in all pies of a figure. */
export type Colours = (label: string) => string;

export function labelColours(palette: readonly string[]): Colours {
  const known = new Map<string, string>();
  return (label) => {
    if (!known.has(label)) known.set(label, colourOf({}, known.size, palette));
    return known.get(label)!;
  };
}

/** A pie's sectors, largest first as Plotly sorts them: equal labels are one. */
export function sectors(trace: Attributes, given: Colours): { name: string; value: number; share: number; colour: string }[] {
  const labels = list(trace["labels"]);
  const values = trace["values"] === undefined ? labels.map(() => 1) : numbers(trace["values"]);
  const sums = new Map<string, number>();
  values.forEach((value, i) => {
    const name = String(labels[i] ?? i);
    if (Number.isFinite(value) && value >= 0) sums.set(name, (sums.get(name) ?? 0) + value);
  });
  const total = [...sums.values()].reduce((a, b) => a + b, 0);
  if (!(total > 0)) throw new Error("no values");
  const own = list(trace["marker"]?.colors);
  const all = [...sums].map(([name, value], i) => ({ name, value, place: i }));
  if (trace["sort"] !== false) all.sort((a, b) => b.value - a.value);
  return all.map(({ name, value, place }) => ({ name, value, share: value / total, colour: typeof own[place] === "string" ? colourOf({ fillcolor: own[place] }, 0, [""]) : given(name) }));
}

/** A pie or ring with its shares in percent. */
export function pie(trace: Attributes, { left, top, width, height }: Area, colours: Colours): string {
  const radius = Math.max(10, Math.min(width, height) / 2 - 26);
  const [cx, cy] = [left + width / 2, top + height / 2];
  const hole = Math.max(0, Math.min(0.95, Number(trace["hole"]) || 0)) * radius;
  const point = (turn: number, r: number): string => `${px(cx + r * Math.sin(2 * Math.PI * turn))} ${px(cy - r * Math.cos(2 * Math.PI * turn))}`;
  const all = sectors(trace, colours);
  // Plotly's own order: against the clock, the first one right of the top, unless told otherwise.
  const way = trace["direction"] === "clockwise" ? 1 : -1;
  let at = (Number(trace["rotation"]) || 0) / 360 + (way === 1 ? 0 : all[0]!.share);
  const shown = all.map(({ name, share, colour }) => {
    const [from, to] = [at, at + way * share];
    at = to;
    const [large, sweep] = [share > 0.5 ? 1 : 0, way === 1 ? 1 : 0];
    const path = share > 0.9999 ? ring(cx, cy, radius, hole) : `M${point(from, radius)}A${px(radius)} ${px(radius)} 0 ${large} ${sweep} ${point(to, radius)}${hole > 0 ? `L${point(to, hole)}A${px(hole)} ${px(hole)} 0 ${large} ${1 - sweep} ${point(from, hole)}` : `L${px(cx)} ${px(cy)}`}Z`;
    const middle = (from + to) / 2;
    const isLeft = Math.sin(2 * Math.PI * middle) < -0.01;
    const percent = `${Number((100 * share).toPrecision(3))}%`;
    const info = String(trace["textinfo"] ?? "percent");
    const said = [info.includes("label") ? plainWords(name) : "", info.includes("percent") ? percent : ""].filter(Boolean).join(" ");
    const [x, y] = point(middle, radius + 9).split(" ").map(Number) as [number, number];
    return `<path d="${path}" fill="${colour}" fill-rule="evenodd" stroke="#808080" stroke-width=".5"/>${said && share > 0.004 ? text(x, y + 4, said, `text-anchor="${isLeft ? "end" : "start"}"`) : ""}`;
  });
  return shown.join("") + (words(trace["title"]) ? text(cx, hole > 0 ? cy + 4 : top + 4, words(trace["title"]), 'text-anchor="middle"') : "");
}

const ring = (cx: number, cy: number, radius: number, hole: number): string => [radius, hole].filter((r) => r > 0).map((r) => `M${px(cx - r)} ${px(cy)}a${px(r)} ${px(r)} 0 1 0 ${px(2 * r)} 0a${px(r)} ${px(r)} 0 1 0 ${px(-2 * r)} 0Z`).join("");

export const pieNames = (trace: Attributes, colours: Colours): Name[] => (trace["showlegend"] === false ? [] : sectors(trace, colours).map(({ name, colour }) => ({ name, colour })));
