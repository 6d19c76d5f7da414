import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { danfo } from "../../../lib/cell/danfo.js";

const dfd = danfo() as any;

test("describe leaves out what is missing", () => {
  const described = new dfd.DataFrame({ a: [1, null, 3], b: [NaN, 2, 4], c: ["x", "y", "z"] }).describe();
  assert.deepEqual(described.columns, ["a", "b"]);
  assert.deepEqual(described.index, ["count", "mean", "std", "min", "median", "max", "variance"]);
  assert.deepEqual(described.column("a").values, [2, 2, Math.SQRT2, 1, 2, 3, 2]);
  assert.deepEqual(described.column("b").values, [2, 3, Math.SQRT2, 2, 3, 4, 2]);
});

test("sortValues puts missing values last, either way, and keeps the order of equal ones", () => {
  const frame = new dfd.DataFrame({ a: [3, NaN, 1, null, 1], b: ["p", "q", "r", "s", "t"] });
  assert.deepEqual(frame.sortValues("a").column("b").values, ["r", "t", "p", "q", "s"]);
  assert.deepEqual(frame.sortValues("a").index, [2, 4, 0, 1, 3]);
  assert.deepEqual(frame.sortValues("a", { ascending: false }).column("b").values, ["p", "r", "t", "q", "s"]);
  frame.sortValues("a", { inplace: true });
  assert.deepEqual(frame.column("b").values, ["r", "t", "p", "q", "s"]);
  assert.deepEqual(new dfd.Series([3, NaN, 1]).sortValues().values, [1, 3, NaN]);
  assert.throws(() => frame.sortValues("z"), /z/);
});

test("frames that come of others are mended too: what is asked of them, and a part of their columns", () => {
  const frame = new dfd.DataFrame({ a: [3, NaN, 1, 2], b: [1, 2, 3, 4] });
  const asked = frame.query(frame.column("b").gt(1));
  for (const part of [asked, asked.loc({ columns: ["a"] }), asked.head(3), asked.copy()]) {
    assert.deepEqual(part.sortValues("a").column("a").values, [1, 2, NaN]);
    assert.deepEqual(part.column("a").sortValues({ ascending: false }).values, [2, 1, NaN]);
    assert.equal(part.describe().column("a").values[0], 2);
  }
});

test("frames without rows are sorted and described, and say what they cannot do", () => {
  const frame = new dfd.DataFrame({ a: [1, 2], b: ["x", "y"] });
  const none = frame.query(frame.column("a").gt(5));
  const sorted = none.loc({ columns: ["a"] }).sortValues("a", { ascending: false });
  assert.deepEqual([sorted.shape, sorted.columns], [[0, 1], ["a"]]);
  assert.deepEqual(none.describe().column("a").values, [0, NaN, NaN, NaN, NaN, NaN, NaN]);
  assert.equal(none.column("a").mean(), NaN);
  assert.throws(() => none.groupby(["b"]), /^Error: groupby: b \(the frame has no rows\)$/);
});

test("groupby of all columns counts rows, and says what it cannot do", () => {
  const frame = new dfd.DataFrame({ a: [1, 1, NaN], b: ["x", "x", "y"] });
  assert.deepEqual(frame.groupby(["a", "b"]).count().values, [[1, "x", 2], [NaN, "y", 1]]);
  assert.throws(() => frame.groupby(["a", "b"]).mean(), /^Error: groupby: a, b \(all columns are keys, so that none is left for mean; count\(\) gives the rows of each group\)/);
  assert.deepEqual(frame.groupby(["b"]).count().columns, ["b", "a_count"]);
});

test("a column is found whether or not its name has blanks around it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-danfo-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "h.csv"), "a, c\n1,2\n3,4\n");
  const read = await dfd.readCSV(join(folder, "h.csv"));
  assert.deepEqual(read.columns, ["a", "c"]);
  assert.deepEqual(read["c"].values, [2, 4]);
  const frame = new dfd.DataFrame({ a: [1], " c": [2] });
  assert.deepEqual(frame.column("c").values, [2]);
  assert.throws(() => frame.column("d"), /column: "d" \(must be one of "a", " c"\)/);
});
