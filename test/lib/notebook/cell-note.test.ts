import assert from "node:assert/strict";
import { test } from "node:test";
import { cellNote, setCellNote } from "../../../lib/notebook/cell-note.js";
import type { Cell } from "../../../lib/notebook/types.js";

test("a note is text among other programs' notes, as nbformat wants it, and comes back as it was", () => {
  const cell = { cell_type: "code", metadata: { execution: { "iopub.status.idle": "then" } }, source: "", outputs: [], execution_count: null } as unknown as Cell;
  setCellNote(cell, { hash: "a", cached: true, rerun: "b" });
  assert.ok(Object.values(cell.metadata["execution"] as object).every((value) => typeof value === "string"));
  assert.deepEqual(cellNote(cell), { hash: "a", cached: true, rerun: "b" });
  setCellNote(cell, undefined);
  assert.deepEqual(cell.metadata["execution"], { "iopub.status.idle": "then" });
  assert.deepEqual(cellNote(cell), {});
});
