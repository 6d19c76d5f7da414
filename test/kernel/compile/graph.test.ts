/** What cells do with each other's variables: what may change an object counts as a change, what cannot does not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkCells } from "../../../kernel/compile/check.js";
import { writesOf } from "../../../lib/jupyter/cell-graph.js";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";

/** The variables that each of these cells may change, by name. */
function writesOfAll(sources: string[]): string[][] {
  const { cells } = checkCells(packageRoot(), { eager: "", lazy: [] }, sources);
  for (const [i, { diagnostics }] of cells.entries()) assert.deepEqual(diagnostics, [], sources[i]);
  return cells.map((_, i) => [...writesOf(cells, i)].map((variable) => variable.split(" ")[1]!).sort());
}

const rows = "const rows: { n: number; tags: string[] }[] = [{ n: 1, tags: [] }]; const list = [1, 2]; let count = 0; const map = new Map<string, number[]>();";

test("changes by assignment, by methods, by parts, by other names", () => {
  const cases: [string, string[]][] = [
    ["count = 1", ["count"]],
    ["rows[0]!.n = 5", ["rows"]],
    ["rows.at(0)!.n++", ["rows"]],
    ["rows.push({ n: 2, tags: [] })", ["rows"]],
    ["rows[0]!.tags.push('a')", ["rows"]],
    ["delete (rows[0] as any).n", ["rows"]],
    ["for (const row of rows) row.n = 0", ["rows"]],
    ["rows.forEach((row) => { row.n *= 2; })", ["rows"]],
    ["const copy = rows; copy.push(rows[0]!)", ["rows"]],
    ["const [first] = rows; first!.n = 3", ["rows"]],
    ["const found = rows.filter(({ n }) => n > 0); found[0]!.n = 3", ["rows"]],
    ["const all = [...rows]; all[0]!.n = 1", ["rows"]],
    ["function change(row: { n: number }) { row.n = 0; } change(rows[0]!)", ["rows"]],
    ["(map.get('a') ?? []).push(1)", ["map"]],
    ["map.set('a', [])", ["map"]],
    ["Object.assign(rows[0]!, { n: 1 })", ["rows"]],
    ["Reflect.set(rows[0]!, 'n', 1)", ["rows"]],
    ["[count, list[0]] = [1, 2]", ["count", "list"]],
    ["list.sort()", ["list"]],
  ];
  const [, ...found] = writesOfAll([rows, ...cases.map(([source]) => source)]);
  for (const [i, [source, changed]] of cases.entries()) assert.deepEqual(found[i], changed, source);
});

test("what only looks, or changes what it made itself, changes nothing", () => {
  const cases = [
    "rows.length + count",
    "rows",
    "rows.map(({ n }) => n * 2)",
    "const doubled = list.map((n) => n * 2); doubled.push(1)",
    "const sums: number[] = []; for (const row of rows) sums.push(row.n)",
    "const copy = [...list]; copy.sort()",
    "let sum = 0; for (const n of list) sum += n; sum",
    "console.log(rows, JSON.stringify(rows)); String(rows)",
    "`${rows}` + typeof rows",
    "if (rows && list.length > 0) console.log(1)",
    "const index = new Map(rows.map((row) => [row.n, row.tags.length])); index.set(1, 2)",
    "list.toSorted().reverse()",
  ];
  const [, ...found] = writesOfAll([rows, ...cases]);
  for (const [i, source] of cases.entries()) assert.deepEqual(found[i], [], source);
});

test("changes through cells in between: aliases, functions, classes, iterators", () => {
  const found = writesOfAll([
    rows, "const alias = rows", "alias.push({ n: 1, tags: [] })",
    "const a = [1]; const b = a; const c = b; const d = [2];", "c.push(1)",
    "function grow() { rows.pop(); }", "grow()",
    "let n = 0; function bump() { return ++n; } const apart = [1];", "bump()", "const twice = () => bump() + bump();", "twice()",
    "class Box { constructor(readonly inner: { n: number }[]) {} empty() { this.inner.length = 0; } }", "const box = new Box(rows)", "box.empty()",
    "function* numbers() { yield 1; yield 2; } const stream = numbers();", "const [one] = [stream.next().value]; one", "for (const each of stream) { console.log(each); break; }",
  ]);
  for (const [i, changed] of [[2, ["alias", "rows"]], [4, ["a", "b", "c"]], [6, ["rows"]], [8, ["n"]], [10, ["n"]], [13, ["box", "rows"]], [15, ["stream"]], [16, ["stream"]]] as const) assert.deepEqual(found[i], changed, String(i));
});
