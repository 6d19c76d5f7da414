import { Fields } from "../fields.js";
import { AddedTokens } from "./added-tokens.js";
import { Bpe } from "./bpe.js";
import { readDecoder, type Decoder } from "./decoders.js";
import type { Model } from "./model.js";
import { readNormalizer } from "./normalizers.js";
import { withNamedTokens } from "./named-tokens.js";
import type { Normalizer, PreTokenizer } from "./pieces.js";
import { readPostProcessor, type PostProcessor } from "./post-processors.js";
import { readPreTokenizer } from "./pre-tokenizers.js";
import { Unigram } from "./unigram.js";
import { WordLevel, WordPiece } from "./word-models.js";

/**
 * A tokenizer.json at work, step by step as the tokenizers library takes them: added tokens, normalizer, added tokens again,
 * pre-tokenizer, model, post-processor. Truncation and padding that the file may ask for are left out, as transformers leaves them.
 */
export class Pipeline {
  private readonly normalizer: Normalizer | null;
  private readonly preTokenizer: PreTokenizer | null;
  private readonly model: Model;
  private readonly postProcessor: PostProcessor | null;
  private readonly decoder: Decoder | null;
  private readonly added: AddedTokens;
  private readonly tokens: ReadonlyMap<number, string>;

  /** @param definition what tokenizer.json holds @param config what tokenizer_config.json holds @throws an error that names the file, the key and what would be right */
  constructor(definition: Fields, config: Readonly<Record<string, unknown>> = {}) {
    const optional = <T>(name: string, read: (step: Fields) => T): T | null => {
      const step = definition.object(name);
      return step ? read(step) : null;
    };
    this.normalizer = optional("normalizer", readNormalizer);
    this.preTokenizer = optional("pre_tokenizer", readPreTokenizer);
    this.postProcessor = optional("post_processor", readPostProcessor);
    this.decoder = optional("decoder", readDecoder);
    this.model = readModel(definition);
    const { vocabulary } = this.model;
    this.tokens = new Map(Array.from(vocabulary, ([token, id]) => [id, token]));
    const added = definition.has("added_tokens") ? definition.raw("added_tokens") : [];
    const joinedTokens = Array.isArray(added) ? withNamedTokens(added, config, (token) => vocabulary.has(token)) : added;
    this.added = new AddedTokens(definition.overlaid(new Fields({ added_tokens: joinedTokens }, definition.file)).list("added_tokens"), this.normalizer, (token) => vocabulary.get(token), vocabulary.size);
  }

  /** @param surround adds special tokens in place of the file's own post-processor */
  encode(text: string, addSpecialTokens: boolean, surround: PostProcessor | null = this.postProcessor): number[] {
    const ids: number[] = [];
    for (const found of this.added.extract(wellFormed(text), this.normalizer)) {
      if (typeof found === "number") ids.push(found);
      else for (const piece of this.preTokenizer ? this.preTokenizer(found) : [found]) for (const id of this.model.encode(piece.text)) ids.push(id);
    }
    return surround ? joined(surround([ids], addSpecialTokens)) : ids;
  }

  /** Whether the file's own post-processor puts anything around a text. */
  addsSpecialTokens(): boolean {
    return this.postProcessor !== null && joined(this.postProcessor([[]], true)).length > 0;
  }

  /** Ids that are none give no text. */
  decode(ids: readonly number[], skipSpecialTokens: boolean): string {
    const tokens = ids.flatMap((id) => {
      const token = this.added.matched(id) ?? this.tokens.get(id);
      return token === undefined || (skipSpecialTokens && this.added.isSpecial(token)) ? [] : [token];
    });
    return this.decoder ? this.decoder(tokens).join("") : tokens.join(" ");
  }

  token(id: number): string | undefined {
    return this.added.content(id) ?? this.tokens.get(id);
  }

  id(token: string): number | undefined {
    return this.added.id(token) ?? this.model.vocabulary.get(token);
  }

  largestId(): number {
    let largest = -1;
    for (const id of this.tokens.keys()) largest = Math.max(largest, id);
    for (const id of this.added.ids()) largest = Math.max(largest, id);
    return largest;
  }
}

const models = { BPE: Bpe, WordPiece, WordLevel, Unigram };

function readModel(definition: Fields): Model {
  const fields = definition.object("model");
  if (!fields) throw definition.error("model", "must be an object");
  // Old files do not say which one it is.
  const guessed = Array.isArray(fields.raw("vocab")) ? "Unigram" : fields.has("merges") ? "BPE" : fields.has("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
  return new models[fields.choice("type", ["BPE", "WordPiece", "WordLevel", "Unigram"], guessed)](fields);
}

function joined(stretches: readonly (readonly number[])[]): number[] {
  return stretches.length === 1 ? (stretches[0] as number[]) : stretches.flat();
}

/** Halves of surrogate pairs that stand alone are no text: U+FFFD, as everywhere in UTF-8. */
function wellFormed(text: string): string {
  return /\p{Surrogate}/u.test(text) ? text.replace(/\p{Surrogate}/gu, "\ufffd") : text;
}
