import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DecodeStream } from "./decode-stream.js";
import { Fields } from "./fields.js";
import { readJsonObject } from "./json.js";
import { Pipeline } from "./tokenizer/pipeline.js";
import type { PostProcessor } from "./tokenizer/post-processors.js";
import { surroundings } from "./tokenizer/surroundings.js";

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
 * @throws an error that names the file, the key and what would be right
 */
export function tokenizerFrom(definition: object, file: string, config: object = {}): Tokenizer {
  let pipeline: Pipeline;
  try {
    pipeline = new Pipeline(new Fields(definition as Record<string, unknown>, file), config as Record<string, unknown>);
  } catch (error) {
    if (error instanceof RangeError) throw new Error(`${file}: steps within steps too deep to be a tokenizer's (${error.message})`);
    throw error;
  }
  return new JsonTokenizer(pipeline, surroundings(config as Record<string, unknown>, pipeline));
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

class JsonTokenizer implements Tokenizer {
  readonly vocabSize: number;

  /** @param surround adds special tokens in place of what the file says; undefined: as it says */
  constructor(private readonly pipeline: Pipeline, private readonly surround: PostProcessor | undefined) {
    this.vocabSize = pipeline.largestId() + 1;
  }

  encode(text: string, { addSpecialTokens = true }: EncodeOptions = {}): number[] {
    return this.pipeline.encode(text, addSpecialTokens, this.surround);
  }

  decode(ids: readonly number[], { skipSpecialTokens = false }: DecodeOptions = {}): string {
    ids.forEach((id, position) => {
      if (!Number.isInteger(id) || id < 0) throw new Error(`token id: ${id} at position ${position} (must be an integer >= 0)`);
    });
    return this.pipeline.decode(ids, skipSpecialTokens);
  }

  decodeStream(options?: DecodeOptions): DecodeStream {
    return new DecodeStream((ids) => this.decode(ids, options));
  }

  token(id: number): string {
    return this.pipeline.token(id) ?? `<id ${id}>`;
  }

  id(token: string): number | undefined {
    return this.pipeline.id(token);
  }
}
