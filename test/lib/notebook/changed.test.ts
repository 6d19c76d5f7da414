// `sdtp run --changed`: only what depends on a change runs.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runNotebook } from "../../../lib/notebook/run/run.js";
import { cellWith, code, markdown, read, shown, temporary, write } from "./cells.js";

const folder = temporary();
const path = (name: string) => join(folder, name);

/** First lines of the cells that ran. */
async function ran(file: string, sources: string[]): Promise<string[]> {
  write(file, [markdown("# T"), ...sources.map((source) => code(source))]);
  const lines: string[] = [];
  const result = await runNotebook(file, { changed: true, output: path("out.ipynb"), onProgress: ({ firstLine, seconds }) => seconds === undefined && lines.push(firstLine) });
  assert.equal(result.status, "completed", result.stop?.message);
  assert.equal(result.cached, sources.length - lines.length);
  return lines;
}

test("a change runs its cell, its dependents, and what these need; others keep their outputs", async () => {
  const file = path("a.ipynb");
  const cells = ["const rows = [1, 2];", "const slow = Math.random();\nslow", "rows.length", "let n = 1;", "const sum = rows[0]! + n;\nsum", "sum * 2", "slow + 1"];
  assert.deepEqual(await ran(file, cells), cells.map((source) => source.split("\n")[0]), "the first time all");
  const random = shown(cellWith(read(path("out.ipynb")), "const slow"));
  assert.deepEqual(await ran(file, cells), []);
  const edited = cells.with(3, "let n = 5;");
  assert.deepEqual(await ran(file, edited), ["const rows = [1, 2];", "let n = 5;", "const sum = rows[0]! + n;", "sum * 2"]);
  const out = read(path("out.ipynb"));
  assert.deepEqual(shown(cellWith(out, "sum * 2")), ["12"]);
  assert.deepEqual(shown(cellWith(out, "const slow")), random, "kept");
  assert.deepEqual(await ran(file, edited.with(6, "slow + 2")), ["const slow = Math.random();", "slow + 2"]);
  assert.deepEqual(await ran(file, ["// above", ...edited.with(6, "slow + 2")]), ["// above"], "a cell put in front");
});

test("changes to a variable count: assigned, pushed to, through a function, gone, through a module", async () => {
  const file = path("b.ipynb");
  const cells = ["let n = 1; const list: number[] = [];", "n = 2;", "list.push(1);", "function grow() { list.push(9); }", "grow();", "n", "list.length", "'apart'"];
  await ran(file, cells);
  assert.deepEqual(await ran(file, cells.with(1, "n = 3;")), ["let n = 1; const list: number[] = [];", "n = 3;", "n"]);
  assert.deepEqual(shown(cellWith(read(path("out.ipynb")), "list.length")), ["2"]);
  const more = await ran(file, cells.with(1, "n = 3;").with(2, "list.push(1, 1);"));
  assert.ok(more.includes("list.length") && more.includes("grow();") && !more.includes("n") && !more.includes("'apart'"), more.join());
  assert.deepEqual(shown(cellWith(read(path("out.ipynb")), "list.length")), ["3"]);
  const without = cells.filter((_, i) => i !== 1);
  assert.ok((await ran(file, without.with(1, "list.push(1, 1);"))).includes("n"), "the cell that assigned it is gone");

  writeFileSync(path("part.ts"), "export let count = 0;\nexport const add = () => ++count;\n");
  const modules = ['import { add } from "./part.js";', "add()", "add()", "'apart'"];
  await ran(file, modules);
  assert.deepEqual(await ran(file, modules.with(2, "add() + 0")), ['import { add } from "./part.js";', "add()", "add() + 0"]);
  assert.deepEqual(shown(cellWith(read(path("out.ipynb")), "add() + 0")), ["2"]);
  writeFileSync(path("part.ts"), "export let count = 10;\nexport const add = () => ++count;\n");
  assert.deepEqual(await ran(file, modules.with(2, "add() + 0")), ['import { add } from "./part.js";', "add()", "add() + 0"]);
});

test("what acts beyond variables, and cells that failed", async () => {
  const file = path("c.ipynb");
  await ran(file, ["process.env.X = 'a';", "1", "process.env.X"]);
  assert.deepEqual(await ran(file, ["process.env.X = 'b';", "1", "process.env.X"]), ["process.env.X = 'b';", "1", "process.env.X"]);
  write(file, [code("1"), code("if (Math.random() < 2) throw new Error('x')")]);
  assert.equal((await runNotebook(file, { changed: true, output: path("out.ipynb") })).status, "failed");
  const lines: string[] = [];
  await runNotebook(file, { changed: true, output: path("out.ipynb"), onProgress: ({ firstLine, seconds }) => seconds === undefined && lines.push(firstLine) });
  assert.deepEqual(lines, ["if (Math.random() < 2) throw new Error('x')"]);
  await assert.rejects(runNotebook(file, { changed: true, cache: true }), /--changed: not together with/);
});
