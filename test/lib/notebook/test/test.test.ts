// `sdtp test`: notebooks against their stored outputs.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { parseDocument } from "htmlparser2";
import { runNotebook } from "../../../../lib/notebook/run/run.js";
import { junit } from "../../../../lib/notebook/test/junit.js";
import { testNotebook } from "../../../../lib/notebook/test/test.js";
import { joined } from "../../../../lib/notebook/types.js";
import { writeNotebook } from "../../../../lib/notebook/write.js";
import { sdtp } from "../../cli/sdtp.js";
import { cellWith, code, markdown, read, shown, temporary, write } from "../cells.js";

const folder = temporary();
const path = (name: string) => join(folder, name);

/** A notebook with the outputs that it gives now. */
async function stored(name: string, ...cells: Parameters<typeof write>[1]): Promise<string> {
  const { output, status, stop } = await runNotebook(write(path(`source-${basename(name)}`), cells), { output: path(name), allowErrors: true });
  assert.equal(status, "completed", stop?.message);
  return output;
}

test("as stored: times, random numbers by tag, expected errors; then what changed is told", async () => {
  const file = await stored(
    "a.ipynb",
    markdown("# A"),
    code("const rows = [{ method: 'a', seconds: Math.random(), kept: 3 }];"),
    code("console.log(`took ${Math.random()} s, ${rows.length} rows`); new dfd.DataFrame(rows)"),
    code("Math.random()", "timing"),
    code("display.html(`<b>${Math.random()}</b>`)", "ignore-output"),
    code("throw new Error('expected')", "raises-exception"),
    code("({ n: rows[0].kept })"),
  );
  const bytes = readFileSync(file, "utf8");
  const good = await testNotebook(file);
  assert.deepEqual(good.cells.map(({ cell, status, differences }) => [cell, status, differences]), [[2, "passed", []], [3, "passed", []], [4, "passed", []], [5, "skipped", []], [6, "passed", []], [7, "passed", []]]);
  assert.ok(good.passed);
  assert.equal(readFileSync(file, "utf8"), bytes, "the notebook stays as it is");

  const changed = read(file);
  cellWith(changed, "const rows").source = joined(cellWith(changed, "const rows").source).replace("kept: 3", "kept: 4");
  await writeNotebook(file, changed);
  const bad = await testNotebook(file);
  assert.equal(bad.passed, false);
  assert.deepEqual(bad.cells.filter(({ status }) => status === "failed").map(({ cell, differences }) => [cell, differences.map(({ place, before, after }) => [place, before, after])]), [
    [3, [['output 2 (table, row 1 (0), column "kept")', "3", "4"]]],
    [7, [["output 1 (text)", "{ n: 3 }", "{ n: 4 }"]]],
  ]);
  assert.ok((await testNotebook(file, { rtol: 0.5 })).passed);

  const before = shown(cellWith(read(file), "display.html"));
  const updated = await testNotebook(file, { update: true });
  assert.deepEqual([updated.passed, updated.updated], [true, 2]);
  assert.deepEqual(shown(cellWith(read(file), "({ n")), ["{ n: 4 }"]);
  assert.deepEqual(shown(cellWith(read(file), "display.html")), before, "other cells keep their outputs");
  assert.ok((await testNotebook(file)).passed);
});

test("a cell that fails is an error, those after it were not reached", async () => {
  const file = await stored("b.ipynb", code("1"), code("2"), code("3"));
  const book = read(file);
  cellWith(book, "2").source = "throw new Error('broken')";
  await writeNotebook(file, book);
  const { passed, cells } = await testNotebook(file);
  assert.equal(passed, false);
  assert.deepEqual(cells.map(({ status }) => status), ["passed", "error", "skipped"]);
  assert.match(cells[1]!.message!, /line 1: Error: broken/);
  const xml = junit([{ notebook: "a <b>.ipynb", passed: false, seconds: 1, updated: 0, cells: [...cells, { cell: 9, name: 'x "\u0001', status: "failed", seconds: 0, differences: [{ place: "p", before: "a&", after: "b" }] }] }]);
  const tree = parseDocument(xml, { xmlMode: true });
  assert.match(xml, /<testsuite name="a &lt;b&gt;\.ipynb" tests="4" failures="1" errors="1" skipped="1"/);
  assert.match(xml, /<testcase classname="a &lt;b&gt;\.ipynb" name="cell 9: x &quot;" time="0\.000"><failure message="1 difference: p">p\n- a&amp;\n\+ b<\/failure>/);
  assert.equal(tree.children.filter((node) => node.type === "tag").length, 1);
});

test("the command: exit codes, JUnit, folders, notebooks that were never run", async () => {
  await stored("set/one.ipynb", code("1 + 1"));
  write(path("new-two.ipynb"), [code("40 + 2")]);
  const good = await sdtp(folder, "test", "set", "--junit", "out/junit.xml");
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout, /^passed {2}set\/one\.ipynb: 1 of 1 cells as stored/);
  assert.match(readFileSync(path("out/junit.xml"), "utf8"), /<testsuites name="sdtp test" tests="1" failures="0"/);
  const never = await sdtp(folder, "test", "new-two.ipynb");
  assert.equal(never.code, 2);
  assert.match(never.stderr, /never run; --update stores some/);
  assert.equal((await sdtp(folder, "test", "new-two.ipynb", "--update")).code, 0);
  assert.deepEqual(shown(cellWith(read(path("new-two.ipynb")), "40")), ["42"]);
  const book = read(path("new-two.ipynb"));
  cellWith(book, "40").source = "40 + 3";
  writeFileSync(path("new-two.ipynb"), JSON.stringify(book));
  const bad = await sdtp(folder, "test", "new-two.ipynb");
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /new-two\.ipynb: cell 1: 40 \+ 3\n {2}output 1 \(text\)\n {4}- 42\n {4}\+ 43\nFAILED {2}new-two\.ipynb: 0 of 1 cells as stored/);
});
