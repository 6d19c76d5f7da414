import assert from "node:assert/strict";
import { test } from "node:test";
import { checkLengths, parseLengths } from "../../../lib/bench/lengths.js";

test("lengths come apart or with commas", () => {
  assert.deepEqual(parseLengths(["1024", "2048,4096"]), [1024, 2048, 4096]);
});

test("what is no ascending list of positive integers is refused with its value", () => {
  assert.throws(() => parseLengths(["0"]), /length: 0 \(must be a positive integer, in tokens\)/);
  assert.throws(() => parseLengths(["-5"]), /length: -5/);
  assert.throws(() => parseLengths(["1.5"]), /length: 1\.5/);
  assert.throws(() => parseLengths(["4K"]), /length: 4K/);
  assert.throws(() => parseLengths(["2048", "1024"]), /lengths: 1024 after 2048 \(must ascend\)/);
  assert.throws(() => parseLengths(["1024", "1024"]), /length: 1024 \(is given twice\)/);
  assert.throws(() => parseLengths([","]), /lengths: none/);
  assert.throws(() => checkLengths([Number.NaN]), /length: NaN/);
});
