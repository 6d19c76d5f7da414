/** The fields `tokenizer.ggml.…` of a GGUF file, checked against one another. */
export interface GgufVocabulary {
  readonly file: string;
  /** What to do where the tokenizer cannot be used. */
  readonly instead: string;
  /** Kind of tokenizer: gpt2, llama, t5, … */
  readonly model: string;
  /** How words are cut before merges apply. */
  readonly pre: string;
  readonly tokens: readonly string[];
  /** The same the other way round. */
  readonly ids: Readonly<Record<string, number>>;
  /** ggml's kind of each token. */
  readonly kinds: ArrayLike<number>;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unknown: number | undefined;
  readonly addBos: boolean | undefined;
  readonly addEos: boolean | undefined;
  /** A space before the text. */
  readonly spacePrefix: boolean | undefined;
  /** Runs of spaces become one. */
  readonly squeezesSpaces: boolean | undefined;
  /** sentencepiece's map of characters, base64. */
  readonly characterMap: string | null;
  readonly phi3: boolean;
  /** @throws where there are none */
  merges(): [string, string][];
  /** @throws where there are none, or not one for each token */
  scores(): ArrayLike<number>;
}

/** Ids that count where the file has none, as in llama.cpp. */
const usualIds: Readonly<Record<string, Readonly<Record<string, number>>>> = { llama: { bos: 1, eos: 2, unknown: 0 }, t5: { eos: 1, unknown: 2 } };

/** @throws an error that names the file, the field and what would be right */
export function readVocabulary(metadata: Readonly<Record<string, unknown>>, file: string): GgufVocabulary {
  const instead = "put the model's tokenizer.json beside the file, or give the prompt as token ids";
  const field = (name: string) => metadata[`tokenizer.ggml.${name}`];
  const fail = (name: string, right: string): never => {
    const value = field(name);
    const shown = value === undefined ? "missing" : ArrayBuffer.isView(value) || Array.isArray(value) ? `${(value as ArrayLike<unknown>).length} values` : JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? Number(each) : each)).slice(0, 80);
    throw new Error(`tokenizer: ${file}: tokenizer.ggml.${name}: ${shown} (${right})`);
  };
  const tokens = field("tokens");
  if (tokens === undefined) throw new Error(`tokenizer: ${file} holds none (${instead})`);
  if (!isStrings(tokens)) return fail("tokens", "must be a list of strings");
  const model = field("model");
  if (typeof model !== "string") return fail("model", "must be a string");
  const kinds = field("token_type") ?? [];
  if (!isNumbers(kinds) || (kinds.length !== 0 && kinds.length < tokens.length)) return fail("token_type", `must be ${tokens.length} integers, one a token`);
  const id = (name: "bos" | "eos" | "unknown"): number | undefined => {
    const value = Number(field(`${name}_token_id`) ?? usualIds[model]?.[name] ?? -1);
    if (value === -1 || !Number.isInteger(value) || value < 0) return undefined;
    return value < tokens.length ? value : field(`${name}_token_id`) === undefined ? undefined : fail(`${name}_token_id`, `must be below the number of tokens, ${tokens.length}`);
  };
  const flag = (name: string): boolean | undefined => {
    const value = field(name);
    return value === undefined || typeof value === "boolean" ? value : fail(name, "must be true or false");
  };
  const map = field("precompiled_charsmap");
  if (map !== undefined && !isNumbers(map)) fail("precompiled_charsmap", "must be bytes");
  const ids: Record<string, number> = Object.create(null) as Record<string, number>;
  for (const [at, token] of tokens.entries()) {
    if (token in ids) throw new Error(`tokenizer: ${file}: tokenizer.ggml.tokens: ${JSON.stringify(token)} has the ids ${ids[token]} and ${at} (must be there once)`);
    ids[token] = at;
  }
  return {
    file, instead, model, tokens, ids, kinds,
    pre: String(field("pre") ?? "default"),
    bos: id("bos"), eos: id("eos"), unknown: id("unknown"),
    addBos: flag("add_bos_token"), addEos: flag("add_eos_token"),
    spacePrefix: flag("add_space_prefix"), squeezesSpaces: flag("remove_extra_whitespaces"),
    characterMap: map === undefined || (map as ArrayLike<number>).length === 0 ? null : Buffer.from(Uint8Array.from(map as ArrayLike<number>)).toString("base64"),
    phi3: /phi-?3/i.test(String(metadata["general.name"] ?? "")),
    merges() {
      const merges = field("merges");
      if (!isStrings(merges)) return fail("merges", "must be a list of strings: this kind of tokenizer needs it");
      return merges.map((merge, at) => {
        // A token may begin with a space itself.
        const space = merge.indexOf(" ", 1);
        if (space < 0) throw new Error(`tokenizer: ${file}: tokenizer.ggml.merges[${at}]: ${JSON.stringify(merge)} (must be two tokens)`);
        return [merge.slice(0, space), merge.slice(space + 1)];
      });
    },
    scores() {
      const scores = field("scores");
      if (!isNumbers(scores) || scores.length < tokens.length) return fail("scores", `must be ${tokens.length} numbers, one a token: this kind of tokenizer needs it`);
      return scores;
    },
  };
}

const isStrings = (value: unknown): value is string[] => Array.isArray(value) && value.every((item) => typeof item === "string");
const isNumbers = (value: unknown): value is ArrayLike<number> =>
  (ArrayBuffer.isView(value) && !(value instanceof DataView) && !(value instanceof BigInt64Array) && !(value instanceof BigUint64Array)) || (Array.isArray(value) && value.every((item) => typeof item === "number"));
