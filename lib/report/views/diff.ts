import type { RunDiff } from "../../inspect/diff.js";
import type { Run } from "../../runtime/run.js";
import { htmlTable } from "./html.js";
import { percent, textTable } from "./text.js";
import { tokenHtml } from "./token-html.js";
import { shown, type Shown } from "./view.js";

/**
 * Two presets or scorers on one prompt: which tokens both kept, which only one, and the overlap by stage. @throws on different prompts
 * @example
 * await sdtp.diff(run, await model.prefill(ids, { preset: "sdtp", scorer: "norm" }))
 */
export async function diff(a: Run, b: Run): Promise<Shown<RunDiff>> {
  const { diffRuns } = await import("../../inspect/diff.js");
  const data = diffRuns(a, b);
  const texts = (await a.texts()) ?? (await b.texts()) ?? a.ids.map((id) => `${id} `);
  const [left, right] = data.labels;
  const title = `${left} and ${right}: ${data.both.length} tokens kept by both, ${data.onlyA.length} by the first only, ${data.onlyB.length} by the second only`;
  const head = ["stage", "after block", "kept by first", "by second", "by both", "both of either"];
  const cells = [
    ...data.stages.map(({ stage, afterLayers, a, b, both, jaccard }) => [String(stage), [...new Set(afterLayers)].join(" and "), a, b, both, percent(jaccard)]),
    ["in the end", "", data.overlap.a, data.overlap.b, data.overlap.both, percent(data.overlap.jaccard)],
  ];
  const kind = new Uint8Array(data.promptLength);
  [data.both, data.onlyA, data.onlyB, data.neither].forEach((positions, k) => positions.forEach((position) => (kind[position] = k)));
  const kinds = [
    { style: "", label: "both" },
    { style: "background:#0072b266", label: `only ${left}`, tag: "b" as const },
    { style: "background:#e69f0066", label: `only ${right}`, tag: "em" as const },
    { style: "opacity:.45", label: "neither", tag: "del" as const },
  ];
  const html = () => `${htmlTable(title, head, cells)}${tokenHtml({ title: "The prompt's tokens", scope: "diff", texts, kinds, kind, hover: (i) => `${i} · ${kinds[kind[i]!]!.label}` })}`;
  return shown(data, { title, text: textTable(title, head, cells), html });
}
