import { createHash } from "node:crypto";
import { joined, type Cell, type Notebook } from "../types.js";

/** A cell's text without what text notebooks do not keep. */
const sourceOf = (cell: Cell): string => joined(cell.source).replace(/\n+$/, "");

/** Whether two notebooks have the same cells, outputs and hidden metadata aside. */
export function sameInputs(a: Cell[], b: Cell[]): boolean {
  return a.length === b.length && a.every((cell, i) => cell.cell_type === b[i]?.cell_type && sourceOf(cell) === sourceOf(b[i]));
}

/**
 * The cells of a text notebook with what only its .ipynb holds: ids, outputs of cells that did not change, attachments,
 * metadata that text does not show. Ids of new cells follow from their text.
 * @param isShown whether text shows a key of a cell's metadata
 */
export function combine(text: Notebook, stored: Notebook | undefined, isShown: (cell: Cell, key: string) => boolean): Notebook {
  const partners = stored ? partnersOf(text.cells, stored.cells) : new Map<Cell, Cell>();
  const taken = new Set([...partners.values()].map(({ id }) => id));
  const cells = text.cells.map((cell): Cell => {
    const partner = partners.get(cell);
    if (!partner) return { ...cell, id: freshId(cell, taken) };
    const same = sourceOf(cell) === sourceOf(partner);
    const hidden = Object.fromEntries(Object.entries(partner.metadata).filter(([key]) => !isShown(partner, key)));
    const base = { ...cell, metadata: { ...cell.metadata, ...hidden }, id: partner.id ?? freshId(cell, taken), ...(same && { source: partner.source }) };
    if (base.cell_type === "code") return partner.cell_type === "code" && same ? { ...base, outputs: partner.outputs, execution_count: partner.execution_count } : base;
    return { ...base, ...(partner.cell_type !== "code" && partner.attachments && { attachments: partner.attachments }) };
  });
  const { kernelspec, jupytext, ...others } = { ...stored?.metadata, ...text.metadata };
  return { nbformat: 4, nbformat_minor: 5, metadata: { ...(kernelspec && { kernelspec }), ...(jupytext !== undefined && { jupytext }), ...others }, cells };
}

/** Cells that stand for each other: those with equal text, in order, and between two such pairs those of one type, in order. */
function partnersOf(cells: Cell[], stored: Cell[]): Map<Cell, Cell> {
  const partners = new Map<Cell, Cell>();
  const keys = (each: Cell) => `${each.cell_type} ${sourceOf(each)}`;
  let [i, j] = [0, 0];
  for (const [a, b] of [...commonSubsequence(cells.map(keys), stored.map(keys)), [cells.length, stored.length] as const]) {
    for (const cell of cells.slice(i, a)) {
      const at = stored.findIndex((each, position) => position >= j && position < b && each.cell_type === cell.cell_type);
      if (at < 0) continue;
      partners.set(cell, stored[at] as Cell);
      j = at + 1;
    }
    if (a < cells.length) partners.set(cells[a] as Cell, stored[b] as Cell);
    [i, j] = [a + 1, b + 1];
  }
  return partners;
}

/** Positions of a longest common subsequence. */
export function commonSubsequence(a: string[], b: string[]): (readonly [number, number])[] {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) lengths[i]![j] = a[i] === b[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
  }
  const pairs: (readonly [number, number])[] = [];
  for (let [i, j] = [0, 0]; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) i++;
    else j++;
  }
  return pairs;
}

function freshId(cell: Cell, taken: Set<string | undefined>): string {
  for (let n = 0; ; n++) {
    const id = createHash("sha256").update(`${n} ${cell.cell_type} ${sourceOf(cell)}`).digest("hex").slice(0, 8);
    if (taken.has(id)) continue;
    taken.add(id);
    return id;
  }
}
