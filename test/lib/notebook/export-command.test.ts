// sdtp export, as a user runs it.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exportNotebook } from "../../../lib/notebook/export/index.js";
import { stringifyNotebook } from "../../../lib/notebook/write.js";
import { sdtp, temporaryFolder } from "../cli/sdtp.js";
import { code, notebookOf, PNG, shows, stream, text } from "./notebooks.js";

test("sdtp export writes the format that is asked for, or that the file's name says", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "book.ipynb"), stringifyNotebook(notebookOf([text("# T"), code("one()", [shows({ "image/png": PNG }), stream("two\n")])])));
  const html = await sdtp(folder, "export", "book.ipynb");
  assert.equal(html.code, 0, html.stderr);
  assert.equal(html.stderr, "written: book.html\n");
  assert.match(readFileSync(join(folder, "book.html"), "utf8"), /<!doctype html>[^]*<h1 id="t">T<\/h1>/);
  const markdown = await sdtp(folder, "export", "book.ipynb", "-o", "out/report.md", "--no-input");
  assert.equal(markdown.stderr, "written: out/report.md and 1 picture beside it\n");
  assert.equal(readFileSync(join(folder, "out", "report.md"), "utf8"), "# T\n\n![Picture of cell 1](report_files/cell-1.png)\n\n```text\ntwo\n```\n");
  assert.ok(existsSync(join(folder, "out", "report_files", "cell-1.png")));
  writeFileSync(join(folder, "own.css"), "h1{color:#123456}");
  const styled = await sdtp(folder, "export", "book.ipynb", "--to", "html", "--template", "own.css", "-o", "styled.htm");
  assert.equal(styled.code, 0, styled.stderr);
  assert.match(readFileSync(join(folder, "styled.htm"), "utf8"), /h1\{color:#123456\}/);
});

test("sdtp export --execute shows outputs of now, leaves the notebook alone, and writes nothing where a cell fails", async (t) => {
  const folder = temporaryFolder(t);
  const book = stringifyNotebook(notebookOf([code("6 * 7", [stream("old\n")])]));
  writeFileSync(join(folder, "book.ipynb"), book);
  const done = await sdtp(folder, "export", "book.ipynb", "--execute", "--to", "markdown");
  assert.equal(done.code, 0, done.stderr);
  assert.equal(readFileSync(join(folder, "book.md"), "utf8"), "```typescript\n6 * 7\n```\n\n```text\n42\n```\n");
  assert.equal(readFileSync(join(folder, "book.ipynb"), "utf8"), book);
  writeFileSync(join(folder, "bad.ipynb"), stringifyNotebook(notebookOf([code("1"), code("throw new Error('no')")])));
  const failed = await sdtp(folder, "export", "bad.ipynb", "--execute");
  assert.equal(failed.code, 1, failed.stderr);
  assert.match(failed.stderr, /sdtp: --execute: cell 2 of 2, line 1: Error: no/);
  assert.ok(!existsSync(join(folder, "bad.html")));
});

test("sdtp export --to notebook leaves out what a run records, keeps the rest, and may write over the notebook", async (t) => {
  const folder = temporaryFolder(t);
  const cell = code("one()", [shows({ "text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "1" }), stream(`saved to ${folder}/x\n`)], ["keep"], { papermill: { duration: 1 }, own: 1 });
  const book = notebookOf([text("# T"), cell], { papermill: { input_path: folder }, sdtp: { run: { machine: {} } }, title: "mine" });
  writeFileSync(join(folder, "book.ipynb"), stringifyNotebook(book));
  const shared = await sdtp(folder, "export", "book.ipynb", "--to", "notebook");
  assert.equal(shared.code, 0, shared.stderr);
  assert.match(shared.stderr, /^warning: code cell 1: its output shows a path of this machine \(.*\)\nwritten: book\.shared\.ipynb\n$/);
  const { papermill: _, sdtp: __, ...metadata } = book.metadata;
  const expected = stringifyNotebook({ ...book, metadata, cells: [book.cells[0]!, { ...cell, metadata: { own: 1, tags: ["keep"] } }] });
  assert.equal(readFileSync(join(folder, "book.shared.ipynb"), "utf8"), expected);
  assert.equal((await sdtp(folder, "export", "book.ipynb", "-o", "book.ipynb")).code, 0);
  assert.equal(readFileSync(join(folder, "book.ipynb"), "utf8"), expected);
});

test("sdtp export says what is wrong and writes nothing", async (t) => {
  const folder = temporaryFolder(t);
  const book = stringifyNotebook(notebookOf([text("# T")]));
  writeFileSync(join(folder, "book.ipynb"), book);
  writeFileSync(join(folder, "bad.ipynb"), '{"cells": [}');
  for (const [args, message] of [
    [["book.ipynb", "-o", "./book.ipynb", "--to", "html"], /^sdtp: --output: \.\/book\.ipynb \(is the notebook itself\)/],
    [["book.ipynb", "-o", "book.docx"], /^sdtp: --output: book\.docx \(must end in \.html/],
    [["book.ipynb", "--to", "notebook", "--no-input"], /^sdtp: --no-input: not for a notebook \(its cells stay as they are\)/],
    [["book.ipynb", "--template", "nice"], /^sdtp: --template: nice \(must be report, article or a \.css file\)/],
    [["book.ipynb", "--template", "gone.css"], /^sdtp: --template: gone\.css \(cannot be read: ENOENT\)/],
    [["gone.ipynb"], /^sdtp: notebook: gone\.ipynb \(no such file\)/],
    [["bad.ipynb"], /^sdtp: notebook: bad\.ipynb \(no valid JSON: .*line 1, column 12/],
    [["book.ipynb", "--to", "pdf", "--chromium", "gone"], /^sdtp: pdf: --chromium: gone \(no program there\)/],
  ] as const) {
    const { code, stderr } = await sdtp(folder, "export", ...args);
    assert.equal(code, 1, stderr);
    assert.match(stderr, message);
  }
  assert.equal(readFileSync(join(folder, "book.ipynb"), "utf8"), book);
  assert.ok(!existsSync(join(folder, "book.html")));
});

test("20 cells take well under 2 s, libraries and all", async () => {
  const cells = Array.from({ length: 10 }, (_, i) => [text(`## Part ${i}\n\nSome $x_${i}^2$ and **text**.\n\n| a | b |\n|---|---|\n| 1 | 2 |`), code(`const values${i} = [1, 2, 3].map((x) => x * ${i});\nvalues${i}`, [stream("line\n".repeat(50)), shows({ "text/html": `<table>${"<tr><td>1</td></tr>".repeat(60)}</table>` })])]);
  // CPU time: how long it takes on a busy machine says nothing of the export.
  const before = process.cpuUsage();
  const { document } = await exportNotebook(notebookOf(cells.flat()), "html", { name: "book", folder: ".", filesFolder: "f" });
  const { user, system } = process.cpuUsage(before);
  assert.ok((user + system) / 1e6 < 2, `${(user + system) / 1e6} s`);
  assert.ok(document.length < 300_000, `${document.length} bytes`);
});
