import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadTokenizer, type Tokenizer } from "../../../lib/checkpoint/tokenizer.js";
import { END_OF_TEXT, trainBpe } from "../../../lib/train/bpe.js";

const text = "The whale, the whale! Up helm, up helm! The pass key of Boston is 48213. Naïve café — 鯨\n\n  The whale again.";

async function tokenizerFor(t: { after(f: () => void): void }, size: number): Promise<Tokenizer> {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-bpe-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(trainBpe([text, "the whale the whale"], size)));
  return loadTokenizer(folder);
}

test("any text comes back, bytes unseen in training included", async (t) => {
  const tokenizer = await tokenizerFor(t, 300);
  for (const sample of [text, "ζῷον 🐋 \t\r\n x", "", " leading and trailing "]) assert.equal(tokenizer.decode(tokenizer.encode(sample)), sample);
});

test("merges follow frequency and stay inside words", async (t) => {
  const tokenizer = await tokenizerFor(t, 268);
  assert.ok(tokenizer.encode(" whale").length < 3, "a frequent word is few tokens");
  assert.equal(tokenizer.vocabSize, 268);
  for (let id = 257; id < 268; id++) assert.doesNotMatch(tokenizer.token(id), /[^Ġ]Ġ/, "no token spans two words");
});

test("every digit is a token of its own", async (t) => {
  const tokenizer = await tokenizerFor(t, 330);
  assert.deepEqual(tokenizer.encode("48213").map((id) => tokenizer.token(id)), ["4", "8", "2", "1", "3"]);
});

test("the end-of-text token is id 0 and is recognised in text", async (t) => {
  const tokenizer = await tokenizerFor(t, 280);
  assert.equal(tokenizer.id(END_OF_TEXT), 0);
  assert.deepEqual(tokenizer.encode(END_OF_TEXT), [0]);
});

test("a vocabulary too small for the bytes is refused", () => {
  assert.throws(() => trainBpe([text], 200), /vocabulary size: 200/);
});
