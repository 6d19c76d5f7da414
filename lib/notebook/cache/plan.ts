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
  const imported = new Map(cells.flatMap(({ imports }) => [...imports]));
  const effects = cells.map((cell) => cell.effect ?? [...cell.changed].filter((name) => imported.has(name)).map((name) => `it changes ${name}`)[0]);
  const effect = effects.findIndex((each) => each !== undefined);
  if (effect >= 0 && effect < first) moveTo(effect, `cell ${effect + 1} cannot be left out: ${effects[effect]}`);

  const mentions = cells.map((cell) => reach(cell.mentions, cells));
  const used = cells.map((cell) => reach(cell.used, cells));
  // Modules may share what they hold with each other: they are taken as one.
  const moduleIn = (names: Set<string> | undefined) => [...(names ?? [])].map((name) => imported.get(name)).find((module) => module !== undefined && !isStateless(module));
  search: while (first > 0) {
    const state = states[first - 1];
    if (!state || state.busy) {
      moveTo(first - 1, `cell ${first} ${state ? "left something running" : "has no saved variables"}`);
      continue;
    }
    const usesModule = used.slice(0, first).findIndex((names) => moduleIn(names) !== undefined);
    for (let i = first; i < cells.length; i++) {
      const module = moduleIn(mentions[i]);
      if (module !== undefined && usesModule >= 0) {
        moveTo(usesModule, `cell ${i + 1} needs the module ${module}, which may hold state`);
        continue search;
      }
      for (const name of mentions[i] ?? []) {
        const problem = unavailable(name, cells.slice(0, first), state);
        if (problem === undefined) continue;
        const begin = mentions.slice(0, first).findIndex((names) => names.has(name));
        moveTo(begin, `cell ${i + 1} needs ${name}, which cannot be restored (${problem})`);
        continue search;
      }
    }
    break;
  }
  return { first, ...(because !== undefined && { because }) };
}

/** Why a variable of earlier cells cannot be restored; undefined where it can, is imported, or is none. */
function unavailable(name: string, earlier: CellAnalysis[], state: State): string | undefined {
  const declaring = earlier.filter((cell) => cell.imports.has(name) || cell.definitions.has(name) || cell.values.has(name)).at(-1);
  return !declaring || declaring.imports.has(name) ? undefined : state.opaque[name];
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
