import { runLabel } from "../../inspect/label.js";
import { retentionMap, type RetentionMap } from "../../inspect/retention.js";
import type { Run } from "../../runtime/run.js";
import { figure, layers, plain } from "./figure.js";
import { bar } from "./text.js";
import { shown, type Shown } from "./view.js";

/**
 * Which of the prompt's tokens each layer's cache holds, layer x position. A long prompt is drawn with several tokens a column.
 * @param columns at most (default 512)
 * @example
 * sdtp.retention(run)
 */
export function retention(run: Run, { columns = 512 } = {}): Shown<RetentionMap> {
  const map = retentionMap(run, { columns });
  const { share, starts, width, lengths, n } = map;
  const title = `Retention by layer and position: ${runLabel(run)}`;
  const heat = {
    type: "heatmap" as const,
    x: [...starts],
    y: layers(share.length),
    z: share.map(plain),
    zmin: 0,
    zmax: 1,
    colorscale: [[0, "rgba(128,128,128,.12)"], [1, "#0072B2"]] as [number, string][],
    colorbar: { title: { text: "share held" }, tickformat: ".0%" },
    hovertemplate: `layer %{y}, ${width === 1 ? "position %{x}" : `positions from %{x}, ${width} a column`}: %{z:.0%}<extra></extra>`,
  };
  return shown(map, {
    title,
    text: [`${title} (${n} tokens)`, ...share.map((row, l) => `${String(l).padStart(3)} ${bar(row)} ${lengths[l]}`)].join("\n"),
    figure: figure(title, [heat], { xaxis: { title: { text: "position" } }, yaxis: { title: { text: "layer" }, autorange: "reversed", dtick: share.length > 16 ? 4 : 1 } }, { height: 140 + 18 * Math.max(8, share.length) }),
  });
}
