/** What cells do with each other's variables, and what follows for the order of cause and effect. */

/** A cell as the compiler sees it; cells are told apart by their positions in a list. */
export interface GraphCell {
  /** Variables of other cells that it uses. */
  readonly references: readonly { readonly cell: number; readonly name: string; readonly access: "read" | "write"; readonly shared?: true; readonly calls?: true }[];
  /** Its own variables that its functions change. */
  readonly changes?: readonly string[];
  /** Its own variables that may hold the same objects, in groups. */
  readonly aliases?: readonly (readonly string[])[];
}

export const variableId = (cell: number, name: string): string => `${cell} ${name}`;

/** The variables that a cell can reach: those that it uses, and what they were made of. */
export function reachOf(cells: readonly GraphCell[], cell: number): Set<string> {
  const found = new Set<string>();
  const seen = new Set<number>();
  const visit = (at: number): void => {
    for (const { cell: from, name } of cells[at]?.references ?? []) {
      found.add(variableId(from, name));
      if (!seen.has(from) && seen.add(from)) visit(from);
    }
  };
  visit(cell);
  return found;
}

/**
 * The variables that running a cell may change: those that it writes, those that functions write which it uses, and all that may
 * hold the same objects by other names.
 */
export function writesOf(cells: readonly GraphCell[], cell: number): Set<string> {
  const found = new Set<string>();
  const called = new Set<number>();
  const add = (owner: number, name: string): void => {
    if (found.has(variableId(owner, name))) return;
    found.add(variableId(owner, name));
    for (const group of cells[owner]?.aliases ?? []) if (group.includes(name)) for (const other of group) add(owner, other);
    // What the variable was made of, where its cell gave that another name.
    for (const reference of cells[owner]?.references ?? []) if (reference.shared) add(reference.cell, reference.name);
  };
  const visit = (at: number): void => {
    for (const { cell: owner, name, access, calls } of cells[at]?.references ?? []) {
      if (access === "write") add(owner, name);
      if (!calls || called.has(owner)) continue;
      called.add(owner);
      for (const each of cells[owner]?.changes ?? []) add(owner, each);
      visit(owner);
    }
  };
  visit(cell);
  return found;
}
