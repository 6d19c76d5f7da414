import assert from "node:assert/strict";
import { test } from "node:test";
import { lastWords } from "../../../lib/bench/isolate.js";

test("of a process that ended, its error counts, not the stack and the version under it", () => {
  assert.equal(lastWords("node:internal/x:1\n  throw err;\n\nError: Cannot find module 'x'\n    at y (z:1:2)\n    at w\n\nNode.js v20.20.2\n"), "Error: Cannot find module 'x'");
  assert.equal(lastWords("terminate called after throwing Napi::Error\n\nNode.js v20.20.2"), "terminate called after throwing Napi::Error");
  assert.equal(lastWords("TypeError [ERR_X]: no\n  at a\n"), "TypeError [ERR_X]: no");
  assert.equal(lastWords("taskset: failed to set pid 1's affinity: Invalid argument\n"), "taskset: failed to set pid 1's affinity: Invalid argument");
  assert.equal(lastWords(" \n"), "");
});
