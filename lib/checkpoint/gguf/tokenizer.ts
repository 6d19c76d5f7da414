import { tokenizerFrom, type Tokenizer } from "../tokenizer.js";
import { preTokenizations } from "./pre-tokenizers.js";
import { scoredMerges } from "./scored-merges.js";
import { readVocabulary, type GgufVocabulary } from "./vocabulary.js";

/**
 * The tokenizer that a GGUF file holds: byte-level BPE (`gpt2`) cut as the model's own tokenizer cuts, sentencepiece BPE (`llama`),
 * sentencepiece unigram (`t5`), or BPE over whole text (`gemma4`).
 * @throws on another kind, with what to do; on fields that are missing or do not fit, by their names
 */
export function ggufTokenizer(metadata: Readonly<Record<string, unknown>>, file: string): Tokenizer {
  const definition = ggufTokenizerJson(metadata, file);
  try {
    return tokenizerFrom(definition, file);
  } catch (error) {
    // The parts of a tokenizer.json by the names that the file has for them.
    throw new Error((error as Error).message.replace(/\bmodel\.merges\b/g, "tokenizer.ggml.merges").replace(/\bmodel\.vocab\b/g, "tokenizer.ggml.tokens"));
  }
}

/** The same as a tokenizer.json has it. */
export function ggufTokenizerJson(metadata: Readonly<Record<string, unknown>>, file: string): object {
  const vocabulary = readVocabulary(metadata, file);
  const make = makers[vocabulary.model];
  if (!make) throw new Error(`tokenizer: ${file}: tokenizer.ggml.model: ${JSON.stringify(vocabulary.model)} (supported: ${Object.keys(makers).join(", ")}; ${vocabulary.instead})`);
  return { version: "1.0", truncation: null, padding: null, added_tokens: addedTokens(vocabulary), ...make(vocabulary) };
}

const makers: Readonly<Record<string, (vocabulary: GgufVocabulary) => object>> = { gpt2: byteLevel, llama: sentencepiece, t5: unigram, gemma4: wholeText };

function byteLevel(vocabulary: GgufVocabulary): object {
  const { ids, merges, file, pre, instead } = vocabulary;
  const how = preTokenizations.get(pre);
  if (!how) throw new Error(`tokenizer: ${file}: tokenizer.ggml.pre: ${JSON.stringify(pre)} (supported: ${[...preTokenizations.keys()].join(", ")}; ${instead})`);
  return {
    normalizer: how.normalizer,
    pre_tokenizer: { type: "Sequence", pretokenizers: how.steps },
    post_processor: surrounded(vocabulary, how.addBos ?? false, false),
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: { type: "BPE", ignore_merges: how.wholeFirst ?? false, vocab: ids, merges: merges() },
  };
}

const spacesToMarks = { type: "Replace", pattern: { String: " " }, content: "▁" };
const marksToSpaces = { type: "Replace", pattern: { String: "▁" }, content: " " };

function sentencepiece(vocabulary: GgufVocabulary): object {
  const { ids, tokens, scores, unknown, spacePrefix } = vocabulary;
  const prefixed = spacePrefix ?? true;
  return {
    normalizer: { type: "Sequence", normalizers: [...(prefixed ? [{ type: "Prepend", prepend: "▁" }] : []), spacesToMarks] },
    post_processor: surrounded(vocabulary, true, false),
    decoder: { type: "Sequence", decoders: [marksToSpaces, { type: "ByteFallback" }, { type: "Fuse" }, ...(prefixed ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : [])] },
    model: { type: "BPE", unk_token: tokens[unknown ?? 0], fuse_unk: true, byte_fallback: true, vocab: ids, merges: scoredMerges(tokens, scores()) },
  };
}

function unigram(vocabulary: GgufVocabulary): object {
  const { tokens, scores, unknown, characterMap, spacePrefix, squeezesSpaces } = vocabulary;
  const all = scores();
  const scheme = { replacement: "▁", prepend_scheme: (spacePrefix ?? true) ? "always" : "never" };
  return {
    normalizer: characterMap === null ? null : { type: "Precompiled", precompiled_charsmap: characterMap },
    pre_tokenizer: { type: "Sequence", pretokenizers: [...((squeezesSpaces ?? true) ? [{ type: "WhitespaceSplit" }] : []), { type: "Metaspace", ...scheme }] },
    post_processor: surrounded(vocabulary, false, true),
    decoder: { type: "Metaspace", ...scheme },
    model: { type: "Unigram", unk_id: unknown ?? 2, vocab: tokens.map((token, id) => [token, all[id]]) },
  };
}

function wholeText(vocabulary: GgufVocabulary): object {
  const { ids, tokens, merges, unknown } = vocabulary;
  return {
    normalizer: spacesToMarks,
    post_processor: surrounded(vocabulary, true, false),
    decoder: { type: "Sequence", decoders: [marksToSpaces, { type: "ByteFallback" }, { type: "Fuse" }] },
    model: { type: "BPE", unk_token: unknown === undefined ? null : tokens[unknown], fuse_unk: true, byte_fallback: true, vocab: ids, merges: merges() },
  };
}

/** ggml's kinds of tokens that are found in the text itself. */
const [UNKNOWN, CONTROL, USER_DEFINED] = [2, 3, 4];

function addedTokens({ tokens, kinds, phi3 }: GgufVocabulary): object[] {
  return tokens.flatMap((content, id) => {
    const kind = kinds[id];
    if (kind !== CONTROL && kind !== USER_DEFINED && kind !== UNKNOWN) return [];
    // GGUF has no word for it: phi 3's tokens take the white space behind them along.
    const rstrip = phi3 && kind !== USER_DEFINED ? !["<unk>", "<s>", "<|endoftext|>"].includes(content) : false;
    return [{ id, content, special: kind !== USER_DEFINED, single_word: false, lstrip: false, rstrip, normalized: false }];
  });
}

/** bos before a text and eos behind it, where the file says so or the kind of tokenizer has it so. */
function surrounded({ tokens, bos, eos, addBos, addEos }: GgufVocabulary, usuallyBos: boolean, usuallyEos: boolean): object | null {
  const before = (addBos ?? usuallyBos) && bos !== undefined ? [bos] : [];
  const behind = (addEos ?? usuallyEos) && eos !== undefined ? [eos] : [];
  if (before.length + behind.length === 0) return null;
  const name = (id: number) => ({ SpecialToken: { id: tokens[id], type_id: 0 } });
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
  return {
    type: "TemplateProcessing",
    single: [...before.map(name), sequence("A"), ...behind.map(name)],
    pair: [sequence("A"), sequence("B")],
    special_tokens: Object.fromEntries([...before, ...behind].map((id) => [tokens[id], { id: tokens[id], ids: [id], tokens: [tokens[id]] }])),
  };
}
