import { tokenizerFrom, type Tokenizer } from "../tokenizer.js";

/** What words are cut into before merges apply, by `tokenizer.ggml.pre`. */
export const patterns: Readonly<Record<string, string>> = {
  "llama-bpe": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "qwen2": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
};

/** ggml's kinds of tokens. */
const [CONTROL, USER_DEFINED] = [3, 4];

/**
 * The tokenizer that a GGUF file holds: byte-level BPE (`gpt2`) with the cuts of gpt-2, llama 3 or qwen2, or sentencepiece BPE (`llama`).
 * @throws on another kind, with what to do
 */
export function ggufTokenizer(metadata: Readonly<Record<string, unknown>>, file: string): Tokenizer {
  const field = (name: string) => metadata[`tokenizer.ggml.${name}`];
  const [model, tokens] = [field("model"), field("tokens") as string[] | undefined];
  const instead = "put the model's tokenizer.json beside the file, or give the prompt as token ids";
  if (!Array.isArray(tokens)) throw new Error(`tokenizer: ${file} holds none (${instead})`);
  const pre = String(field("pre") ?? "default");
  const bos = Number(field("bos_token_id") ?? -1);
  const common = {
    version: "1.0",
    added_tokens: tokens.flatMap((content, id) => {
      const kind = Number((field("token_type") as number[] | undefined)?.[id] ?? 1);
      return kind === CONTROL || kind === USER_DEFINED ? [{ id, content, special: kind === CONTROL, single_word: false, lstrip: false, rstrip: false, normalized: false }] : [];
    }),
    post_processor: (field("add_bos_token") ?? model === "llama") && tokens[bos] !== undefined ? beginning(tokens[bos], bos) : null,
  };
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  if (model === "gpt2" && (pre === "gpt-2" || patterns[pre])) {
    const pattern = patterns[pre];
    const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: pattern === undefined };
    return tokenizerFrom({
      ...common,
      normalizer: pre === "qwen2" ? { type: "NFC" } : null,
      pre_tokenizer: pattern === undefined ? bytes : { type: "Sequence", pretokenizers: [{ type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false }, bytes] },
      decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      model: { type: "BPE", dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false, ignore_merges: pre === "llama-bpe", vocab, merges: field("merges") as string[] },
    }, file);
  }
  if (model !== "llama") throw new Error(`tokenizer: ${file} holds one of kind ${String(model)}, ${pre} (known: gpt2 with gpt-2, ${Object.keys(patterns).join(", ")}, and llama; ${instead})`);
  const prefixed = field("add_space_prefix") !== false;
  return tokenizerFrom({
    ...common,
    normalizer: { type: "Sequence", normalizers: [...(prefixed ? [{ type: "Prepend", prepend: "▁" }] : []), { type: "Replace", pattern: { String: " " }, content: "▁" }] },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [{ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }, ...(prefixed ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : [])],
    },
    model: { type: "BPE", dropout: null, unk_token: tokens[Number(field("unknown_token_id") ?? 0)], fuse_unk: true, byte_fallback: true, vocab, merges: scoredMerges(tokens, field("scores") as number[]) },
  }, file);
}

/** The beginning-of-sequence token before every text. */
function beginning(token: string, id: number): object {
  return {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}

/** Sentencepiece merges the pair whose whole has the best score: as a list of merges, every way to make a token, best token first. */
function scoredMerges(tokens: readonly string[], scores: ArrayLike<number>): [string, string][] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: { pair: [string, string]; score: number; order: number }[] = [];
  tokens.forEach((token, id) => {
    const characters = [...token];
    for (let at = 1; at < characters.length; at++) {
      const pair: [string, string] = [characters.slice(0, at).join(""), characters.slice(at).join("")];
      const [left, right] = pair.map((part) => ids.get(part));
      if (left !== undefined && right !== undefined) merges.push({ pair, score: scores[id] ?? 0, order: left });
    }
  });
  return merges.sort((a, b) => b.score - a.score || a.order - b.order).map(({ pair }) => pair);
}
