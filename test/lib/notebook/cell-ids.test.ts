import assert from "node:assert/strict";
import { test } from "node:test";
import { withValidIds } from "../../../lib/notebook/cell-ids.js";
import { stringifyNotebook } from "../../../lib/notebook/write.js";
import { parseNotebook } from "../../../lib/notebook/read.js";
import type { Cell, Notebook } from "../../../lib/notebook/types.js";

const book = (ids: unknown[], nbformat_minor = 5): Notebook => ({ nbformat: 4, nbformat_minor, metadata: {}, cells: ids.map((id) => ({ cell_type: "markdown", ...(id !== undefined && { id }), metadata: {}, source: "x" }) as Cell) });

test("ids that others refuse are mended, said so, and the same each time", () => {
  const { notebook, mended } = withValidIds(book(["a", "a", null, "", "b c", "x".repeat(65), undefined, "b"]));
  const ids = notebook.cells.map(({ id }) => id);
  assert.deepEqual([ids[0], ids[7]], ["a", "b"]);
  assert.equal(new Set(ids).size, 8);
  assert.ok(ids.every((id) => /^[A-Za-z0-9_-]{1,64}$/.test(id!)));
  assert.equal(mended.length, 6);
  assert.match(mended[0]!, /^cell 2 had the id of another cell \(a\); it is now [0-9a-f]{8}$/);
  assert.match(mended[1]!, /^cell 3 had the id null, which nbformat does not take/);
  assert.match(mended[5]!, /^cell 7 had no id/);
  const text = stringifyNotebook(book(["a", "a"]));
  assert.equal(stringifyNotebook(parseNotebook(text, "x")), text);
});

test("a notebook with good ids is left alone, and one whose format has none", () => {
  for (const each of [book(["a", "b"]), book([undefined, undefined], 4)]) assert.equal(withValidIds(each).notebook, each);
});
