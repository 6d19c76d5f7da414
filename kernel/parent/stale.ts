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
  /** The compiler's number of this run, by which later cells name its variables. */
  id: number;
  /** Numbers of the runs whose variables it used. */
  uses: number[];
}

/**
 * Which cells are stale: they used variables of a cell that has run again since, or of one that is stale itself. Cells are
 * told apart by the ids that clients send along; without ids, by their text.
 */
export class Staleness {
  /** The last run of each cell, in the order of the runs. */
  readonly #latest = new Map<string, Ran>();
  /** The cell behind each run. */
  readonly #owners = new Map<number, string>();

  /** Notes that a cell ran. @param metadata of its request */
  note(metadata: JsonObject, code: string, count: number, { id, uses }: CompiledCell): void {
    const cell = typeof metadata["cellId"] === "string" ? metadata["cellId"] : undefined;
    const key = cell ?? code;
    const before = this.#latest.get(key);
    this.#latest.delete(key);
    // A cell that declares nothing new uses what it did: `n++` after `n++` uses the same variable.
    this.#latest.set(key, { ...(cell !== undefined && { cell }), count, id, uses: uses.map((each) => each.id).filter((each) => each !== before?.id) });
    this.#owners.set(id, key);
  }

  /** Forgets all: the variables are gone. */
  clear(): void {
    this.#latest.clear();
    this.#owners.clear();
  }

  /** The stale cells, in the order in which they ran. */
  list(): StaleCell[] {
    const known = new Map<string, string | undefined>();
    const reason = (key: string): string | undefined => {
      if (known.has(key)) return known.get(key);
      known.set(key, undefined);
      const ran = this.#latest.get(key)!;
      for (const id of ran.uses) {
        const owner = this.#owners.get(id);
        const now = owner === undefined ? undefined : this.#latest.get(owner);
        if (owner === undefined || !now) continue;
        if (now.id !== id) known.set(key, `[${now.count}] ran again`);
        else if (owner !== key && reason(owner) !== undefined) known.set(key, `[${now.count}] is stale`);
        if (known.get(key) !== undefined) break;
      }
      return known.get(key);
    };
    return [...this.#latest].flatMap(([key, { cell, count }]) => {
      const because = reason(key);
      return because === undefined ? [] : [{ ...(cell !== undefined && { cell }), count, because }];
    });
  }
}
