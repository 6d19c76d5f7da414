import { tokenText } from "./token-text.js";

interface Added {
  readonly content: string;
  readonly special?: boolean;
}

/**
 * tokenizer.json's added tokens and those that tokenizer_config.json has beside them, as transformers joins them: `added_tokens_decoder`,
 * then bos, eos, pad and the like and the lists of further special tokens, which are special whatever tokenizer.json says.
 * A name for a token that the vocabulary does not have adds none: the model could do nothing with it.
 */
export function withNamedTokens(added: readonly unknown[], config: Readonly<Record<string, unknown>>, vocabulary: (token: string) => boolean): unknown[] {
  const all = new Map<string, Added>();
  const unnamed: unknown[] = [];
  for (const token of added) {
    const content = (token as Partial<Added> | null)?.content;
    if (typeof content === "string") all.set(content, token as Added);
    else unnamed.push(token);
  }
  const decoder = config["added_tokens_decoder"];
  if (typeof decoder === "object" && decoder !== null) {
    for (const [, token] of Object.entries(decoder).sort(([a], [b]) => Number(a) - Number(b))) {
      const content = tokenText(token);
      if (content !== undefined && !all.has(content)) all.set(content, token as Added);
    }
  }
  const lists = ["additional_special_tokens", "extra_special_tokens"].flatMap((name) => (Array.isArray(config[name]) ? (config[name] as unknown[]) : []));
  for (const token of [...["bos", "eos", "unk", "sep", "pad", "cls", "mask"].map((name) => config[`${name}_token`]), ...lists]) {
    const content = tokenText(token);
    if (content === undefined || content === "") continue;
    const known = all.get(content);
    if (known) all.set(content, { ...known, special: true });
    else if (vocabulary(content)) all.set(content, typeof token === "string" ? { content, special: true } : { ...(token as Added), special: true });
  }
  return [...unnamed, ...all.values()];
}
