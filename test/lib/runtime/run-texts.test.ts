// The text of each token of a prompt, with the embedded model's tokenizer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../../../lib/runtime/model.js";

test("a character spread over tokens stands at its last one; what is no text is not held back", async () => {
  const model = await load("tiny", { threads: 1 });
  const tokenizer = await model.tokenizer();
  const texts = async (ids: readonly number[]) => (await (await model.prefill(ids)).texts())!;
  const text = "Élan — 日本 🙂 end";
  const ids = tokenizer.encode(text);
  const shown = await texts(ids);
  assert.equal(shown.length, ids.length);
  assert.equal(shown.join(""), text);
  assert.ok(shown.includes("日") && shown.includes("🙂") && shown.some((each) => each === ""));
  const half = tokenizer.encode("é")[0]!;
  const broken = await texts(new Array<number>(40).fill(half));
  assert.deepEqual(broken.slice(0, 8), ["", "", "", "\ufffd".repeat(4), "", "", "", "\ufffd".repeat(4)]);
  await model.release();
});
