import { LAST_PRELOADED } from "../compile/prelude.js";
import { whole } from "./stop.js";

/** The variables of one cell: a getter and a setter for each, over the variables of its function. */
export type Scope = Record<string, unknown>;

/**
 * The variables of the notebook, by the cell that declared them. A cell declared again has variables of its own; those of
 * the earlier one are kept as long as a name leads to them, and then by the functions that use them alone.
 */
export class Scopes {
  readonly #scopes = new Map<number, Scope>();

  /** @param preloaded what the notebook has without importing it */
  constructor(preloaded: Scope) {
    for (let id = 1; id <= LAST_PRELOADED; id++) this.#scopes.set(id, preloaded);
  }

  get(id: number): Scope {
    const scope = this.#scopes.get(id);
    if (!scope) throw new Error(`variables of cell ${id}: not there (it has not begun yet, or they are gone)`);
    return scope;
  }

  set(id: number, scope: Scope): void {
    this.#scopes.set(id, scope);
  }

  /**
   * Loads what a cell's code uses of what is preloaded, to its end: a module that is left in the middle of loading stays half
   * there for as long as the process lives. Call where no signal ends what runs.
   * @returns whether there was anything to load
   */
  loadPreloaded(code: string, uses: readonly { id: number }[]): boolean {
    const ids = uses.map(({ id }) => id).filter((id) => id <= LAST_PRELOADED);
    const waiting = ids.flatMap((id) => Object.entries(Object.getOwnPropertyDescriptors(this.get(id))).filter(([name, { get }]) => get && code.includes(`__cell${id}__.${name}`)).map(([name]) => [this.get(id), name] as const));
    for (const [scope, name] of waiting) whole(() => scope[name]);
    return waiting.length > 0;
  }

  /** The variables of the notebook by name, each of the cell that declared it last and reached it. What is preloaded is left out. */
  variables(): Map<string, unknown> {
    const found = new Map<string, unknown>();
    for (const [id, scope] of [...this.#scopes].sort(([a], [b]) => a - b)) {
      if (id <= LAST_PRELOADED) continue;
      for (const name of Object.keys(scope)) {
        try {
          found.set(name, scope[name]);
        } catch {
          // Not reached: the name is still an older cell's.
        }
      }
    }
    return found;
  }

  /** The variables among which a name is: those of the last cell that declared it and reached it, else what is preloaded. */
  holding(name: string): Scope | undefined {
    for (const [id, scope] of [...this.#scopes].sort(([a], [b]) => b - a)) {
      if (!Object.hasOwn(scope, name)) continue;
      if (id <= LAST_PRELOADED) return scope;
      try {
        void scope[name];
        return scope;
      } catch {
        // Not reached.
      }
    }
    return undefined;
  }

  forget(ids: number[]): void {
    for (const id of ids) this.#scopes.delete(id);
  }
}

/**
 * Names whose declarations were reached: reading another one throws, or gives undefined where it is hoisted.
 * @param hoisted names among them that can be read from the start: those of `var`, enums and namespaces
 */
export function reached(scope: Scope | undefined, names: string[], hoisted: string[]): string[] {
  if (!scope) return [];
  return names.filter((name) => {
    try {
      return scope[name] !== undefined || !hoisted.includes(name);
    } catch {
      return false;
    }
  });
}
