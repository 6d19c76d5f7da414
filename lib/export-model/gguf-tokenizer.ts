import { existsSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, readJsonObject } from "../checkpoint/json.js";
import { preTokenizations } from "../checkpoint/gguf/pre-tokenizers.js";
import type { Checkpoint } from "../checkpoint/types.js";
import type { GgufValue } from "./gguf-header.js";

/** The parts of tokenizer.json that matter here. */
interface Definition {
  readonly model: { readonly type: string; readonly vocab: Record<string, number>; readonly merges: readonly (string | readonly [string, string])[]; readonly byte_fallback?: boolean; readonly unk_token?: string | null };
  readonly added_tokens?: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
  readonly pre_tokenizer?: Step | null;
  readonly normalizer?: Step | null;
}
interface Step { readonly type: string; readonly pretokenizers?: readonly Step[]; readonly normalizers?: readonly Step[]; readonly pattern?: { readonly Regex?: string }; readonly use_regex?: boolean; readonly behavior?: string; readonly individual_digits?: boolean }

/** ggml's kinds of tokens. */
const [NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE] = [1, 2, 3, 4, 5, 6];

/**
 * A model's tokenizer as a GGUF file holds it. Byte-level BPE keeps its merges; sentencepiece BPE gets scores in the merges' order.
 * @throws on a kind that llama.cpp cannot be told of
 */
export async function tokenizerMetadata(checkpoint: Checkpoint): Promise<{ metadata: Record<string, GgufValue>; notes: string[] }> {
  const file = join(checkpoint.folder, "tokenizer.json");
  const { vocabSize, bosTokenId, eosTokenIds } = checkpoint.config;
  if (!existsSync(file)) throw new Error(`export: ${checkpoint.folder} has no tokenizer.json (a GGUF file holds its tokenizer)`);
  const definition = (await readJsonObject(file)) as unknown as Definition;
  const { model, added_tokens: added = [] } = definition;
  if (model?.type !== "BPE") throw new Error(`export: ${file}: tokenizer of kind ${model?.type} (supported: BPE, byte-level or as of sentencepiece)`);
  const merges = model.merges.map((pair) => (typeof pair === "string" ? pair : pair.join(" ")));
  const bytewise = !model.byte_fallback;
  const [tokens, kinds] = tokensOf(definition, vocabSize);
  const { pre, notes } = bytewise ? preTokenizer(definition, file) : { pre: "default", notes: [] };
  const id = (name: string, value: number | null | undefined) => (value === null || value === undefined ? {} : { [`tokenizer.ggml.${name}_token_id`]: { uint32: value } });
  const template = await checkpoint.chatTemplate().then(({ source }) => source ?? null, () => null);
  const addsBos = bosTokenId !== null && (await checkpoint.tokenizer()).encode("a")[0] === bosTokenId;
  return {
    notes,
    metadata: {
      "tokenizer.ggml.model": bytewise ? "gpt2" : "llama",
      "tokenizer.ggml.pre": pre,
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.token_type": { int32s: kinds },
      ...(bytewise ? { "tokenizer.ggml.merges": merges } : { "tokenizer.ggml.scores": { float32s: scores(tokens, merges) } }),
      ...id("bos", bosTokenId),
      ...id("eos", eosTokenIds[0]),
      ...id("eot", eosTokenIds[1]),
      ...id("unknown", model.unk_token ? model.vocab[model.unk_token] : null),
      "tokenizer.ggml.add_bos_token": addsBos,
      ...(!bytewise && { "tokenizer.ggml.add_space_prefix": JSON.stringify(definition.normalizer ?? null).includes('"Prepend"') }),
      ...(template !== null && { "tokenizer.chat_template": template }),
    },
  };

  function tokensOf({ model }: Definition, size: number): [string[], number[]] {
    const tokens = Array.from({ length: size }, (_, i) => `[PAD${i}]`);
    const kinds = new Array<number>(size).fill(UNUSED!);
    const put = (token: string, i: number, kind: number) => { if (i < size) [tokens[i], kinds[i]] = [token, kind]; };
    for (const [token, i] of Object.entries(model.vocab)) put(token, i, token === model.unk_token ? UNKNOWN! : model.byte_fallback && /^<0x[0-9A-F]{2}>$/.test(token) ? BYTE! : NORMAL!);
    for (const { id: i, content, special } of added) if (content !== model.unk_token) put(content, i, special ? CONTROL! : USER_DEFINED!);
    return [tokens, kinds];
  }
}

/** Sentencepiece merges the pair whose whole scores best: the earlier its merge, the better. */
function scores(tokens: readonly string[], merges: readonly string[]): number[] {
  const rank = new Map<string, number>();
  merges.forEach((pair, i) => {
    const whole = pair.replace(" ", "");
    if (!rank.has(whole)) rank.set(whole, i);
  });
  return tokens.map((token) => -(rank.get(token) ?? merges.length));
}

/** English contractions, which cut patterns write in several ways. */
const contractions = /^(\(\?i:'s[^)]*\)|'\(\?:[^)]*\)|\(\?i:[^)]*\)|'\(\?i:[^)]*\))\|/;

/** The name by which llama.cpp knows how words are cut before merges apply. @throws where it knows none like it */
function preTokenizer({ pre_tokenizer: step, normalizer }: Definition, file: string): { pre: string; notes: string[] } {
  const steps = step?.type === "Sequence" ? (step.pretokenizers ?? []) : step ? [step] : [];
  const named = (change = (pattern: string) => pattern) => {
    const wanted = cuts(steps, change);
    const alike = [...preTokenizations].filter(([name, { steps: theirs }]) => name !== "default" && cuts(theirs as Step[], change) === wanted);
    return alike.find(([, { normalizer: theirs }]) => canonicalJson(theirs) === canonicalJson(normalizer ?? null))?.[0] ?? alike[0]?.[0];
  };
  const same = named();
  if (same !== undefined) return { pre: same, notes: [] };
  const alike = named((pattern) => pattern.replace(contractions, ""));
  if (alike === undefined) throw new Error(`export: ${file}: words are cut by ${JSON.stringify(step).slice(0, 200)} (supported: as llama.cpp's ${[...preTokenizations.keys()].join(", ")} do)`);
  return { pre: alike, notes: [`llama.cpp cuts words as ${alike} does, this tokenizer contractions in another way: 'LL and the like may become other tokens there`] };
}

/** What of the steps decides where words end, as text. */
function cuts(steps: readonly Step[], change: (pattern: string) => string): string {
  return canonicalJson(steps.map(({ type, pattern, behavior, individual_digits: each, use_regex: own }) => {
    if (type === "ByteLevel") return { type, own: own !== false };
    if (type === "Split") return { type, pattern: change(pattern?.Regex ?? ""), behavior };
    return { type, behavior, each };
  }));
}
