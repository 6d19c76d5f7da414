import { type GraphCell, reachOf, writesOf } from "../../lib/jupyter/cell-graph.js";
import type { JsonObject } from "../../lib/jupyter/messages.js";
import type { CompiledCell } from "../compile/cells.js";

/** A cell whose outputs are not what running it now would give. */
export interface StaleCell {
  /** The notebook's id of the cell; undefined where the client does not tell ids. */
  cell?: string;
  /** Its execution count. */
  count: number;
  /** Why: `[3] ran again`. */
  because: string;
}

interface Ran {
  cell?: string;
  count: number;
  /** The execution count of its first run: what ran before others stands above them. */
  first: number;
  /** The compiler's number of this run, by which later cells name its variables. */
  id: number;
  /** Numbers of the runs whose variables it used. */
  uses: number[];
  flow: CompiledCell["flow"];
}

/**
 * Which cells are stale: they used variables of a cell that has run again since, or that a cell which ran before them and has run
 * again since may have changed, or variables of a cell that is stale itself. Cells are told apart by the ids that clients send
 * along; without ids, by their text. A cell that runs for the first time makes none stale: it may stand below them.
 */
export class Staleness {
  /** The last run of each cell, in the order of the runs. */
  readonly #latest = new Map<string, Ran>();
  /** The cell behind each run. */
  readonly #owners = new Map<number, string>();
  /** The stale cells since the last run: asked for before and after each. */
  #listed: StaleCell[] | undefined;

  /** Notes that a cell ran. @param metadata of its request */
  note(metadata: JsonObject, code: string, count: number, { id, uses, flow }: CompiledCell): void {
    const cell = typeof metadata["cellId"] === "string" ? metadata["cellId"] : undefined;
    this.#listed = undefined;
    const key = cell ?? code;
    const before = this.#latest.get(key);
    this.#latest.delete(key);
    // A cell that declares nothing new uses what it did: `n++` after `n++` uses the same variable.
    this.#latest.set(key, { ...(cell !== undefined && { cell }), count, first: before?.first ?? count, id, uses: uses.map((each) => each.id).filter((each) => each !== before?.id), flow });
    this.#owners.set(id, key);
  }

  /** Forgets all: the variables are gone. */
  clear(): void {
    this.#listed = undefined;
    this.#latest.clear();
    this.#owners.clear();
  }

  /** The stale cells, in the order in which they ran. */
  list(): StaleCell[] {
    return (this.#listed ??= this.#find());
  }

  #find(): StaleCell[] {
    const ran = [...this.#latest.values()];
    const position = new Map([...this.#latest.keys()].map((key, i) => [key, i]));
    // What a cell changes matters where it ran again.
    const again = ran.flatMap(({ first, count, flow }, i) => (first !== count && flow.references.some(({ access, calls }) => access === "write" || calls) ? [i] : []));
    const graph = again.length === 0 ? [] : ran.map(({ flow }): GraphCell => ({
      changes: flow.changes,
      aliases: flow.aliases,
      references: flow.references.flatMap(({ id, ...reference }) => {
        const owner = this.#owners.get(id);
        return owner === undefined ? [] : [{ cell: position.get(owner)!, ...reference }];
      }),
    }));
    const writes = new Map(again.map((k) => [k, writesOf(graph, k)]));
    const known = new Map<number, string | undefined>();
    const reason = (i: number): string | undefined => {
      if (known.has(i)) return known.get(i);
      known.set(i, undefined);
      known.set(i, used(i) ?? changed(i));
      return known.get(i);
    };
    const used = (i: number): string | undefined => {
      for (const id of ran[i]!.uses) {
        const owner = position.get(this.#owners.get(id) ?? "");
        if (owner === undefined) continue;
        if (ran[owner]!.id !== id) return `[${ran[owner]!.count}] ran again`;
        if (owner !== i && reason(owner) !== undefined) return `[${ran[owner]!.count}] is stale`;
      }
      return undefined;
    };
    /** Because of a later run of a cell that had run before this one did. */
    const changed = (i: number): string | undefined => {
      const later = again.filter((k) => k > i && ran[k]!.first < ran[i]!.count);
      if (later.length === 0) return undefined;
      const reach = reachOf(graph, i);
      const by = later.find((k) => [...writes.get(k)!].some((variable) => reach.has(variable)));
      return by === undefined ? undefined : `[${ran[by]!.count}] ran again`;
    };
    return ran.flatMap(({ cell, count }, i) => {
      const because = reason(i);
      return because === undefined ? [] : [{ ...(cell !== undefined && { cell }), count, because }];
    });
  }
}
