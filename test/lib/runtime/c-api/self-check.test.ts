import assert from "node:assert/strict";
import { test } from "node:test";
import { GraphBuilder } from "../../../../lib/onnx/builder.js";
import { toOnnx } from "../../../../lib/onnx/serialize.js";
import { SELF_CHECK_GRAPH, WEIGHT } from "../../../../lib/runtime/c-api/self-check.js";

test("the graph that the C API is checked with is as it would be written now", () => {
  const g = new GraphBuilder("self-check");
  const x = g.input("x", "float32", ["rows", 3]);
  const row = g.input("row", "int64", [1]);
  const weight = g.inline("weight", "float32", [4, 3], new Uint8Array(Float32Array.from(WEIGHT.flat()).buffer));
  g.output(g.linear(g.gather(x, row), weight), "y");
  g.output(g.identity(row), "same");
  assert.equal(Buffer.from(toOnnx(g)).toString("base64"), SELF_CHECK_GRAPH);
});
