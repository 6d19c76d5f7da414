import assert from "node:assert/strict";
import { test } from "node:test";
import { formatJson } from "../../lib/format-json.js";

test("arrays of numbers take one line", () => {
  const value = { a: [1, -2.5e-7, 3], b: [[1, 2], [3]], c: ["1", 2], d: [], e: { f: "[\n 1,\n 2\n]", g: "[ 1, 2 ]" } };
  const text = formatJson(value);
  assert.match(text, /"a": \[1, -2\.5e-7, 3\],/);
  assert.deepEqual(JSON.parse(text), value);
});
