import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";
import { tokenizerFrom } from "../../../../lib/checkpoint/tokenizer.js";

interface Case {
  readonly name: string;
  /** A tokenizer.json; its model may be the name of one in `models`. */
  readonly definition: Readonly<Record<string, unknown>>;
  /** A text, its ids, and those with special tokens; or a text and what the library says against it. */
  readonly encoded: readonly (readonly [string, number[], number[]] | readonly [string, string, null])[];
  /** Ids, whether special tokens are left out, and their text. */
  readonly decoded: readonly (readonly [number[], boolean, string])[];
}

// Made by reference.py with Hugging Face's own library; other files of that kind can be named.
const file = process.env["SDTP_TOKENIZER_CASES"] ?? join(packageRoot(), "test", "lib", "checkpoint", "tokenizer", "cases.json");
const { models, cases } = JSON.parse(readFileSync(file, "utf8")) as { models: Record<string, object>; cases: Case[] };

for (const { name, definition, encoded, decoded } of cases) {
  test(name, () => {
    const { model } = definition as { model: { as?: string } };
    const it = tokenizerFrom(model.as === undefined ? definition : { ...definition, model: { ...models[model.as], ...model } }, "tokenizer.json");
    for (const [text, ids, whole] of encoded) {
      if (typeof ids === "string") {
        assert.throws(() => it.encode(text), new RegExp("^Error: text: "), text);
        continue;
      }
      assert.deepEqual(it.encode(text, { addSpecialTokens: false }), ids, JSON.stringify(text));
      assert.deepEqual(it.encode(text), whole, JSON.stringify(text));
    }
    for (const [ids, skipSpecialTokens, text] of decoded) assert.equal(it.decode(ids, { skipSpecialTokens }), text, JSON.stringify(ids));
  });
}
