import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ggufTokenizer } from "../../../../lib/checkpoint/gguf/tokenizer.js";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";
import type { Tokenizer } from "../../../../lib/checkpoint/tokenizer.js";

interface Cases {
  pieces: string[];
  byteLevel: Record<string, unknown>;
  byPre: Record<string, string[]>;
  sentencepiece: Record<string, { fields: Record<string, unknown>; hashes: string[] }>;
}

// Made by reference.py with Hugging Face's own tokenizers.
const { pieces, byteLevel, byPre, sentencepiece } = JSON.parse(readFileSync(join(packageRoot(), "test", "lib", "checkpoint", "gguf-tokenizers", "cases.json"), "utf8")) as Cases;

/** The same 5,000 texts as in reference.py. */
const texts = (() => {
  let state = 20261129n;
  const draw = (n: number) => {
    state = (state * 1103515245n + 12345n) & 0x7fffffffn;
    return Number(state >> 8n) % n;
  };
  return Array.from({ length: 5000 }, () => {
    const parts: string[] = [];
    for (let left = 1 + draw(12); left > 0; left--) {
      parts.push(pieces[draw(pieces.length)]!);
      if (draw(3) === 0) parts.push(" ");
    }
    return parts.join("");
  });
})();

function hashes(tokenizer: Tokenizer): string[] {
  return Array.from({ length: texts.length / 100 }, (_, i) => {
    const lines = texts.slice(100 * i, 100 * i + 100).map((text) => JSON.stringify(tokenizer.encode(text)));
    return createHash("sha256").update(lines.join("\n")).digest("hex").slice(0, 16);
  });
}

const fields = (given: Record<string, unknown>) => Object.fromEntries(Object.entries(given).map(([name, value]) => [`tokenizer.ggml.${name}`, value]));
const bos = (byteLevel["tokens"] as string[]).indexOf("<|bos|>");

for (const [pre, expected] of Object.entries(byPre)) {
  test(`${pre}: the ids of the original tokenizer for 5,000 texts`, () => {
    // add_bos_token is not there: llama 3 and tekken have bos all the same, the others none.
    const tokenizer = ggufTokenizer(fields({ ...byteLevel, model: "gpt2", pre, bos_token_id: bos, eos_token_id: bos + 1 }), "m.gguf");
    assert.deepEqual(hashes(tokenizer), expected);
  });
}

for (const [name, { fields: given, hashes: expected }] of Object.entries(sentencepiece)) {
  test(`sentencepiece as ${name} has it: the ids of the original tokenizer for 5,000 texts`, () => {
    const map = given["precompiled_charsmap"];
    const tokenizer = ggufTokenizer(fields({ ...given, ...(typeof map === "string" && { precompiled_charsmap: [...Buffer.from(map, "base64")] }) }), "m.gguf");
    assert.deepEqual(hashes(tokenizer), expected);
  });
}

test("bos and eos as the file has them", () => {
  const encode = (more: Record<string, unknown>) => ggufTokenizer(fields({ ...byteLevel, model: "gpt2", bos_token_id: bos, eos_token_id: bos + 1, ...more }), "m.gguf").encode("a");
  const a = (byteLevel["tokens"] as string[]).indexOf("a");
  assert.deepEqual(encode({ pre: "llama-bpe" }), [bos, a]);
  assert.deepEqual(encode({ pre: "llama-bpe", add_bos_token: false }), [a]);
  assert.deepEqual(encode({ pre: "qwen2" }), [a]);
  assert.deepEqual(encode({ pre: "qwen2", add_bos_token: true, add_eos_token: true }), [bos, a, bos + 1]);
});

test("fields that are missing or do not fit are named", () => {
  const refused = (given: Record<string, unknown>, message: RegExp) => assert.throws(() => ggufTokenizer(fields(given), "m.gguf"), message);
  const good = { ...byteLevel, model: "gpt2", pre: "qwen2" };
  refused({ ...good, tokens: undefined }, /^Error: tokenizer: m\.gguf holds none \(put the model's tokenizer\.json beside the file/);
  refused({ ...good, merges: undefined }, /m\.gguf: tokenizer\.ggml\.merges: missing \(must be a list of strings/);
  refused({ ...good, merges: ["ab"] }, /tokenizer\.ggml\.merges\[0\]: "ab" \(must be two tokens\)/);
  refused({ ...good, merges: ["a zebra"] }, /m\.gguf: tokenizer\.ggml\.merges\[0\]: .*"zebra" must be in tokenizer\.ggml\.tokens/);
  refused({ ...good, model: "bert" }, /tokenizer\.ggml\.model: "bert" \(supported: gpt2, llama, t5, gemma4;/);
  refused({ ...good, model: 7 }, /tokenizer\.ggml\.model: 7 \(must be a string\)/);
  refused({ ...good, token_type: [1] }, /tokenizer\.ggml\.token_type: 1 values \(must be \d+ integers, one a token\)/);
  refused({ ...good, tokens: ["a", "a"], merges: [], token_type: [1, 1] }, /tokenizer\.ggml\.tokens: "a" has the ids 0 and 1/);
  refused({ ...good, bos_token_id: 10 ** 6 }, /tokenizer\.ggml\.bos_token_id: 1000000 \(must be below the number of tokens/);
  refused({ model: "llama", tokens: ["<unk>", "<s>", "</s>", "a"] }, /tokenizer\.ggml\.scores: missing \(must be 4 numbers/);
  refused({ model: "llama", tokens: ["<unk>", "<s>", "</s>", "a"], scores: [0] }, /tokenizer\.ggml\.scores: 1 values \(must be 4 numbers/);
});
