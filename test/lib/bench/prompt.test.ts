import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { prompt } from "../../../lib/bench/prompt.js";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import { loadCorpus } from "../../../lib/train/corpus.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

const shipped = readFileSync(join(packageRoot(), "lib", "bench", "prompts", "held-out.txt"), "utf8");

test("the shipped prose is whole held-out documents and nothing else", () => {
  let rest = shipped;
  const documents = loadCorpus().heldOut.filter((text) => rest.includes(text));
  for (const text of documents.sort((a, b) => b.length - a.length)) rest = rest.replace(text, "");
  assert.equal(rest.trim(), "");
  assert.ok(documents.length > 10 && shipped.length > 300_000);
});

test("a shorter prompt is the beginning of a longer one, and of the text", async (t) => {
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const checkpoint = await openCheckpoint(folder);
  const [short, long] = [await prompt(checkpoint, 50), await prompt(checkpoint, 400)];
  assert.equal(long.ids.length, 400);
  assert.deepEqual(long.ids.slice(0, 50), short.ids);
  assert.notEqual(long.hash, short.hash);
  const text = (await checkpoint.tokenizer()).decode(long.ids, { skipSpecialTokens: true });
  assert.ok(shipped.startsWith(text.slice(0, 100)));
});
