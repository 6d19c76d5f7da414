import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { loadTokenizer } from "../../../lib/checkpoint/tokenizer.js";
import { byteSymbols, temporaryFolder, tokenizerJson } from "./fixtures.js";

async function tokenizer(t: TestContext, config?: object, changes: object = {}) {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify({ ...tokenizerJson(), ...changes }));
  if (config) await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify(config));
  return loadTokenizer(folder);
}

/** The id of each byte of a text in the test's tokenizer. */
const byteIds = (text: string) => [...Buffer.from(text)];

test("encodes with the merges, special tokens on request", async (t) => {
  const { encode } = bind(await tokenizer(t));
  assert.deepEqual(encode("hell the", { addSpecialTokens: false }), [256, 257, 32, 116, 256]);
  assert.deepEqual(encode("ll he"), [259, 257, 258]);
  assert.deepEqual(encode("a<end>b", { addSpecialTokens: false }), [97, 259, 98]);
  assert.deepEqual(encode("", { addSpecialTokens: false }), []);
  assert.deepEqual(encode("é", { addSpecialTokens: false }), byteIds("é"));
});

function bind(it: Awaited<ReturnType<typeof loadTokenizer>>) {
  return { encode: it.encode.bind(it), decode: it.decode.bind(it) };
}

test("decoding gives the text back: spaces, line ends and scripts as they were", async (t) => {
  const { encode, decode } = bind(await tokenizer(t, { clean_up_tokenization_spaces: true }));
  for (const text of ["hello , world . don 't", "  two  spaces \n\n tab\t", "naïve Ω 漢字 🙂👩‍👩‍👧", "\u0000\u007f\ufeffx", " "]) {
    assert.equal(decode(encode(text, { addSpecialTokens: false })), text);
  }
  assert.equal(decode([]), "");
});

test("special tokens are shown or left out", async (t) => {
  const { decode } = bind(await tokenizer(t));
  assert.equal(decode([259, 104, 105, 259]), "<end>hi<end>");
  assert.equal(decode([259, 104, 105, 259], { skipSpecialTokens: true }), "hi");
  assert.equal(decode([259], { skipSpecialTokens: true }), "");
});

test("vocabulary: size, strings and ids", async (t) => {
  const it = await tokenizer(t);
  assert.equal(it.vocabSize, 260);
  assert.equal(it.token(258), "Ġhe");
  assert.equal(it.token(259), "<end>");
  assert.equal(it.token(32), byteSymbols()[32]);
  assert.equal(it.token(5000), "<id 5000>");
  assert.equal(it.id("<end>"), 259);
  assert.equal(it.id("nothing"), undefined);
});

test("an id of a padded vocabulary gives no text, one that is no id is refused", async (t) => {
  const { decode } = bind(await tokenizer(t));
  assert.equal(decode([104, 299, 105]), "hi");
  assert.throws(() => decode([104, -1]), /token id: -1 at position 1/);
  assert.throws(() => decode([0.5]), /token id: 0\.5 at position 0/);
});

test("the stream gives a character when its last byte is in", async (t) => {
  const stream = (await tokenizer(t)).decodeStream();
  assert.deepEqual(byteIds("a🙂é").map((id) => stream.push(id)), ["a", "", "", "", "🙂", "", "é"]);
  assert.equal(stream.end(), "");
});

test("an unfinished character comes at the end as the replacement character", async (t) => {
  const stream = (await tokenizer(t)).decodeStream();
  assert.equal(stream.push(byteIds("🙂")[0]!), "");
  assert.equal(stream.end(), "\ufffd");
  assert.equal(stream.end(), "");
});

test("pieces of any ids join to the text of all", async (t) => {
  const it = await tokenizer(t);
  let state = 7;
  for (const skipSpecialTokens of [false, true]) {
    for (let round = 0; round < 200; round++) {
      const ids = Array.from({ length: 40 }, () => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        // Mostly bytes of scripts beyond ASCII, some merges and special tokens.
        return round % 2 ? (state >>> 16) % 262 : 128 + ((state >>> 16) % 132);
      });
      const stream = it.decodeStream({ skipSpecialTokens });
      const pieces = [...ids.map((id) => stream.push(id)), stream.end()];
      assert.equal(pieces.join(""), it.decode(ids, { skipSpecialTokens }));
    }
  }
});

test("a sentencepiece-style decoder keeps the spaces between pieces and drops the first", async (t) => {
  const folder = await temporaryFolder(t);
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const vocab = Object.fromEntries(["<unk>", ...bytes, "▁", "a", "b", "▁a", "▁b"].map((token, id) => [token, id]));
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify({
    added_tokens: [],
    normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" }] },
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: "Sequence", decoders: [{ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }] },
    model: { type: "BPE", unk_token: "<unk>", byte_fallback: true, fuse_unk: true, vocab, merges: [["▁", "a"], ["▁", "b"]] },
  }));
  const it = await loadTokenizer(folder);
  const ids = it.encode("a b é ab");
  assert.equal(it.decode(ids), "a b é ab");
  const stream = it.decodeStream();
  assert.deepEqual(ids.map((id) => stream.push(id)).filter(Boolean), ["a", " b", " ", "é", " a", "b"]);
});

test("a folder without tokenizer.json says what to do", async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(loadTokenizer(folder), /tokenizer: no tokenizer\.json in .* give the prompt as token ids/);
  await writeFile(join(folder, "tokenizer.model"), "");
  await assert.rejects(loadTokenizer(folder), /has only tokenizer\.model \(tokenizer\.json is needed: python -c 'from transformers import AutoTokenizer.*save_pretrained/);
});

test("a broken tokenizer.json is named, and the key that is wrong", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "tokenizer.json"), "{");
  await assert.rejects(loadTokenizer(folder), /tokenizer\.json: not JSON/);
  const bytes = tokenizerJson() as { model: object };
  const broken: [object, RegExp][] = [
    [{ model: { type: "Nonsense" } }, /tokenizer\.json: model\.type: "Nonsense" \(supported: BPE, WordPiece, WordLevel, Unigram\)/],
    [{}, /model: missing \(must be an object\)/],
    [{ model: [] }, /model: \[\] \(must be an object\)/],
    [{ model: { type: "BPE", vocab: { a: 0 } } }, /model\.merges: missing \(must be a list of pairs\)/],
    [{ model: { type: "BPE", merges: [] } }, /model\.vocab: missing/],
    [{ model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: ["a b"] } }, /model\.merges\[0\]: "a b" \("ab" must be in model\.vocab\)/],
    [{ model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [["a"]] } }, /model\.merges\[0\]: \["a"\] \(must be two tokens\)/],
    [{ model: { type: "BPE", vocab: { a: -1 }, merges: [] } }, /model\.vocab: "a": -1 \(must be an integer from 0/],
    [{ model: { type: "BPE", vocab: { a: "0" }, merges: [] } }, /model\.vocab: "a": "0"/],
    [{ model: { type: "Unigram", vocab: [["a"]] } }, /model\.vocab\[0\]: \["a"\] \(must be \[token, score\]\)/],
    [{ model: { type: "Unigram", vocab: [["a", 0]], unk_id: 4 } }, /model\.unk_id: 4 \(must be below the vocabulary's size, 1\)/],
    [{ ...bytes, pre_tokenizer: { type: "Split", pattern: { Regex: "(" }, behavior: "Isolated" } }, /pre_tokenizer\.pattern: .*must be a regular expression of Oniguruma/],
    [{ ...bytes, pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Later" }] } }, /pre_tokenizer\.pretokenizers\[0\]\.type: "Later" \(supported: Sequence, ByteLevel,/],
    [{ ...bytes, normalizer: { type: "constructor" } }, /normalizer\.type: "constructor" \(supported/],
    [{ ...bytes, normalizer: { type: "Precompiled", precompiled_charsmap: "AAAA" } }, /normalizer\.precompiled_charsmap: "AAAA" \(must be a sentencepiece model's character map/],
    [{ ...bytes, added_tokens: [{ id: 1 }] }, /added_tokens\[0\]\.content: missing/],
    [{ ...bytes, decoder: { type: "Strip", content: " ", start: -1 } }, /decoder\.start: -1/],
    [{ ...bytes, post_processor: { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<s>" } }], pair: [], special_tokens: {} } }, /post_processor\.single\[0\]\.SpecialToken\.id: "<s>" \(must be a name in special_tokens/],
  ];
  for (const [definition, message] of broken) {
    await writeFile(join(folder, "tokenizer.json"), JSON.stringify(definition));
    await assert.rejects(loadTokenizer(folder), message);
    await assert.rejects(loadTokenizer(folder), (error: Error) => error.message.startsWith(join(folder, "tokenizer.json")));
  }
});

test("a megabyte of one letter, and of one word, takes time in proportion", async (t) => {
  const it = await tokenizer(t);
  for (const unit of ["a", "he", " "]) {
    const seconds = (length: number) => {
      const text = unit.repeat(length / unit.length);
      const before = process.cpuUsage();
      assert.ok(it.encode(text).length > 0);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1e6;
    };
    seconds(2 ** 15);
    const [small, large] = [Math.max(seconds(2 ** 15), 0.01), seconds(2 ** 20)];
    // 32 times the text; quadratic time would be 1024 times.
    assert.ok(large < 250 * small, `${unit}: ${small} s, then ${large} s`);
  }
});

test("bos by tokenizer_config.json where tokenizer.json adds nothing", async (t) => {
  const config = { tokenizer_class: "LlamaTokenizerFast", bos_token: { content: "<end>" }, add_bos_token: true, add_eos_token: false };
  const bos = await tokenizer(t, config, { post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true } });
  assert.deepEqual(bos.encode("a"), [259, 97]);
  assert.deepEqual(bos.encode("a", { addSpecialTokens: false }), [97]);
  for (const other of [{ ...config, add_bos_token: false }, { ...config, tokenizer_class: "PreTrainedTokenizerFast" }, {}]) {
    assert.deepEqual((await tokenizer(t, other, { post_processor: null })).encode("a"), [97]);
  }
});

test("truncation and padding in the file are for those who ask for them", async (t) => {
  const it = await tokenizer(t, undefined, { truncation: { max_length: 2, stride: 0, strategy: "LongestFirst", direction: "Right" }, padding: { strategy: { Fixed: 8 }, direction: "Right", pad_id: 0, pad_type_id: 0, pad_token: "x" } });
  assert.equal(it.encode("abcde", { addSpecialTokens: false }).length, 5);
});

test("tokens that only tokenizer_config.json names are found in the text, as transformers finds them", async (t) => {
  // What transformers 5.23 gives for such folders.
  const plain = tokenizerJson() as { added_tokens: { content: string; id: number }[]; model: { vocab: Record<string, number> } };
  const { content, id } = plain.added_tokens[0]!;
  const model = { ...plain.model, vocab: { ...plain.model.vocab, [content]: id } };
  const bare = { added_tokens: [], model };
  const encode = async (config: object, changes: object = bare) => (await tokenizer(t, config, changes)).encode(`a${content} b`, { addSpecialTokens: false });
  const apart = await encode({});
  assert.ok(!apart.includes(id), "in the vocabulary alone it is text");
  for (const config of [{ eos_token: content }, { additional_special_tokens: [content] }, { extra_special_tokens: [{ content }] }]) assert.deepEqual(await encode(config), [97, id, 32, 98]);
  const flags = { content, special: true, lstrip: false, rstrip: true, normalized: false, single_word: false };
  assert.deepEqual(await encode({ added_tokens_decoder: { [id]: flags } }), [97, id, 98]);
  // tokenizer.json's own flags stay, but what is named is special.
  const given = { ...bare, added_tokens: [{ ...flags, id, special: false }] };
  assert.deepEqual(await encode({ eos_token: content }, given), [97, id, 98]);
  assert.equal((await tokenizer(t, { eos_token: content }, given)).decode([97, id], { skipSpecialTokens: true }), "a");
  assert.equal((await tokenizer(t, {}, given)).decode([97, id], { skipSpecialTokens: true }), `a${content}`);
  // A token without an id in the vocabulary is none.
  assert.equal((await tokenizer(t, { pad_token: "[PAD]" })).id("[PAD]"), undefined);
});
