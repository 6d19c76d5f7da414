import { runLabel } from "../../inspect/label.js";
import { kvNorms, type KvNorms } from "../../inspect/norms.js";
import type { Run } from "../../runtime/run.js";
import { figure, layers, plain } from "./figure.js";
import { bar } from "./text.js";
import { shown, type Shown } from "./view.js";

/**
 * Norms of keys and values by layer and position, the mean over heads and over a column's tokens; empty where the cache holds none.
 * @example
 * sdtp.norms(run)
 */
export function norms(run: Run, { columns = 256 } = {}): Shown<KvNorms> {
  const data = kvNorms(run, { columns });
  const title = `Key and value norms: ${runLabel(run)}`;
  const heat = (part: "key" | "value", axis: "" | "2") => ({
    type: "heatmap" as const, x: [...data.starts], y: layers(data[part].length), z: data[part].map(plain), colorscale: "Viridis", xaxis: `x${axis}` as "x", yaxis: `y${axis}` as "y",
    colorbar: { title: { text: `${part} norm` }, len: 0.45, y: part === "key" ? 0.79 : 0.21 },
    hovertemplate: `layer %{y}, position %{x}: %{z}<extra>${part}</extra>`,
  });
  const y = { title: { text: "layer" }, autorange: "reversed" };
  const line = (part: "key" | "value") => data[part].map((row, l) => {
    const most = row.reduce((a, b) => (b > a ? b : a), 0) || 1;
    return `${part.padEnd(5)} ${String(l).padStart(3)} ${bar(row.map((norm) => norm / most))} largest ${most.toPrecision(3)}`;
  });
  return shown(data, {
    title,
    text: [title, ...line("key"), ...line("value")].join("\n"),
    figure: figure(title, [heat("key", ""), heat("value", "2")], { xaxis: {}, yaxis: y, xaxis2: { title: { text: "position" } }, yaxis2: y }, { height: 520, grid: { rows: 2, columns: 1, pattern: "independent", ygap: 0.18 } }),
  });
}
