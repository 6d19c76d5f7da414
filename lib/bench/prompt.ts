import { createHash } from "node:crypto";
import type { Checkpoint } from "../checkpoint/types.js";
import { readText } from "../files.js";
import { Random } from "../random.js";
import { shippedProse } from "./prose.js";

/** Token ids that prompts of all lengths begin with. */
export interface Prompt {
  /** Where it is from: a file's name, or what else. */
  readonly source: string;
  /** `[longest length]` */
  readonly ids: readonly number[];
  /** SHA-256 of the ids, hex. */
  readonly hash: string;
}

export interface PromptOptions {
  /** Text to take instead of the shipped prose. */
  readonly file?: string | undefined;
  /** Of the random ids for a model without a tokenizer. */
  readonly seed?: number;
}

/** A tokenizer rarely makes a token of more characters than this on average; where one does, more text is taken. */
const CHARACTERS_A_TOKEN = 8;

/**
 * The first `length` tokens of a text: the shipped public-domain prose, never trained on, or a file.
 * Synthetic weights have no tokenizer and get random ids.
 * @throws where the text is too short, or cannot be read
 */
export async function prompt(checkpoint: Checkpoint, length: number, { file, seed = 0 }: PromptOptions = {}): Promise<Prompt> {
  if (checkpoint.synthetic && file === undefined) {
    const random = new Random(seed);
    return withHash(`random ids, seed ${seed}`, Array.from({ length }, () => random.int(checkpoint.config.vocabSize)));
  }
  const tokenizer = await checkpoint.tokenizer();
  const text = file === undefined ? await shippedProse() : await readText("prompt file", file);
  for (let characters = length * CHARACTERS_A_TOKEN; ; characters *= 4) {
    // The cut may split a word: its last token is not taken then.
    const whole = characters >= text.length;
    const ids = tokenizer.encode(whole ? text : text.slice(0, characters));
    if (ids.length > length || (whole && ids.length === length)) return withHash(file ?? "shipped prose", ids.slice(0, length));
    if (whole) throw new Error(`prompt: ${file ?? "the shipped prose"} has ${ids.length} tokens (length ${length} needs as many; give a longer text with --prompt-file)`);
  }
}

function withHash(source: string, ids: readonly number[]): Prompt {
  return { source, ids, hash: createHash("sha256").update(JSON.stringify(ids)).digest("hex") };
}
