import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseNotebook, readNotebook } from "../../../lib/notebook/read.js";
import { joined, lines } from "../../../lib/notebook/types.js";
import { stringifyNotebook, writeNotebook } from "../../../lib/notebook/write.js";

const folder = mkdtempSync(join(tmpdir(), "sdtp-read-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const minimal = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] as unknown[] };
const withCell = (cell: object) => JSON.stringify({ ...minimal, cells: [{ cell_type: "markdown", metadata: {}, source: [] }, cell] });

// As nbformat formats it: keys, unknown fields and digits must come back byte for byte.
const foreign = `{
 "cells": [
  {
   "attachments": {
    "a.png": {
     "image/png": "iVBORw0="
    }
   },
   "cell_type": "markdown",
   "id": "a1",
   "metadata": {
    "collapsed": false,
    "vendor": {
     "deep": [
      1.0,
      -0.0,
      1e400,
      12345678901234567890,
      0.1,
      {}
     ]
    }
   },
   "source": [
    "# Überschrift 🎉\\n",
    "text"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 3,
   "id": "b2",
   "metadata": {},
   "outputs": [
    {
     "data": {
      "application/vnd.vendor+json": {
       "__proto__": 1,
       "x": 1.50
      },
      "text/plain": "one string"
     },
     "execution_count": 3,
     "metadata": {},
     "output_type": "execute_result",
     "vendor": true
    }
   ],
   "source": "whole"
  }
 ],
 "metadata": {
  "vendor": null
 },
 "nbformat": 4,
 "nbformat_minor": 5,
 "vendor": []
}
`;

test("what another tool wrote comes back byte for byte", async () => {
  const file = join(folder, "foreign.ipynb");
  writeFileSync(file, foreign);
  const notebook = await readNotebook(file);
  const [markdown, code] = notebook.cells;
  assert.equal(joined(markdown!.source), "# Überschrift 🎉\ntext");
  assert.equal(joined(code!.source), "whole");
  const copy = join(folder, "new", "copy.ipynb");
  await writeNotebook(copy, notebook);
  assert.equal(readFileSync(copy, "utf8"), foreign);
  assert.deepEqual(readdirSync(join(folder, "new")), ["copy.ipynb"], "nothing is left beside it");
});

test("a byte order mark is no obstacle", () => {
  assert.equal(stringifyNotebook(parseNotebook(`\uFEFF${foreign}`, "x")), foreign);
});

test("numbers whose digits are kept compute and serialise as numbers", () => {
  const { vendor } = parseNotebook(foreign, "x").cells[0]!.metadata as { vendor: { deep: number[] } };
  assert.equal(vendor.deep[0]! + 1, 2);
  assert.equal(JSON.stringify(vendor.deep.slice(0, 1)), "[1]");
});

test("lines keep their ends and join to the same text", () => {
  assert.deepEqual(lines("a\n\nb"), ["a\n", "\n", "b"]);
  assert.deepEqual(lines("a\n"), ["a\n"]);
  assert.deepEqual(lines(""), []);
});

test("NaN and infinities, which Python writes and JSON has not: text in metadata, a gap in data, and never written again", () => {
  const json = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {"papermill": {"parameters": {"a": NaN, "b": [-Infinity, 1.0]}}}, "cells": [{"cell_type": "code", "id": "a", "metadata": {}, "execution_count": null, "source": "x = \\"NaN, Infinity\\"", "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"application/json": [1.50, NaN, Infinity, {"metadata": NaN}]}}]}]}';
  for (const exact of [true, false]) {
    const book = parseNotebook(json, "x", exact);
    assert.deepEqual(JSON.parse(JSON.stringify((book.metadata as { papermill?: object }).papermill)), { parameters: { a: "NaN", b: ["-Infinity", 1] } });
    const [cell] = book.cells;
    assert.equal(cell!.source, 'x = "NaN, Infinity"');
    const written = stringifyNotebook(book);
    assert.deepEqual(JSON.parse(written).cells[0].outputs[0].data["application/json"], [1.5, null, null, { metadata: "NaN" }]);
    if (exact) assert.match(written, /1\.50/);
  }
  assert.throws(() => parseNotebook('{"a": NaN,\n "b": }', "x.ipynb"), /no valid JSON: .*line 1/);
});

const wrong: [string, string, RegExp][] = [
  ["broken JSON", '{\n "cells": [1,\n}', /^Error: notebook: x\.ipynb \(no valid JSON: .*at line 3, column 1\)$/],
  ["conflict markers", "{\n<<<<<<< HEAD\n}", /line 2, column 1; it has conflict markers/],
  ["a key twice", '{"nbformat": 4, "nbformat": 3}', /Duplicate key 'nbformat'.*line 1, column/],
  ["empty file", "", /no valid JSON/],
  ["other JSON", '{"name": "package"}', /no notebook: no "nbformat"/],
  ["JSON null", "null", /no notebook/],
  ["nbformat 3", '{"nbformat": 3, "worksheets": []}', /nbformat 3, but 4 is read; `jupyter nbconvert --to notebook x\.ipynb`/],
  ["nbformat 5", '{"nbformat": 5, "cells": []}', /nbformat 5, but 4 is read\)/],
  ["no cells", '{"nbformat": 4}', /cells: must be a list/],
  ["no minor version", '{"nbformat": 4, "cells": [], "metadata": {}}', /nbformat_minor/],
  ["unknown cell", withCell({ cell_type: "heading", metadata: {}, source: "" }), /cells\[1\]\.cell_type/],
  ["no source", withCell({ cell_type: "markdown", metadata: {} }), /cells\[1\]\.source/],
  ["tags that are no list", withCell({ cell_type: "raw", metadata: { tags: "skip" }, source: "" }), /cells\[1\]\.metadata\.tags/],
  ["code without outputs", withCell({ cell_type: "code", metadata: {}, source: "", execution_count: null }), /cells\[1\]\.outputs/],
  ["bad output", withCell({ cell_type: "code", metadata: {}, source: "", execution_count: null, outputs: [{ output_type: "stream", name: "stdout" }] }), /cells\[1\]\.outputs\[0\]\.text/],
];

for (const [name, json, message] of wrong) {
  test(`error: ${name}`, () => assert.throws(() => parseNotebook(json, "x.ipynb"), (error: Error) => message.test(String(error)) || assert.fail(String(error))));
}

test("error: a missing file, a folder, a place that cannot be written", async () => {
  await assert.rejects(readNotebook(join(folder, "none.ipynb")), /none\.ipynb \(no such file\)/);
  await assert.rejects(readNotebook(folder), /\(a folder\)/);
  writeFileSync(join(folder, "file"), "");
  await assert.rejects(writeNotebook(join(folder, "file", "x.ipynb"), parseNotebook(foreign, "x")), /x\.ipynb \(cannot be written: E/);
});
