import type { Data, Layout } from "plotly.js";
import type { Figure } from "../figure.js";

/** Okabe and Ito's palette, as in the other charts, with a grey that shows on light and dark in place of black. */
export const colours = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#888888"] as const;
export const colour = (index: number): string => colours[index % colours.length]!;

const lines = { gridcolor: "rgba(128,128,128,.25)", zerolinecolor: "rgba(128,128,128,.4)" };

/** A figure without a background of its own, readable on light and dark. Axes are named as Plotly names them: `xaxis2`. */
export function figure(title: string, data: Data[], axes: Readonly<Record<string, object>>, rest: Partial<Layout> = {}): Figure {
  // Lines of a grid would lie over what a map shows.
  const grid = data.every(({ type }) => type === "heatmap") ? { showgrid: false, zeroline: false } : lines;
  const styled = Object.fromEntries(Object.entries({ xaxis: {}, yaxis: {}, ...axes }).map(([name, axis]) => [name, { ...grid, automargin: true, ...axis }]));
  const layout = {
    title: { text: title, font: { size: 15 } },
    font: { color: "#7a7a7a" },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { t: 50, r: 20 },
    ...styled,
    ...rest,
  } as Partial<Layout>;
  return { data, layout };
}

/** Numbers for a figure: rounded to four digits, null where there is none. */
export function plain(values: ArrayLike<number>): (number | null)[] {
  return Array.from(values, (value) => (Number.isFinite(value) ? Number(value.toPrecision(4)) : null));
}

/** The name of a layer, so that the axis counts none in between. */
export const layers = (count: number): number[] => Array.from({ length: count }, (_, layer) => layer);
