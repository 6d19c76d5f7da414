import { isDeepStrictEqual } from "node:util";
import { outputDifferences, type OutputDifference } from "../compare/outputs.js";
import type { Tolerance } from "../compare/text.js";
import { joined, type Cell, type Notebook } from "../types.js";
import { lineDiff, matches, type Line } from "./sequence.js";

/** What became of a cell. */
export interface CellChange {
  kind: "same" | "changed" | "added" | "removed";
  /** Positions in both notebooks, from 1. */
  before?: number;
  after?: number;
  type: Cell["cell_type"];
  /** Lines of its source; all are the same where only something else changed. */
  lines: Line[];
  outputs: OutputDifference[];
  /** Metadata that changed, by key: tags above all. What runs note is left out. */
  metadata: { key: string; before: unknown; after: unknown }[];
}

const source = (cell: Cell): string => joined(cell.source).replace(/\n+$/, "");

/** Metadata that runs and clients write. */
const NOTED = new Set(["execution", "papermill", "sdtp", "ExecuteTime", "collapsed", "scrolled", "trusted"]);

/**
 * Cells of two notebooks that stand for each other: those with equal text, then, between two such pairs, those with one id
 * or with at least half of their lines in common.
 */
export function pairedCells(before: Cell[], after: Cell[]): [number, number][] {
  const same = matches(before.length, after.length, (i, j) => before[i]!.cell_type === after[j]!.cell_type && source(before[i]!) === source(after[j]!));
  const pairs: [number, number][] = [];
  let [i, j] = [0, 0];
  for (const [x, y] of [...same, [before.length, after.length] as const]) {
    const [from, to] = [i, j];
    const between = matches(x - from, y - to, (p, q) => isSuccessor(before[from + p]!, after[to + q]!));
    pairs.push(...between.map(([p, q]): [number, number] => [from + p, to + q]));
    if (x < before.length) pairs.push([x, y]);
    [i, j] = [x + 1, y + 1];
  }
  return pairs;
}

function isSuccessor(a: Cell, b: Cell): boolean {
  if (a.cell_type !== b.cell_type) return false;
  if (a.id !== undefined && a.id === b.id) return true;
  const [x, y] = [source(a).split("\n"), source(b).split("\n")];
  return 2 * matches(x.length, y.length, (i, j) => x[i] === y[j]).length >= Math.max(x.length, y.length);
}

/** What became of each cell, in order. */
export function diffNotebooks(before: Notebook, after: Notebook, tolerance: Tolerance = { rtol: 0 }): CellChange[] {
  const changes: CellChange[] = [];
  const whole = (kind: "added" | "removed", cell: Cell, position: number): CellChange => ({
    kind, ...(kind === "added" ? { after: position + 1 } : { before: position + 1 }), type: cell.cell_type, lines: source(cell).split("\n").map((text) => ({ kind, text })), outputs: [], metadata: [],
  });
  let [i, j] = [0, 0];
  for (const [x, y] of [...pairedCells(before.cells, after.cells), [before.cells.length, after.cells.length] as const]) {
    for (; i < x; i++) changes.push(whole("removed", before.cells[i]!, i));
    for (; j < y; j++) changes.push(whole("added", after.cells[j]!, j));
    if (x < before.cells.length) changes.push(changeOf(before.cells[x]!, after.cells[y]!, x, y, tolerance));
    [i, j] = [x + 1, y + 1];
  }
  return changes;
}

function changeOf(a: Cell, b: Cell, x: number, y: number, tolerance: Tolerance): CellChange {
  const lines = lineDiff(source(a), source(b));
  const outputs = a.cell_type === "code" && b.cell_type === "code" ? outputDifferences(a.outputs, b.outputs, tolerance) : [];
  const keys = [...new Set([...Object.keys(a.metadata), ...Object.keys(b.metadata)])].filter((key) => !NOTED.has(key));
  const metadata = keys.filter((key) => !isDeepStrictEqual(a.metadata[key], b.metadata[key])).map((key) => ({ key, before: a.metadata[key], after: b.metadata[key] }));
  const same = lines.every(({ kind }) => kind === "same") && outputs.length === 0 && metadata.length === 0;
  return { kind: same ? "same" : "changed", before: x + 1, after: y + 1, type: a.cell_type, lines, outputs, metadata };
}
