import { attentionPaid, SINKS, type AttentionPaid } from "../../inspect/attention.js";
import { buckets, type Buckets } from "../../inspect/buckets.js";
import type { Run } from "../../runtime/run.js";
import { colour, figure, layers } from "./figure.js";
import { percent, textTable } from "./text.js";
import { shown, type Shown } from "./view.js";

/**
 * Attention that generated tokens pay, by layer: to the prompt's first tokens (sinks), to the rest of it, to what was generated.
 * Generates greedily on a fork of the run; computed on demand.
 * @param tokens to generate (default 16) @param columns of the map, at most (default 256)
 * @example
 * await sdtp.attention(run, { tokens: 8 })
 */
export async function attention(run: Run, { tokens = 16, columns = 256 } = {}): Promise<Shown<AttentionPaid>> {
  return attentionView(await attentionPaid(run, { tokens }), columns);
}

export function attentionView(data: AttentionPaid, columns: number): Shown<AttentionPaid> {
  const title = `Attention of ${data.steps} generated tokens: ${data.label}`;
  const names = [`first ${SINKS} tokens`, "rest of the prompt", "generated tokens"];
  const bars = (["sinks", "prompt", "generated"] as const).map((group, i) => ({
    type: "bar" as const, orientation: "h" as const, name: names[i]!, y: data.groups.map(({ layer }) => layer), x: data.groups.map((row) => row[group]), marker: { color: colour([4, 0, 7][i]!) },
  }));
  const cut = buckets(data.promptLength, columns);
  const shares = data.byLayer.map((row) => bucketSums(row, cut));
  const heat = {
    type: "heatmap" as const, x: [...cut.starts], y: layers(data.byLayer.length), ...logShares(shares), colorscale: "Viridis", xaxis: "x2" as const, yaxis: "y2" as const,
    colorbar: { title: { text: "share" }, ...powersOfTen },
    hovertemplate: "layer %{y}, position %{x}: %{customdata} %<extra></extra>",
  };
  const y = { title: { text: "layer" }, autorange: "reversed" };
  const cells = data.groups.map(({ layer, sinks, prompt, generated }) => [layer, percent(sinks), percent(prompt), percent(generated)]);
  return shown(data, {
    title,
    text: textTable(title, ["layer", ...names], cells),
    figure: figure(title, [...bars, heat], {
      xaxis: { title: { text: "share of attention" }, tickformat: ".0%", range: [0, 1], domain: [0, 0.36] }, yaxis: y,
      xaxis2: { title: { text: "position" }, domain: [0.46, 1], anchor: "y2" }, yaxis2: { ...y, anchor: "x2" },
    }, { barmode: "stack", height: 420, legend: { orientation: "h", y: -0.2, yanchor: "top" } }),
  });
}

/** Attention to all of a column's tokens together. `[columns]` */
export function bucketSums(row: Float32Array, { width, columns }: Buckets): number[] {
  return Array.from({ length: columns }, (_, column) => row.subarray(column * width, (column + 1) * width).reduce((a, b) => a + b, 0));
}

/** Shares of 1 on a logarithmic scale of colours, in percent when pointed at; nothing below 0.001 %. */
export function logShares(rows: readonly (readonly number[])[]) {
  const shown = (share: number) => share >= 1e-5;
  return {
    z: rows.map((row) => row.map((share) => (shown(share) ? Number(Math.log10(share).toFixed(2)) : null))),
    customdata: rows.map((row) => row.map((share) => (shown(share) ? Number((100 * share).toPrecision(2)) : null))),
  };
}

export const powersOfTen = { tickvals: [-5, -4, -3, -2, -1, 0], ticktext: ["0.001 %", "0.01 %", "0.1 %", "1 %", "10 %", "100 %"] };
