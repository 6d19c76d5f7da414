import type { LayerDrift } from "../../inspect/drift.js";
import { runLabel } from "../../inspect/label.js";
import type { Run } from "../../runtime/run.js";
import { colour, figure } from "./figure.js";
import { short, textTable } from "./text.js";
import { shown, type Shown } from "./view.js";

/**
 * How far keys and values have moved from the unpruned run's, by layer: cosine and relative L2, over the prompt tokens held.
 * @example
 * await sdtp.drift(run)
 */
export async function drift(run: Run, options: { against?: Run } = {}): Promise<Shown<{ layers: readonly LayerDrift[] }>> {
  const { kvDrift } = await import("../../inspect/drift.js");
  const layers = await kvDrift(run, options);
  const title = `Drift of keys and values: ${runLabel(run)} against ${options.against ? runLabel(options.against) : "the unpruned run"}`;
  const line = (name: string, key: Exclude<keyof LayerDrift, "layer" | "tokens">, i: number, axis: "" | "2") => ({
    type: "scatter" as const, mode: "lines+markers" as const, name, x: layers.map(({ layer }) => layer), y: layers.map((row) => row[key]), line: { color: colour(i) }, xaxis: `x${axis}` as "x", yaxis: `y${axis}` as "y",
  });
  const data = [line("key, relative L2", "keyRelativeL2", 0, ""), line("value, relative L2", "valueRelativeL2", 1, ""), line("key, cosine", "keyCosine", 2, "2"), line("value, cosine", "valueCosine", 3, "2")];
  const cells = layers.map(({ layer, tokens, keyCosine, valueCosine, keyRelativeL2, valueRelativeL2 }) => [layer, tokens, short(keyCosine), short(valueCosine), short(keyRelativeL2), short(valueRelativeL2)]);
  const x = { title: { text: "layer" } };
  return shown({ layers }, {
    title,
    text: textTable(title, ["layer", "tokens", "key cosine", "value cosine", "key rel. L2", "value rel. L2"], cells),
    figure: figure(title, data, { xaxis: x, yaxis: { title: { text: "relative L2" }, rangemode: "tozero" }, xaxis2: x, yaxis2: { title: { text: "cosine" } } }, { grid: { rows: 1, columns: 2, pattern: "independent", xgap: 0.15 } }),
  });
}
