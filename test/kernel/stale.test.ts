/** Stale cells: those that used variables of a cell which has run again since. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Session } from "./session.js";
import { markStale } from "../../lib/notebook/mcp/sessions.js";
import { cellNote } from "../../lib/notebook/cell-note.js";
import { code, notebook } from "../lib/notebook/cells.js";

let session: Session;
before(async () => {
  session = await Session.start();
});
after(() => session.end());

/** The cells that are stale once a cell has run. */
async function run(cellId: string, source: string): Promise<string[]> {
  const { metadata } = await session.client.execute(source, { metadata: { cellId }, timeout: 120_000 });
  const { stale = [] } = (metadata?.["sdtp"] ?? {}) as { stale?: { cell: string; because: string }[] };
  return stale.map(({ cell, because }) => `${cell}: ${because}`);
}

test("a cell that runs again makes those stale that used its variables, and those that used theirs", async () => {
  assert.deepEqual(await run("a", "let n = 1;"), []);
  assert.deepEqual(await run("b", "const twice = n * 2;"), []);
  assert.deepEqual(await run("c", "twice + 1"), []);
  assert.deepEqual(await run("d", "const apart = 1;"), []);
  assert.deepEqual(await run("a", "let n = 5;"), ["b: [5] ran again", "c: [2] is stale"]);
  assert.match((await session.value("sdtp.stale()"))!, /cell: 'b',\s+count: 2,\s+because: '\[5\] ran again'/);
  assert.deepEqual(await run("b", "const twice = n * 2;"), ["c: [7] ran again"]);
  assert.deepEqual(await run("c", "twice + 1"), []);
  assert.equal(await session.value("sdtp.stale()"), "[]");
});

test("a cell that ran above another and changes its variables makes it stale when it runs again, by whatever name", async () => {
  await run("rows", "const rows: { n: number }[] = [{ n: 1 }]; const alias = rows;");
  await run("fill", "for (const row of rows) row.n += 1;");
  await run("push", "alias.push({ n: 7 });");
  await run("grow", "function grow() { rows.push({ n: 0 }); }");
  await run("call", "grow();");
  await run("length", "rows.length");
  await run("first", "rows[0]!.n");
  await run("copy", "const other = rows.map((row) => row.n); other.push(1);");
  assert.equal(await session.value("sdtp.stale()"), "[]");
  const names = (lines: string[]) => lines.map((line) => line.split(":")[0]);
  // Its own variable is pushed to: who looks at rows is not touched.
  assert.deepEqual(await run("copy", "const other = rows.map((row) => row.n); other.push(1);"), []);
  for (const [cell, source] of [["fill", "for (const row of rows) row.n += 1;"], ["push", "alias.push({ n: 7 });"], ["call", "grow();"]] as const) {
    const stale = names(await run(cell, source));
    assert.deepEqual(["length", "first"].map((name) => stale.includes(name)), [true, true], `${cell}: ${stale.join()}`);
    await run("length", "rows.length");
    await run("first", "rows[0]!.n");
  }
  // What runs for the first time may stand below.
  const before = await session.value("sdtp.stale().length");
  await run("below", "rows.push({ n: 3 });");
  assert.equal(await session.value("sdtp.stale().length"), before);
});

test("a notebook's cells are marked, and no longer where they are not stale any more", () => {
  const book = notebook([{ ...code("1"), id: "b" }, { ...code("2"), id: "c" }]);
  const reply = { status: "ok" as const, execution_count: 1 };
  markStale(book, { ...reply, metadata: { sdtp: { stale: [{ cell: "b", count: 1, because: "[5] ran again" }] } } });
  assert.deepEqual(book.cells.map((cell) => cellNote(cell).stale), ["[5] ran again", undefined]);
  markStale(book, reply);
  assert.deepEqual(book.cells.map(({ metadata }) => metadata), [{}, {}]);
});
