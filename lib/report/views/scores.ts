import { stagePlace } from "../../methods/plan/stages.js";
import type { Data } from "plotly.js";
import { scoreDistributions, type ScoreDistribution } from "../../inspect/distributions.js";
import { runLabel } from "../../inspect/label.js";
import type { Run } from "../../runtime/run.js";
import { colour, figure, plain } from "./figure.js";
import { bar, short, textTable } from "./text.js";
import { shown, type Shown } from "./view.js";

const COLUMNS = 4;

/**
 * Scores by stage, kept and dropped, with the cut between them. Tokens that stay whatever their score are left out.
 * @throws where the scores were not read (prefill with `{ scores: true }`)
 * @example
 * const run = await model.prefill(ids, { preset: "sdtp", scores: true });
 * sdtp.scores(run)
 */
export function scores(run: Run, { bins = 40 } = {}): Shown<{ stages: readonly ScoreDistribution[] }> {
  const stages = scoreDistributions(run, { bins });
  if (stages.length === 0) throw new Error(`scores: ${run.preset.name} has no stage (prefill with a preset that prunes)`);
  const title = `Scores by stage: ${runLabel(run)}`;
  const cells = stages.map(({ stage, afterLayer, kept, dropped, lowestKept, highestDropped, forced }) =>
    [stage, afterLayer, bar(normalised(kept)), bar(normalised(dropped)), lowestKept === null ? "-" : short(lowestKept), highestDropped === null ? "-" : short(highestDropped), forced]);
  const name = (s: number) => (s === 0 ? "" : String(s + 1));
  const axes: Record<string, object> = {};
  // Bars on Plotly's own logarithmic axis get widths that do not meet: powers of ten on a linear one.
  const place = ({ scale }: ScoreDistribution, score: number) => (scale === "log" ? Math.log10(score) : score);
  const data = stages.flatMap((distribution, s): Data[] => {
    const { edges, kept, dropped, afterLayer, scale } = distribution;
    axes[`xaxis${name(s)}`] = { title: { text: `${stagePlace(afterLayer)}${scale === "log" ? ", log₁₀" : ""}`, standoff: 4, font: { size: 11 } }, tickfont: { size: 9 }, nticks: 4 };
    axes[`yaxis${name(s)}`] = { tickfont: { size: 9 }, nticks: 4 };
    const centres = plain(edges.subarray(1).map((edge, i) => (place(distribution, edge) + place(distribution, edges[i]!)) / 2));
    const bars = (label: string, counts: Int32Array, i: number): Data => ({
      type: "bar", name: label, x: centres, y: [...counts], marker: { color: colour(i) }, xaxis: `x${name(s)}` as "x", yaxis: `y${name(s)}` as "y", showlegend: s === 0, legendgroup: label,
    });
    return [bars("dropped", dropped, 4), bars("kept", kept, 0)];
  });
  const cuts = stages.flatMap((distribution, s) => {
    const { lowestKept, highestDropped } = distribution;
    if (lowestKept === null || highestDropped === null) return [];
    const x = (place(distribution, lowestKept) + place(distribution, highestDropped)) / 2;
    return [{ type: "line" as const, xref: `x${name(s)}` as "x", yref: `y${name(s)} domain` as "paper", x0: x, x1: x, y0: 0, y1: 1, line: { color: "#888", dash: "dot" as const, width: 1 } }];
  });
  const columns = Math.min(COLUMNS, stages.length);
  const rows = Math.ceil(stages.length / columns);
  return shown({ stages }, {
    title,
    text: textTable(title, ["stage", "after", "kept, low to high score", "dropped", "lowest kept", "highest dropped", "forced"], cells),
    figure: figure(title, data, axes, { barmode: "stack", bargap: 0, shapes: cuts, height: 130 + 200 * rows, grid: { rows, columns, pattern: "independent", ygap: 0.38, xgap: 0.28 } }),
  });
}

function normalised(counts: Int32Array): Float64Array {
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  return Float64Array.from(counts, (count) => count / most);
}
