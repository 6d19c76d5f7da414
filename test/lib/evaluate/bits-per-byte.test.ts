import assert from "node:assert/strict";
import { test } from "node:test";
import { bitsPerByte } from "../../../lib/evaluate/bits-per-byte.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { nextTokenLoss } from "../../reference/gradient.js";

test("bits per byte are the reference's mean loss over the bytes of the tokens predicted", async (t) => {
  const tiny = tinyCheckpoint("llama-tied");
  t.after(() => tiny.remove());
  const model = await load(tiny.folder, { threads: 1 });
  const text = "The whale, the whale! Up helm, up helm — oh, all ye sweet powers of air, now hug me close.";
  const tokenizer = await model.tokenizer();
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  const window = 24;
  let nats = 0;
  let bytes = 0;
  let tokens = 0;
  for (let start = 0; start + 1 < ids.length; start += window) {
    const part = ids.slice(start, start + window);
    nats += nextTokenLoss(tiny.config, tiny.weights, part) * (part.length - 1);
    bytes += Buffer.byteLength(tokenizer.decode(part.slice(1)));
    tokens += part.length - 1;
  }
  const result = await bitsPerByte(model, text, window);
  assert.equal(result.tokens, tokens);
  assert.equal(result.bytes, bytes);
  assert.ok(Math.abs(result.bitsPerByte - nats / Math.LN2 / bytes) < 1e-4 * result.bitsPerByte);
  await assert.rejects(bitsPerByte(model, ""), /text: 0 tokens/);
  await model.release();
});
