import type { SaliencyMap } from "../../train/saliency-map.js";
import { figure, plain } from "./figure.js";
import { bar } from "./text.js";
import { shown, type Shown } from "./view.js";

/** A saliency map as a heatmap, a row a block and a column a token; a line where the response begins. */
export function saliencyView(map: SaliencyMap, index: number): Shown<SaliencyMap> {
  const { blocks, tokens, promptLength, normalised } = map;
  const title = `Saliency of example ${index}: ${promptLength} tokens of prompt, ${tokens.length - promptLength} of response`;
  const x = tokens.map((_, position) => position);
  const heat = {
    type: "heatmap" as const, x, y: blocks.map((block) => `after ${block}`), z: normalised.map(plain), text: blocks.map(() => tokens.map((text) => JSON.stringify(text))) as unknown as string[], colorscale: "Viridis",
    colorbar: { title: { text: "normalised" } },
    hovertemplate: "%{y}, position %{x}: %{text}, %{z:.3f}<extra></extra>",
  };
  const line = { type: "line" as const, x0: promptLength - 0.5, x1: promptLength - 0.5, yref: "paper" as const, y0: 0, y1: 1, line: { color: "#D55E00", width: 2 } };
  return shown(map, {
    title,
    text: [title, ...normalised.map((row, b) => `after block ${String(blocks[b]).padStart(2)}  ${bar(scaled(row.subarray(0, promptLength)))}`)].join("\n"),
    figure: figure(title, [heat], { xaxis: { title: { text: "position" } }, yaxis: { title: { text: "block" }, type: "category", autorange: "reversed" } }, { height: 160 + 26 * Math.max(5, blocks.length), shapes: [line] }),
  });
}

function scaled(row: Float32Array): Float32Array {
  const finite = row.filter(Number.isFinite);
  const [low, high] = [finite.reduce((a, b) => Math.min(a, b), Infinity), finite.reduce((a, b) => Math.max(a, b), -Infinity)];
  return row.map((value) => (value - low) / (high - low || 1));
}
