import type { Figure } from "./figure.js";

/** What a chart of lines or bars shows, a line a trace, for those who do not see it: `keep07, prefill: 1K 1.42, 2K 1.51`. */
export function figureText({ data }: Figure): string[] {
  return data.map(({ name, x, y }) => {
    const at = (i: number) => (Array.isArray(x[0]) ? (x as unknown[][]).map((level) => level[i]).join(" ") : x[i]);
    return `${name}: ${(y as number[]).map((value, i) => `${at(i)} ${Number(value.toPrecision(4))}`).join(", ")}`;
  });
}
