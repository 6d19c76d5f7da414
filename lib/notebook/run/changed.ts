/** Which cells a run needs where only some have changed: the graph of what cells do with each other's variables. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { reachOf, variableId, writesOf } from "../../jupyter/cell-graph.js";
import type { CheckedCell, Kernel } from "../../jupyter/index.js";
import { analyse, isStateless, type CellAnalysis } from "../cache/analyse.js";
import { outputsHash } from "../cache/cache.js";
import { ownHashes } from "../cache/hash.js";
import { cellNote } from "../cell-note.js";
import { readNotebook } from "../read.js";
import { joined, type CodeCell, type Notebook } from "../types.js";
import { runnableCells } from "./execute.js";
import type { ChosenKernel } from "./kernel.js";
import { cellRecord } from "./provenance.js";

export interface Changed {
  /** Cells that keep the outputs they had, by their position among those that run. */
  kept: Set<number>;
  /** What each cell's outputs follow from: its text, and all that it depends on. */
  keys: string[];
}

/**
 * The cells that each cell depends on, by position. A cell depends on those that declare what it uses, those before it
 * that change any of that, and those that act beyond variables (the process, globals, modules with a state).
 * @param checked what the compiler found out about them
 */
export function dependencies(checked: CheckedCell[], analyses: CellAnalysis[]): Set<number>[] {
  const imported = new Map(analyses.flatMap(({ imports }, cell) => [...imports].map(([name, module]) => [variableId(cell, name), module] as const)));
  const isStateful = (variable: string) => imported.has(variable) && !isStateless(imported.get(variable)!);
  const reach = checked.map((_, cell) => reachOf(checked, cell));
  const writes = checked.map((_, cell) => writesOf(checked, cell));
  const usesState = reach.map((variables) => [...variables].some(isStateful));
  const acts = analyses.map(({ effect }, i) => effect !== undefined || checked[i]!.diagnostics.length > 0);
  return checked.map((_, i) => {
    const needed = new Set<number>();
    for (const variable of reach[i]!) needed.add(Number(variable.split(" ")[0]));
    for (let k = 0; k < i; k++) if (acts[k] || (usesState[i] && usesState[k]) || [...writes[k]!].some((variable) => reach[i]!.has(variable))) needed.add(k);
    needed.delete(i);
    return needed;
  });
}

/**
 * Plans a run that leaves out the cells whose outputs would be what they are: neither they nor anything that they depend
 * on has changed since the run that wrote `output`, and no cell that runs needs them. Takes over their outputs.
 */
export async function planChanged(notebook: Notebook, file: string, output: string, chosen: ChosenKernel, kernel: Kernel): Promise<Changed> {
  const cells = runnableCells(notebook);
  const sources = cells.map((cell) => joined(cell.source));
  const { cells: checked } = await kernel.client.check(sources);
  const needs = dependencies(checked, sources.map(analyse));
  const own = ownHashes(notebook, file, chosen);
  const keys: string[] = [];
  for (const [i, hash] of own.entries()) keys.push(createHash("sha256").update([hash, ...[...needs[i]!].sort((a, b) => a - b).map((j) => keys[j])].join(" ")).digest("hex").slice(0, 32));
  const before = new Map<string, CodeCell>();
  const earlier = existsSync(output) ? await readNotebook(output).then(runnableCells, () => []) : [];
  for (const cell of earlier) {
    const { key, outputs } = cellNote(cell);
    const isGood = typeof key === "string" && outputs === outputsHash(cell) && cellRecord(cell).status === "completed" && !cell.outputs.some((each) => each.output_type === "error");
    if (isGood) before.set(key, cell);
  }
  const runs = new Set(keys.flatMap((key, i) => (before.has(key) && checked[i]!.diagnostics.length === 0 ? [] : [i])));
  // Variables of the cells that run.
  for (const i of runs) for (const j of needs[i]!) runs.add(j);
  const kept = new Set(keys.map((_, i) => i).filter((i) => !runs.has(i)));
  for (const i of kept) {
    const was = before.get(keys[i]!)!;
    Object.assign(cells[i]!, { outputs: was.outputs, execution_count: was.execution_count });
    if (was.metadata["papermill"] !== undefined) cells[i]!.metadata["papermill"] = was.metadata["papermill"];
  }
  return { kept, keys };
}
