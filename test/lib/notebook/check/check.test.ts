// `sdtp check`: whole notebooks compiled by the kernel, nothing run.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Kernel } from "../../../../lib/jupyter/index.js";
import { checkNotebooks } from "../../../../lib/notebook/check/check.js";
import { asGitHub, asText } from "../../../../lib/notebook/check/formats.js";
import { findNotebooks } from "../../../../lib/notebook/find.js";
import { spec } from "../../../kernel/session.js";
import { sdtp } from "../../cli/sdtp.js";
import { code, markdown, PYTHON, read, temporary, write } from "../cells.js";
import { writeNotebook } from "../../../../lib/notebook/write.js";
import { lines, type Notebook } from "../../../../lib/notebook/types.js";

const folder = temporary();
const path = (name: string) => join(folder, name);

/** As nbformat stores it: a line of source in a line of the file. */
async function stored(file: string, ...cells: Parameters<typeof write>[1]): Promise<string> {
  const book: Notebook = read(write(file, cells));
  for (const cell of book.cells) cell.source = lines(cell.source as string);
  await writeNotebook(file, book);
  return file;
}

test("errors of every cell, and not their consequences; nothing runs", async () => {
  const file = await stored(
    path("a.ipynb"),
    markdown("# Title"),
    code('const n: number = "x";\nconst m = 2;'),
    code(`require("node:fs").writeFileSync(${JSON.stringify(path("ran"))}, "")`),
    code("m.toFixed(1);\n\tmissing + n;"),
    code("syntax error here", "skip"),
    code("const bad: string = 5;", "raises-exception"),
    code("bad.length + n.toFixed(0)"),
  );
  const [checked] = await checkNotebooks([file]);
  assert.deepEqual(checked?.problems.map(({ cell, line, column, code: ts }) => [cell, line, column, ts]), [[2, 1, 7, 2322], [4, 2, 2, 2304]]);
  const text = readFileSync(file, "utf8").split("\n");
  const [first, second] = checked!.problems.map(({ fileLine }) => text[fileLine! - 1]!);
  assert.ok(first!.includes("const n: number") && second!.includes("missing + n"), `${first} ${second}`);
  assert.equal(checked?.cells, 5);
  assert.equal(existsSync(path("ran")), false);
  assert.equal(asText([checked!]).split("\n").slice(-3).join("\n"), `${file}: cell 4, line 2:2 - error TS2304: Cannot find name 'missing'.\n    \tmissing + n;\n    \t~~~~~~~`);
  assert.match(asGitHub([checked!]).split("\n")[0]!, /^::error file=.*a\.ipynb,line=\d+,title=TS2322%2C cell 2%2C line 1::Type 'string' is not assignable to type 'number'\.$/);
});

test("text notebooks and imported modules are told with their own lines; the folder's tsconfig.json holds", async () => {
  mkdirSync(path("strict"));
  writeFileSync(path("strict/tsconfig.json"), '{ "compilerOptions": { "strict": true } }');
  writeFileSync(path("strict/part.ts"), "export const x = 1;\nexport const y: string = 2;\n");
  writeFileSync(path("strict/a.ts"), '// %% [markdown]\n// # A\n\n// %%\nfunction f(x) {\n  return x;\n}\n\n// %%\nimport { x } from "./part.js";\nx\n');
  writeFileSync(path("a.md"), "# A\n\n```ts\nconst k: number = 1;\nk.no\n```\n");
  const [text, markdownFile] = await checkNotebooks([path("strict/a.ts"), path("a.md")]);
  assert.deepEqual(text?.problems.map(({ cell, line, code: ts, fileLine, file }) => [cell, line, ts, fileLine, file]), [
    [2, 1, 7006, 5, undefined],
    [3, 2, 2322, undefined, "part.ts"],
  ]);
  assert.deepEqual(markdownFile?.problems.map(({ cell, line, fileLine }) => [cell, line, fileLine]), [[2, 2, 5]]);
  assert.match(asText([text!]), /a\.ts:5:12 \(cell 2\) - error TS7006/);
  assert.match(asText([text!]), /part\.ts:2:14 \(imported by .*a\.ts, cell 3\)/);
});

test("the command: exit codes, JSON, folders, other kernels", async () => {
  const good = await stored(path("b.ipynb"), code("const a = 1;"), code("a + 1"));
  const ended = await sdtp(folder, "check", good);
  assert.deepEqual([ended.code, ended.stdout, ended.stderr], [0, "", "0 errors in 2 cells of 1 notebook\n"]);
  mkdirSync(path("books/.ipynb_checkpoints"), { recursive: true });
  for (const name of ["two.ipynb", "one.ipynb", "one.out.ipynb", ".ipynb_checkpoints/x.ipynb"]) write(path(`books/${name}`), [code("nope")]);
  write(path("books/python.ipynb"), [code("import os")], PYTHON);
  assert.deepEqual(await findNotebooks([path("books")]), [path("books/one.ipynb"), path("books/python.ipynb"), path("books/two.ipynb")]);
  const bad = await sdtp(folder, "check", "books", "--json");
  assert.equal(bad.code, 1);
  const results = JSON.parse(bad.stdout) as { notebook: string; skipped?: string; problems: { code: number; cell: number }[] }[];
  assert.deepEqual(results.map(({ notebook, problems }) => [notebook, problems.map((each) => each.code)]), [["books/one.ipynb", [2304]], ["books/python.ipynb", []], ["books/two.ipynb", [2304]]]);
  assert.match(results[1]!.skipped!, /kernel python3/);
  const missing = await sdtp(folder, "check", "none.ipynb");
  assert.deepEqual([missing.code, missing.stderr], [2, "sdtp: notebook: none.ipynb (no such file)\n"]);
});

let kernel: Kernel;
before(async () => {
  kernel = await Kernel.start({ spec, cwd: folder, env: { SDTP_HISTORY: "none" } }, { timeout: 120_000 });
});
after(() => kernel.shutdown());

test("a kernel that runs cells is not disturbed by a check", async () => {
  await kernel.client.execute("const mine = 1;");
  const { cells } = await kernel.client.check(["const mine = 'text';", "mine.length", "mine"]);
  assert.deepEqual(cells.map(({ diagnostics }) => diagnostics.length), [0, 0, 0]);
  const other = await kernel.client.execute("mine.toFixed()", { silent: true });
  assert.equal(other.status, "ok");
  await assert.rejects(kernel.client.request("control", "sdtp_check_request", { cells: [1] }).then(({ content }) => Promise.reject(new Error(String(content.evalue)))), /cells: \[1\] \(must be a list of strings\)/);
});

test("what cells do with each other's variables: read, assigned, changed, handed on", async () => {
  const sources = [
    "let n = 1; const rows = [3, 1]; const config = { size: 1 }; class Counter { count = 0; inc() { this.count++; } }",
    "const counter = new Counter(); function fill(list: number[]) { list.push(1); }",
    "n + rows.length; rows.map((x) => x); const copy = [...rows, config.size];",
    "n++;",
    "rows.push(2);",
    "config.size = 3;",
    "counter.inc();",
    "fill(rows);",
    "[n] = [5];",
    "const shadow = ((rows: number) => rows)(n); JSON.stringify(rows); console.log(config);",
    "let typed: typeof config; Object.assign(config, { more: 1 });",
  ];
  const { cells } = await kernel.client.check(sources);
  assert.deepEqual(cells.flatMap(({ diagnostics }) => diagnostics), []);
  const access = (cell: number) => cells[cell]!.references.map(({ name, access: how, cell: from }) => `${name}@${from} ${how}`).sort();
  assert.deepEqual(cells[0]!.declares, ["n", "rows", "config", "Counter"]);
  assert.deepEqual(access(1), ["Counter@0 read"]);
  assert.deepEqual(access(2), ["config@0 read", "n@0 read", "rows@0 read"]);
  assert.deepEqual([3, 4, 5, 6].map((cell) => access(cell).join()), ["n@0 write", "rows@0 write", "config@0 write", "counter@1 write"]);
  assert.deepEqual(access(7), ["fill@1 read", "rows@0 write"]);
  assert.deepEqual(access(8), ["n@0 write"]);
  assert.deepEqual(access(9), ["config@0 read", "n@0 read", "rows@0 read"]);
  assert.deepEqual(access(10), ["config@0 write"]);
});
