import { isStateless, type CellAnalysis } from "./analyse.js";
import type { State } from "./snapshot.js";

export interface Plan {
  /** Position of the first cell that runs. */
  first: number;
  /** Why cells that did not change run all the same. */
  because?: string;
}

/**
 * Where a run can begin. The cells before it keep their outputs and leave their variables on disk; all others run.
 * Begins with the first cell that changed, and moves up for as long as a cell that would run needs, directly or
 * through a function, something that the cells before it hold and that is not on disk exactly as it was.
 * @param cells all cells
 * @param unchanged how many cells at the top did not change
 * @param states what was saved after each of them
 */
export function plan(cells: CellAnalysis[], unchanged: number, states: (State | undefined)[]): Plan {
  let first = unchanged;
  let because: string | undefined;
  const moveTo = (cell: number, reason: string) => {
    first = cell;
    because = reason;
  };
  const effect = cells.findIndex(({ effect }) => effect !== undefined);
  if (effect >= 0 && effect < first) moveTo(effect, `cell ${effect + 1} cannot be left out: ${cells[effect]?.effect}`);

  const mentions = cells.map((cell) => reach(cell.mentions, cells));
  search: while (first > 0) {
    const state = states[first - 1];
    if (!state || state.busy) {
      moveTo(first - 1, `cell ${first} ${state ? "left something running" : "has no saved variables"}`);
      continue;
    }
    for (let i = first; i < cells.length; i++) {
      for (const name of mentions[i] ?? []) {
        const problem = unavailable(name, cells.slice(0, first), state);
        if (problem === undefined) continue;
        const user = mentions.findIndex((names) => names.has(name));
        const begin = cells.slice(0, first).findIndex((cell, at) => mentions[at]?.has(name) && !onlyImports(cell, name));
        // Imported and not used since: importing it again is the same.
        if (begin < 0 || user < 0) continue;
        moveTo(begin, `cell ${i + 1} needs ${name}, which cannot be restored (${problem})`);
        continue search;
      }
    }
    break;
  }
  return { first, ...(because !== undefined && { because }) };
}

/** Why a variable of earlier cells cannot be restored; undefined where it can, or is none. */
function unavailable(name: string, earlier: CellAnalysis[], state: State): string | undefined {
  const declaring = earlier.filter((cell) => cell.imports.has(name) || cell.definitions.has(name) || cell.values.has(name)).at(-1);
  if (!declaring) return undefined;
  const module = declaring.imports.get(name);
  if (module !== undefined) return isStateless(module) ? undefined : `it is of the module ${module}, which may hold state`;
  return state.opaque[name];
}

function onlyImports(cell: CellAnalysis, name: string): boolean {
  return cell.imports.has(name) && !cell.used.has(name);
}

/** Names, with those that the functions and classes among them mention. */
function reach(names: Set<string>, cells: CellAnalysis[]): Set<string> {
  const reached = new Set<string>();
  const waiting = [...names];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    for (const { definitions } of cells) waiting.push(...(definitions.get(name) ?? []));
  }
  return reached;
}
