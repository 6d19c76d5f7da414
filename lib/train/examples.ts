import { createHash } from "node:crypto";
import { readText } from "../files.js";
import type { ChatTemplate } from "../checkpoint/chat-template.js";
import type { Tokenizer } from "../checkpoint/tokenizer.js";

/** A text in two parts: a prompt, which may be pruned, and the response, which is what the model is to say then. */
export interface Example {
  /** Token ids of the prompt and the response, `[n]`. */
  readonly ids: readonly number[];
  /** How many of them are the prompt's; at least one, and fewer than all. */
  readonly promptLength: number;
}

export interface ExampleOptions {
  /** Tokens of an example at most; default 512. */
  readonly length?: number;
  /** Read this many examples at most. */
  readonly limit?: number;
  /** Puts prompts as a user's message; default: as they are. */
  readonly chat?: ChatTemplate | null;
}

const DEFAULT_LENGTH = 512;
/** Of a window of plain text, the share that is taken for the response. */
const CONTINUATION_SHARE = 8;

/**
 * Reads examples from files, in order. `.jsonl`, `.ndjson` and `.json` hold one object a line: `prompt` and `response`, or
 * the fields of dolly-15k (`instruction`, `context`, `response`; the prompt is the context, a blank line, the instruction,
 * a blank line); `plain: true` keeps a prompt out of the chat template. Any other file is plain text: windows of `length` tokens whose last eighth is the response.
 * A text that is too long loses the end of its response, down to half of `length`, and then the middle of its prompt.
 * @throws an error that names file, line and field
 */
export async function readExamples(files: readonly string[], tokenizer: Tokenizer, options: ExampleOptions = {}): Promise<Example[]> {
  const { length = DEFAULT_LENGTH, limit = Infinity, chat = null } = options;
  if (!Number.isSafeInteger(length) || length < 8) throw new Error(`example length: ${length} (must be an integer of at least 8)`);
  const examples: Example[] = [];
  for (const file of files) {
    if (examples.length >= limit) break;
    const text = await readText("data file", file);
    const found = /\.(jsonl|ndjson|json)$/.test(file) ? fromLines(text, file, tokenizer, length, chat) : fromText(text, tokenizer, length);
    for (const example of found) if (examples.length < limit) examples.push(example);
      else break;
  }
  if (examples.length === 0) throw new Error(`data: ${files.join(", ")} (no examples in it)`);
  return examples;
}

/** Tells data apart: SHA-256 (hex) over all ids and prompt lengths. */
export function hashExamples(examples: readonly Example[]): string {
  const hash = createHash("sha256");
  for (const { ids, promptLength } of examples) hash.update(`${promptLength}:${ids.join(",")}\n`);
  return hash.digest("hex");
}

function* fromLines(text: string, file: string, tokenizer: Tokenizer, length: number, chat: ChatTemplate | null): Generator<Example> {
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const where = `${file}, line ${index + 1}`;
    let record: unknown;
    try {
      record = JSON.parse(line);
    } catch (error) {
      throw new Error(`${where}: not JSON: ${(error as Error).message}`);
    }
    yield toExample(parts(record, where), tokenizer, length, { where: `${where}: `, chat });
  }
}

/** A prompt and its response as text. */
export interface ExampleText {
  readonly prompt: string;
  readonly response: string;
  /** Never put as a user's message. */
  readonly plain?: boolean;
}

/**
 * One text as an example of at most `length` tokens, cut as `readExamples` says. Special tokens go before the prompt only, or where the chat template puts them.
 * @throws on an empty prompt or response; `where` begins the message
 */
export function toExample({ prompt, response, plain = false }: ExampleText, tokenizer: Tokenizer, length: number, { where = "", chat = null }: { where?: string; chat?: ChatTemplate | null } = {}): Example {
  const promptIds = chat && !plain && prompt !== "" ? tokenizer.encode(chat.render([{ role: "user", content: prompt }]), { addSpecialTokens: false }) : tokenizer.encode(prompt);
  const responseIds = tokenizer.encode(response, { addSpecialTokens: false });
  if (promptIds.length === 0) throw new Error(`${where}prompt: "" (must hold at least one token)`);
  if (responseIds.length === 0) throw new Error(`${where}response: "" (must hold at least one token)`);
  return fit(promptIds, responseIds, length);
}

function parts(record: unknown, where: string): ExampleText {
  if (typeof record !== "object" || record === null) throw new Error(`${where}: not a JSON object`);
  const fields = record as Record<string, unknown>;
  const text = (name: string, fallback?: string): string => {
    const value = fields[name] ?? fallback;
    if (typeof value !== "string") throw new Error(`${where}: ${name}: ${JSON.stringify(value) ?? "missing"} (must be a string; needed are prompt and response, or instruction and response)`);
    return value;
  };
  const response = text("response");
  if (fields["prompt"] === undefined && fields["instruction"] !== undefined) {
    const context = text("context", "");
    return { prompt: `${context ? `${context}\n\n` : ""}${text("instruction")}\n\n`, response };
  }
  const { plain = false } = fields;
  if (typeof plain !== "boolean") throw new Error(`${where}: plain: ${JSON.stringify(plain)} (must be true or false)`);
  return { prompt: text("prompt"), response, plain };
}

function fit(prompt: readonly number[], response: readonly number[], length: number): Example {
  const over = prompt.length + response.length - length;
  if (over <= 0) return { ids: [...prompt, ...response], promptLength: prompt.length };
  const responseLength = Math.max(Math.min(response.length, length >> 1), length - prompt.length);
  const promptLength = length - responseLength;
  return { ids: [...cutMiddle(prompt, promptLength), ...response.slice(0, responseLength)], promptLength };
}

/** The first and the last tokens, `length` in all. */
export function cutMiddle(ids: readonly number[], length: number): number[] {
  if (ids.length <= length) return [...ids];
  const front = Math.ceil(length / 2);
  return [...ids.slice(0, front), ...ids.slice(ids.length - (length - front))];
}

function* fromText(text: string, tokenizer: Tokenizer, length: number): Generator<Example> {
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  const response = Math.floor(length / CONTINUATION_SHARE);
  for (let start = 0; start + length <= ids.length; start += length) {
    yield { ids: ids.slice(start, start + length), promptLength: length - response };
  }
}
