import assert from "node:assert/strict";
import { test } from "node:test";
import { checkReach, measureSettings, methodsOf } from "../../../lib/bench/settings.js";

test("the baseline is measured first, asked for or not", () => {
  assert.deepEqual(methodsOf(["keep07"]).map(({ name }) => name), ["baseline", "keep07"]);
  assert.deepEqual(methodsOf(["sdtp", "all"]).map(({ name }) => name), ["baseline", "sdtp", "keep09", "keep08", "keep07"]);
  assert.throws(() => methodsOf([]), /configs: none/);
  assert.throws(() => methodsOf(["all", "keep08"]), /config: keep08 \(is given twice\)/);
});

test("numbers out of range are named", () => {
  assert.deepEqual(measureSettings({}), { mode: "end2end", repeats: 5, warmup: 1, maxNewTokens: 128 });
  assert.throws(() => measureSettings({ repeats: 0 }), /repeats: 0 \(must be an integer of 1 or more\)/);
  assert.throws(() => measureSettings({ warmup: -1 }), /warmup: -1/);
  assert.throws(() => measureSettings({ maxNewTokens: 1.5 }), /max new tokens: 1\.5/);
  assert.throws(() => measureSettings({ mode: "decode" as never }), /benchmark mode: decode/);
});

test("prompt and new tokens must fit the model's positions, new tokens only where there are some", () => {
  checkReach([384], { mode: "end2end", maxNewTokens: 128 }, 512);
  checkReach([512], { mode: "prefill", maxNewTokens: 128 }, 512);
  assert.throws(() => checkReach([385], { mode: "end2end", maxNewTokens: 128 }, 512), /length: 385 \(with 128 new tokens is beyond the model's 512 positions\)/);
});
