// Text notebooks: as jupytext writes them (text/jupytext/make.py made the files), and the pairs of text and .ipynb.
import assert from "node:assert/strict";
import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";
import { parseNotebook, readNotebook } from "../../../../lib/notebook/read.js";
import { runNotebook } from "../../../../lib/notebook/run/run.js";
import { formatText, parseText } from "../../../../lib/notebook/text/index.js";
import { pairOf, sync } from "../../../../lib/notebook/text/pair.js";
import { parseOptions } from "../../../../lib/notebook/text/options.js";
import { joined, type Cell, type Notebook } from "../../../../lib/notebook/types.js";
import { writeNotebook } from "../../../../lib/notebook/write.js";
import { cellWith, code, markdown, notebook, read, shown, temporary, write } from "../cells.js";

const data = join(packageRoot(), "test", "lib", "notebook", "text", "jupytext");
const folder = temporary();
const path = (name: string) => join(folder, name);

/** What text keeps of cells. */
const essence = (cells: Cell[]) => cells.map(({ cell_type, source, metadata }) => [cell_type, joined(source).replace(/\n+$/, ""), JSON.parse(JSON.stringify(metadata)) as unknown]);
const mixed = () => parseNotebook(readFileSync(join(data, "mixed.ipynb"), "utf8"), "mixed.ipynb");

for (const [made, extension] of [["mixed.percent", ".ts"], ["mixed.markdown", ".md"]] as const) {
  const jupytext = readFileSync(join(data, made), "utf8");

  test(`${extension}: cells of jupytext's file are those of its notebook`, () => {
    const book = parseText(jupytext, `x${extension}`);
    assert.deepEqual(essence(book.cells), essence(mixed().cells));
    assert.equal(book.metadata.kernelspec?.name, "sdtp");
    assert.equal(book.metadata["jupytext"] === undefined || !("text_representation" in (book.metadata["jupytext"] as object)), true);
  });

  test(`${extension}: what is written reads back the same, and differs from jupytext's in blank lines alone`, () => {
    const text = formatText(mixed(), `x${extension}`);
    assert.deepEqual(essence(parseText(text, `x${extension}`).cells), essence(mixed().cells));
    const bare = (each: string) => each.split("\n").map((line) => line.trim()).filter((line) => line !== "" && line !== "//" && !/#(end)?region/.test(line));
    assert.deepEqual(bare(text), bare(jupytext));
    assert.equal(formatText(parseText(text, `x${extension}`), `x${extension}`), text, "again the same");
  });
}

test("options: titles, values with blanks and signs, keys without a value, JSON", () => {
  assert.deepEqual(parseOptions('A title [markdown] tags=["a b", "c=d"] n=1'), { title: "A title [markdown]", metadata: { tags: ["a b", "c=d"], n: 1 } });
  assert.deepEqual(parseOptions("flag=true key"), { title: "", metadata: { flag: true, key: null } });
  assert.deepEqual(parseOptions('Old {"tags": ["x"]}'), { title: "Old", metadata: { tags: ["x"] } });
  assert.deepEqual(parseOptions("only a title"), { title: "only a title", metadata: {} });
  assert.deepEqual(parseOptions("name='single \\'quoted\\''"), { title: "", metadata: { name: "single 'quoted'" } });
});

test("a script without markers is one cell; a README's other languages stay text; what is no header is told", () => {
  assert.deepEqual(essence(parseText("const a = 1;\n\nconsole.log(a)\n", "a.ts").cells), [["code", "const a = 1;\n\nconsole.log(a)", {}]]);
  assert.deepEqual(essence(parseText("const a = 1\n\n// %%\na\n", "a.ts").cells), [["code", "const a = 1", {}], ["code", "a", {}]]);
  const readme = parseText("# Title\n\n```sh\nnpm test\n```\n\n```ts\nconst n = 2\n```\n", "README.md");
  assert.deepEqual(essence(readme.cells), [["markdown", "# Title\n\n```sh\nnpm test\n```", {}], ["code", "const n = 2", {}]]);
  assert.deepEqual(parseText("", "empty.ts").cells, []);
  assert.throws(() => parseText("---\njupyter:\n  a: [\n---\n", "bad.md"), /^Error: notebook: bad\.md \(/);
  assert.throws(() => formatText(notebook([code("`\n// %% x\n`")]), "x.ts"), /notebook: x\.ts \(cell 1, line 2: \/\/ %% x \(begins a cell/);
});

test("no bookkeeping of a run is in the text", async () => {
  const file = write(path("run.ipynb"), [code("1 + 1", "parameters")]);
  const { output } = await runNotebook(file, { cache: true });
  const text = formatText(await readNotebook(output), "run.ts");
  assert.match(text, /\/\/ %% tags=\["parameters"\]\n1 \+ 1\n$/);
});

test("a text runs, its outputs beside it; ids and outputs of cells that did not change stay", async () => {
  const text = path("lab.ts");
  writeFileSync(text, "// %% [markdown]\n// # Lab\n\n// %%\nconst a = 20;\n\n// %%\na + 1\n");
  const first = await runNotebook(text);
  assert.deepEqual([first.status, first.output], ["completed", path("lab.ipynb")]);
  assert.deepEqual(shown(cellWith(read(first.output), "a + 1")), ["21"]);
  assert.equal(existsSync(path("lab.out.ipynb")), false);
  const ids = (book: Notebook) => book.cells.map(({ id }) => id);
  const before = ids(read(first.output));

  writeFileSync(text, readFileSync(text, "utf8").replace("a + 1", "a + 2"));
  const edited = await readNotebook(text);
  assert.deepEqual(ids(edited), before, "ids stay");
  assert.deepEqual(edited.cells.map((cell) => (cell.cell_type === "code" ? cell.outputs.length : -1)), [-1, 0, 0], "the result of other code is gone");
  await runNotebook(text);
  assert.deepEqual(shown(cellWith(read(first.output), "a + 2")), ["22"]);
  assert.deepEqual(ids(read(first.output)), before);
});

test("an .ipynb that was changed after its text is not overwritten", async () => {
  const text = path("kept.ts");
  writeFileSync(text, "// %%\n1\n");
  await runNotebook(text);
  const stored = read(path("kept.ipynb"));
  stored.cells.push({ ...code("2"), id: "new" });
  await writeNotebook(path("kept.ipynb"), stored);
  utimesSync(text, 1, 1);
  await assert.rejects(runNotebook(text), /kept\.ipynb \(has other cells than .*kept\.ts and was changed later; `sdtp convert/);
  await assert.rejects(runNotebook(text, { output: path("kept.md") }), /outputs need an \.ipynb file/);
});

test("a pair: the half that was changed last gives the cells, outputs stay, nothing is written without need", async () => {
  const [text, stored] = [path("pair.ts"), path("pair.ipynb")];
  const book = notebook([markdown("# Pair"), { ...code("1 + 1"), outputs: [{ output_type: "stream", name: "stdout", text: "kept\n" }] }, code("injected", "injected-parameters")]);
  await writeNotebook(stored, book);
  await assert.rejects(pairOf(stored), /is not paired with a text; `sdtp convert/);
  assert.equal(await sync({ text, stored }), "both");
  assert.deepEqual(await pairOf(stored), { text, stored });
  assert.match(readFileSync(text, "utf8"), /formats: ipynb,ts:percent/);
  assert.ok(!readFileSync(text, "utf8").includes("injected"));
  assert.equal(await sync({ text, stored }), "stored", "the cell that a run set goes with the next change of the text");
  assert.equal(await sync({ text, stored }), "none");

  writeFileSync(text, readFileSync(text, "utf8").replace("# Pair", "# Two"));
  utimesSync(stored, 1, 1);
  assert.equal(await sync({ text, stored }), "stored");
  assert.deepEqual(read(stored).cells.map((cell) => joined(cell.source)), ["# Two", "1 + 1"]);
  assert.deepEqual(shown(cellWith(read(stored), "1 + 1")), ["stdout: kept\n"]);

  const edited = read(stored);
  cellWith(edited, "1 + 1").metadata.tags = ["slow"];
  await writeNotebook(stored, edited);
  utimesSync(text, 1, 1);
  assert.equal(await sync({ text, stored }), "text");
  assert.match(readFileSync(text, "utf8"), /\/\/ %% tags=\["slow"\]\n1 \+ 1/);
});
