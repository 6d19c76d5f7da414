import { isDeepStrictEqual } from "node:util";
import { joined, lines, type Cell, type Notebook } from "../types.js";
import { pairedCells } from "./diff.js";
import { mergeText } from "./sequence.js";

export interface Merged {
  notebook: Notebook;
  /** Cells of the result that both changed differently, from 1, and what was done with them. */
  conflicts: { cell: number; reason: string }[];
}

/**
 * Merges two changes of one notebook, cell by cell and inside cells line by line. Where both changed the same lines,
 * the cell has marks as git writes them, and the notebook opens all the same. Outputs are those of the side that
 * changed the cell; of a cell that both changed there are none.
 */
export function mergeNotebooks(base: Notebook, ours: Notebook, theirs: Notebook): Merged {
  const inOurs = new Map(pairedCells(base.cells, ours.cells));
  const inTheirs = new Map(pairedCells(base.cells, theirs.cells));
  const cells: Cell[] = [];
  const conflicts: Merged["conflicts"] = [];
  const conflict = (reason: string) => conflicts.push({ cell: cells.length, reason });
  let [i, j] = [0, 0];
  /** Cells of one side that the base does not have, up to a position. */
  const added = (mine: Cell[], other: Cell[]) => cells.push(...mine, ...other.filter((cell) => !mine.some((each) => each.cell_type === cell.cell_type && joined(each.source) === joined(cell.source))));
  const [lastOurs, lastTheirs] = [new Set(inOurs.values()), new Set(inTheirs.values())];
  const takeAdded = (x: number, y: number) => {
    added(ours.cells.slice(i, x).filter((_, at) => !lastOurs.has(i + at)), theirs.cells.slice(j, y).filter((_, at) => !lastTheirs.has(j + at)));
    [i, j] = [Math.max(i, x), Math.max(j, y)];
  };
  for (const [position, was] of base.cells.entries()) {
    const [x, y] = [inOurs.get(position), inTheirs.get(position)];
    takeAdded(x ?? i, y ?? j);
    const [mine, other] = [x === undefined ? undefined : ours.cells[x], y === undefined ? undefined : theirs.cells[y]];
    if (x !== undefined) i = x + 1;
    if (y !== undefined) j = y + 1;
    if (mine && other) {
      const { cell, conflict: clash } = mergeCell(was, mine, other);
      cells.push(cell);
      if (clash) conflict("both changed the same lines");
    } else {
      const left = mine ?? other;
      // Removed on one side: gone, unless the other side worked on it.
      if (left && joined(left.source) !== joined(was.source)) {
        cells.push(left);
        conflict(`removed by ${mine ? "theirs" : "ours"}, changed by ${mine ? "ours" : "theirs"}: kept`);
      }
    }
  }
  takeAdded(ours.cells.length, theirs.cells.length);
  const metadata = mergeKeys(base.metadata, ours.metadata, theirs.metadata) as Notebook["metadata"];
  return { notebook: { ...ours, nbformat_minor: Math.max(ours.nbformat_minor, theirs.nbformat_minor), metadata, cells: withOwnIds(cells) }, conflicts };
}

function mergeCell(base: Cell, ours: Cell, theirs: Cell): { cell: Cell; conflict: boolean } {
  const [was, mine, other] = [base, ours, theirs].map((cell) => joined(cell.source)) as [string, string, string];
  const { text, conflict } = mergeText(was, mine, other);
  const metadata = mergeKeys(base.metadata, ours.metadata, theirs.metadata) as Cell["metadata"];
  const cell = { ...ours, metadata, source: text === mine ? ours.source : lines(text) } as Cell;
  if (cell.cell_type !== "code" || theirs.cell_type !== "code" || base.cell_type !== "code") return { cell, conflict };
  const theirsRan = text === other && (text !== mine || (isDeepStrictEqual(cell.outputs, base.outputs) && !isDeepStrictEqual(theirs.outputs, base.outputs)));
  if (theirsRan) Object.assign(cell, { outputs: theirs.outputs, execution_count: theirs.execution_count });
  else if (text !== mine) Object.assign(cell, { outputs: [], execution_count: null });
  return { cell, conflict };
}

/** A key that only one side changed is as that side has it; of both, ours. */
function mergeKeys(base: object, ours: object, theirs: object): object {
  const [was, mine, other] = [base, ours, theirs] as Record<string, unknown>[];
  const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
  return Object.fromEntries([...keys].map((key) => [key, isDeepStrictEqual(mine![key], was![key]) ? other![key] : mine![key]]).filter(([, value]) => value !== undefined));
}

/** Two cells with one id would be refused by other readers. */
function withOwnIds(cells: Cell[]): Cell[] {
  const taken = new Set<string>();
  return cells.map((cell) => {
    if (cell.id === undefined) return cell;
    let id = cell.id;
    for (let n = 2; taken.has(id); n++) id = `${cell.id.slice(0, 56)}-${n}`;
    taken.add(id);
    return id === cell.id ? cell : { ...cell, id };
  });
}
