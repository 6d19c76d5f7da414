// Two notebooks by their cells; three of them merged; both through git.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { diffNotebooks } from "../../../../lib/notebook/diff/diff.js";
import { mergeNotebooks } from "../../../../lib/notebook/diff/merge.js";
import { lineDiff, mergeText } from "../../../../lib/notebook/diff/sequence.js";
import { asHtml, asText } from "../../../../lib/notebook/diff/show.js";
import { stringifyNotebook } from "../../../../lib/notebook/write.js";
import { joined, type Cell } from "../../../../lib/notebook/types.js";
import { sdtp } from "../../cli/sdtp.js";
import { cellWith, read, temporary } from "../cells.js";
import { code, notebookOf, shows, stream, text } from "../notebooks.js";

const cell = (id: string, source: string, outputs = [stream(`${source}\n`)]): Cell => ({ ...code(source, outputs), id });
const book = (...cells: Cell[]) => notebookOf(cells);
const sources = ({ cells }: { cells: Cell[] }) => cells.map((each) => joined(each.source));

test("lines and three-way merges of lines", () => {
  assert.deepEqual(lineDiff("a\nb\nc", "a\nx\nc\nd").map(({ kind, text: line }) => `${kind} ${line}`), ["same a", "removed b", "added x", "same c", "added d"]);
  assert.deepEqual(mergeText("a\nb\nc", "A\nb\nc", "a\nb\nC"), { text: "A\nb\nC", conflict: false });
  assert.deepEqual(mergeText("a\nb", "a\nb\nc", "a\nb\nc"), { text: "a\nb\nc", conflict: false });
  assert.deepEqual(mergeText("a\nb\nc", "a\nX\nc", "a\nY\nc"), { text: "a\n<<<<<<< ours\nX\n=======\nY\n>>>>>>> theirs\nc", conflict: true });
});

test("cells: changed by id or likeness, added, removed; outputs by value, notes of runs left out", () => {
  const table = (n: number, s: number) => shows({ "text/html": `<table><tr><th>k</th><th>time (s)</th></tr><tr><td>${n}</td><td>${s}</td></tr></table>` });
  const before = book(text("# Title"), cell("a", "let n = 1;\nn"), cell("b", "gone"), cell("c", "table", [table(3, 0.5)]), cell("d", "same"));
  const after = book(text("# Title"), cell("a", "let n = 2;\nn", [stream("let n = 1;\nn\n")]), cell("c", "table", [table(4, 0.9)]), cell("new", "fresh()"), cell("d", "same"));
  after.cells[4]!.metadata = { ...after.cells[4]!.metadata, execution: { x: "1" }, tags: ["slow"] };
  const changes = diffNotebooks(before, after);
  assert.deepEqual(changes.map(({ kind, before: x, after: y }) => `${kind} ${x ?? "-"} ${y ?? "-"}`), ["same 1 1", "changed 2 2", "removed 3 -", "changed 4 3", "added - 4", "changed 5 5"]);
  assert.deepEqual(changes[3]!.outputs, [{ place: 'output 1 (table, row 1, column "k")', before: "3", after: "4" }]);
  assert.deepEqual(changes[5]!.metadata, [{ key: "tags", before: [], after: ["slow"] }]);
  assert.deepEqual(diffNotebooks(before, before).filter(({ kind }) => kind !== "same"), []);
  const plain = asText(changes, ["a.ipynb", "b.ipynb"], false);
  assert.match(plain, /^--- a\.ipynb\n\+\+\+ b\.ipynb\n@@ cell 2 \(code\): changed\n- let n = 1;\n\+ let n = 2;\n {2}n\n@@ cell 3 \(code\): removed\n- gone\n@@ cell 4 -> 3 \(code\): changed\n {2}output 1 \(table, row 1, column "k"\)\n {4}- 3\n {4}\+ 4\n/);
  const html = asHtml(changes, ["<a>", "b"]);
  assert.ok(html.includes("&lt;a&gt;") && html.includes('<span class="added">+ let n = 2;</span>') && !html.includes("http"));
});

test("merges: what one side changed, both in different places, and conflicts that still open", () => {
  const base = book(cell("a", "one\n\ntwo"), cell("b", "old"), cell("c", "both"), cell("d", "end"));
  const ours = book(cell("a", "ONE\n\ntwo"), cell("b", "old"), cell("x", "ours only"), cell("c", "both mine"), cell("d", "end"));
  const theirs = book(cell("a", "one\n\nTWO"), cell("b", "new"), cell("c", "both other"), cell("d", "end"), cell("x", "theirs only"));
  const { notebook, conflicts } = mergeNotebooks(base, ours, theirs);
  assert.deepEqual(sources(notebook), ["ONE\n\nTWO", "new", "ours only", "<<<<<<< ours\nboth mine\n=======\nboth other\n>>>>>>> theirs", "end", "theirs only"]);
  assert.deepEqual(conflicts, [{ cell: 4, reason: "both changed the same lines" }]);
  assert.equal(new Set(notebook.cells.map(({ id }) => id)).size, 6, "ids differ");
  const outputs = notebook.cells.map((each) => (each.cell_type === "code" ? each.outputs.length : -1));
  assert.deepEqual(outputs.slice(0, 2), [0, 1], "outputs of a text that neither ran are gone");
  const removed = mergeNotebooks(base, book(base.cells[0]!, base.cells[2]!, base.cells[3]!), book(base.cells[0]!, cell("b", "worked on"), base.cells[2]!));
  assert.deepEqual(sources(removed.notebook), ["one\n\ntwo", "worked on", "both"]);
  assert.deepEqual(removed.conflicts.map(({ reason }) => reason), ["removed by ours, changed by theirs: kept"]);
});

test("through git: diff and merge, and the command alone", { skip: spawnSync("git", ["--version"]).status === 0 ? false : "needs git" }, async () => {
  const folder = join(temporary(), "a repository's");
  mkdirSync(folder);
  const file = join(folder, "n.ipynb");
  const git = (...args: string[]) => {
    const { stdout, stderr, status } = spawnSync("git", ["-c", "user.name=T", "-c", "user.email=t@example.org", ...args], { cwd: folder, encoding: "utf8" });
    return { text: stdout + stderr, status };
  };
  const commit = (message: string, ...cells: Cell[]) => {
    writeFileSync(file, stringifyNotebook(book(...cells)));
    git("add", "-A");
    assert.equal(git("commit", "-qm", message).status, 0);
  };
  git("init", "-q", "-b", "main");
  assert.equal((await sdtp(folder, "diff", "--install-git")).code, 0);
  assert.equal((await sdtp(folder, "diff", "--install-git")).code, 0, "twice");
  assert.equal(readFileSync(join(folder, ".gitattributes"), "utf8"), "*.ipynb diff=sdtp merge=sdtp\n");
  commit("base", cell("a", "one"), cell("b", "two"));
  git("checkout", "-qb", "side");
  commit("side", cell("a", "one"), cell("b", "two of side"));
  git("checkout", "-q", "main");
  commit("main", cell("a", "one of main"), cell("b", "two"));
  const shown = git("--no-pager", "diff", "side", "main");
  assert.match(shown.text, /@@ cell 1 \(code\): changed\n- one\n\+ one of main/);
  const merged = git("merge", "-q", "side");
  assert.equal(merged.status, 0, merged.text);
  assert.deepEqual(sources(read(file)), ["one of main", "two of side"]);
  git("checkout", "-qb", "clash", "HEAD~2");
  commit("clash", cell("a", "one of clash"), cell("b", "two"));
  const clash = git("merge", "main");
  assert.equal(clash.status, 1);
  assert.ok(cellWith(read(file), "<<<<<<< ours\none of clash\n=======\none of main"));

  writeFileSync(join(folder, "m.ipynb"), stringifyNotebook(book(cell("a", "x"))));
  writeFileSync(join(folder, "m2.ipynb"), stringifyNotebook(book(cell("a", "y"))));
  const command = await sdtp(folder, "diff", "m.ipynb", "m2.ipynb");
  assert.deepEqual([command.code, command.stdout.split("\n").slice(2, 5)], [1, ["@@ cell 1 (code): changed", "- x", "+ y"]]);
  assert.equal((await sdtp(folder, "diff", "m.ipynb", "m.ipynb")).code, 0);
  assert.deepEqual([(await sdtp(folder, "diff", "m.ipynb")).code, (await sdtp(folder, "diff", "m.ipynb", "none.ipynb")).code], [2, 2]);
  assert.equal((await sdtp(folder, "diff", "m.ipynb", "m2.ipynb", "--html", "d.html")).code, 1);
  assert.match(readFileSync(join(folder, "d.html"), "utf8"), /<span class="added">\+ y<\/span>/);
});
