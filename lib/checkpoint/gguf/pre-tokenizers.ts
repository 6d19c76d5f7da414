/**
 * How the text is cut before merges apply, by the names that `tokenizer.ggml.pre` has (llama.cpp, src/llama-vocab.cpp). The steps are
 * those of the models' own tokenizer.json, not llama.cpp's versions of them: ids are to be the original's.
 */
export interface PreTokenization {
  readonly normalizer: object | null;
  readonly steps: readonly object[];
  /** A piece that is a token is that token, whatever the merges. */
  readonly wholeFirst?: boolean;
  /** bos is put in front unless the file says otherwise. */
  readonly addBos?: boolean;
}

const split = (pattern: string) => ({ type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false });
const bytes = (cuts: boolean) => ({ type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: cuts });
const digits = (each: boolean) => ({ type: "Digits", individual_digits: each });
const nfc = { type: "NFC" };
const by = (...patterns: string[]): PreTokenization => ({ normalizer: null, steps: [...patterns.map(split), bytes(false)] });

const endings = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const rest = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const words = `${endings}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+`;
const marks = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";
/** Capitals before small letters, letters without case and marks with either. */
const cased = (ending: string) =>
  `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+${ending}|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*${ending}`;
const cjk = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";
const deepseek3 = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*";
/** Letters with cases, as DeepSeek lists them. */
const latin =
  "\\s?[" +
  "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-" +
  "\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00" +
  "-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6" +
  "-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149" +
  "\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13" +
  "-\ufb17\uff21-\uff3a\uff41-\uff5a\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}\u{10c80}-\u{10cb2}\u{10cc0}-\u{10cf2}\u{118a0}-\u{118df}\u{1e900}-\u{1e943}" +
  "]+";

const llama3 = by(`${words}|\\p{N}{1,3}${marks}${rest}`);
const qwen2 = by(`${words}|\\p{N}${marks}${rest}`);
const gpt2: PreTokenization = { normalizer: null, steps: [bytes(true)] };
const singleDigits: PreTokenization = { normalizer: null, steps: [digits(true), bytes(true)] };
const gpt4o = by(`${cased(`${endings}?`)}|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*${rest}`);
const bloom = by(" ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+");
const deepseekV3 = by("\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", `${deepseek3}${rest}`);
const bailing = by(`'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+`);

/** What these have in common, under every name that stands for it. */
const named: readonly (readonly [PreTokenization, string])[] = [
  [{ ...llama3, wholeFirst: true, addBos: true }, "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2"],
  [llama3, "dbrx smaug-bpe glm4 chatglm-bpe"],
  [{ ...qwen2, normalizer: nfc }, "qwen2 deepseek-r1-qwen megrez kormo"],
  [qwen2, "stablelm2 hunyuan solar-open grok-2"],
  [{ ...by(`${endings}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*${rest}`), normalizer: nfc }, "qwen35"],
  [gpt2, "gpt-2 phi-2 gigachat a.x-4.0 mellum exaone4 jais trillion granite-docling"],
  [{ ...gpt2, normalizer: nfc }, "olmo mpt"],
  [singleDigits, "smollm starcoder refact codeshell minerva-7b mellum2 exaone"],
  [{ ...singleDigits, normalizer: nfc }, "command-r"],
  [gpt4o, "gpt-4o llama4 kanana2 talkie minimax-m2"],
  [{ ...by(`${cased("")}|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*${rest}`), wholeFirst: true, addBos: true }, "tekken"],
  [{ normalizer: null, steps: [...["[\\r\\n]", latin, "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", "\\s+$", cjk].map(split), digits(true), bytes(false)] }, "deepseek-llm"],
  [{ normalizer: null, steps: [...["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", cjk].map(split), digits(true), bytes(false)] }, "deepseek-coder"],
  [deepseekV3, "deepseek-v3 hunyuan-dense joyai-llm"],
  [bailing, "bailingmoe bailingmoe2 llada-moe"],
  [by(`${words}|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`), "seed-coder"],
  [bloom, "bloom poro-chat gpt3-finnish"],
  [{ ...bloom, steps: [bloom.steps[0]!, digits(true), bytes(false)] }, "viking"],
  // Punctuation runs, words, digits, then digits by threes.
  [{ normalizer: null, steps: [{ type: "Punctuation", behavior: "Contiguous" }, bytes(true), digits(false), split("[0-9][0-9][0-9]")] }, "falcon"],
  [{ ...by("\\p{N}{1,3}", `${words}|\\p{N}+${marks}${rest}`), wholeFirst: true }, "minicpm5"],
  // Where the file names none: what llama.cpp does then, as there is no original to go by.
  [by("[\\p{P}\\$\\+<=>\\^~\\|]+", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)", "\\p{N}+", "[0-9][0-9][0-9]"), "default"],
];

export const preTokenizations: ReadonlyMap<string, PreTokenization> = new Map(named.flatMap(([how, names]) => names.split(" ").map((name) => [name, how] as const)));
