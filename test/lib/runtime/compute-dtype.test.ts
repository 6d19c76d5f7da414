import assert from "node:assert/strict";
import { test } from "node:test";
import { computeDtype } from "../../../lib/runtime/compute-dtype.js";

test("16-bit weights are computed in fp32; products of quantised ones round activations unless told", () => {
  for (const dtype of ["fp32", "fp16", "bf16"]) assert.equal(computeDtype(dtype), "fp32");
  assert.equal(computeDtype("int8"), "fp32 with int8 products");
  assert.equal(computeDtype("int4:head=fp16"), "fp32 with int8 products");
  assert.equal(computeDtype("int4", "float32"), "fp32");
  assert.equal(computeDtype("int4", "float16"), "fp16");
});
