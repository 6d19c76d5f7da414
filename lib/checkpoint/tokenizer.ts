import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { DecodeStream } from "./decode-stream.js";
import { readJsonObject } from "./json.js";

export interface EncodeOptions {
  /** Add what the tokenizer's post-processor adds, such as a beginning-of-sequence token; default true. */
  readonly addSpecialTokens?: boolean;
}

export interface DecodeOptions {
  /** Leave out special tokens such as end-of-sequence; default false. */
  readonly skipSpecialTokens?: boolean;
}

/** Text <-> token ids. */
export interface Tokenizer {
  encode(text: string, options?: EncodeOptions): number[];
  /** Spaces are kept as they are: no clean-up. Ids beyond the tokenizer's vocabulary give no text, as a model's may be padded. */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** Decodes ids one at a time, giving text only when its UTF-8 is complete. */
  decodeStream(options?: DecodeOptions): DecodeStream;
  /** Largest id + 1, added tokens included. A model's own vocabulary may be padded beyond it. */
  readonly vocabSize: number;
  /** The vocabulary's string for an id (`ĠWorld`), or `<id 1234>` beyond the vocabulary. */
  token(id: number): string;
  /** The id of a vocabulary string, or undefined. */
  id(token: string): number | undefined;
}

/**
 * Loads tokenizer.json of a model folder, with tokenizer_config.json where present.
 * @throws an error that says what to do where there is none, and one that names the file where it cannot be read
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const file = join(folder, "tokenizer.json");
  if (!existsSync(file)) throw await missingTokenizer(folder);
  const definition = await readJsonObject(file);
  const configFile = join(folder, "tokenizer_config.json");
  const config = existsSync(configFile) ? await readJsonObject(configFile) : {};
  return tokenizerFrom(definition, file, config);
}

/**
 * @param definition as tokenizer.json has it @param file named in errors @param config as tokenizer_config.json has it
 * @throws where it is none
 */
export function tokenizerFrom(definition: object, file: string, config: object = {}): Tokenizer {
  try {
    return new JsonTokenizer(new HuggingFaceTokenizer({ added_tokens: [], ...definition }, config));
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message} (must be a tokenizer.json of Hugging Face tokenizers)`);
  }
}

async function missingTokenizer(folder: string): Promise<Error> {
  const files = await readdir(folder);
  const sources = ["tokenizer.model", "vocab.json", "spiece.model", "tekken.json"].filter((file) => files.includes(file));
  if (sources.length === 0) return new Error(`tokenizer: no tokenizer.json in ${folder} (add one, or give the prompt as token ids)`);
  const command = `python -c 'from transformers import AutoTokenizer as T; T.from_pretrained("${folder}").save_pretrained("${folder}")'`;
  return new Error(
    `tokenizer: ${folder} has only ${sources.join(", ")} (tokenizer.json is needed: ${command} writes one; or give the prompt as token ids)`,
  );
}

/** The part of the package's class that is used here; its own declarations do not resolve under `nodenext`. */
interface Inner {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[]; tokens: string[] };
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
  id_to_token(id: number): string | undefined;
  token_to_id(token: string): number | undefined;
  get_vocab(withAddedTokens: boolean): Map<string, number>;
}

class JsonTokenizer implements Tokenizer {
  readonly vocabSize: number;

  constructor(private readonly inner: Inner) {
    let largest = -1;
    for (const id of inner.get_vocab(true).values()) largest = Math.max(largest, id);
    this.vocabSize = largest + 1;
  }

  encode(text: string, { addSpecialTokens = true }: EncodeOptions = {}): number[] {
    const { ids, tokens } = this.inner.encode(text, { add_special_tokens: addSpecialTokens });
    const unknown = ids.findIndex((id) => !Number.isInteger(id));
    if (unknown >= 0) throw new Error(`text: ${JSON.stringify(tokens[unknown])} (not in the tokenizer's vocabulary, which has no unknown token)`);
    return ids;
  }

  decode(ids: readonly number[], { skipSpecialTokens = false }: DecodeOptions = {}): string {
    const known = ids.filter((id, position) => {
      if (!Number.isInteger(id) || id < 0) throw new Error(`token id: ${id} at position ${position} (must be an integer >= 0)`);
      return this.inner.id_to_token(id) !== undefined;
    });
    if (known.length === 0) return "";
    return this.inner.decode(known, { skip_special_tokens: skipSpecialTokens, clean_up_tokenization_spaces: false });
  }

  decodeStream(options?: DecodeOptions): DecodeStream {
    return new DecodeStream((ids) => this.decode(ids, options));
  }

  token(id: number): string {
    return this.inner.id_to_token(id) ?? `<id ${id}>`;
  }

  id(token: string): number | undefined {
    return this.inner.token_to_id(token);
  }
}
