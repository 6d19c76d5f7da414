import { createHash } from "node:crypto";
import { joined, type Cell, type Notebook } from "./types.js";

/** What nbformat takes for an id. */
const valid = (id: unknown): id is string => typeof id === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(id);

/**
 * A notebook whose cells have ids that other readers take: each its own, from nbformat 4.5 on every cell one. The first cell with an id
 * keeps it.
 * @returns the notebook itself where nothing is wrong, and a sentence for each thing that was mended
 */
export function withValidIds(notebook: Notebook): { notebook: Notebook; mended: string[] } {
  if (notebook.nbformat_minor < 5) return { notebook, mended: [] };
  const taken = new Set<string>();
  const mended: string[] = [];
  const wanted = new Set(notebook.cells.map(({ id }) => id));
  const cells = notebook.cells.map((cell, at): Cell => {
    const { id } = cell as { id?: unknown };
    if (valid(id) && !taken.has(id)) {
      taken.add(id);
      return cell;
    }
    const fresh = freshId(cell, at, (each) => wanted.has(each) || taken.has(each));
    taken.add(fresh);
    const why = id === undefined ? "had no id" : valid(id) ? `had the id of another cell (${id})` : `had the id ${JSON.stringify(id)}, which nbformat does not take`;
    mended.push(`cell ${at + 1} ${why}; it is now ${fresh}`);
    return { ...cell, id: fresh };
  });
  return mended.length === 0 ? { notebook, mended } : { notebook: { ...notebook, cells }, mended };
}

/** The same for the same cell in the same place, so that a notebook written twice is the same file. */
function freshId(cell: Cell, at: number, isTaken: (id: string) => boolean): string {
  for (let n = 0; ; n++) {
    const id = createHash("sha256").update(`${at} ${n} ${joined(cell.source)}`).digest("hex").slice(0, 8);
    if (!isTaken(id)) return id;
  }
}
