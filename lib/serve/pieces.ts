/** Log-probabilities as the API writes them. */
import type { Tokenizer } from "../checkpoint/tokenizer.js";
import { byteOf } from "../checkpoint/tokenizer/byte-level.js";
import type { LogProb, TokenLogProbs } from "./log-probs.js";

/** A token by itself: bytes that are no text of their own are written as `bytes:\xe2\x82`, as the API does. */
export function tokenText(tokenizer: Tokenizer, id: number): string {
  const text = tokenizer.decode([id]);
  return text.includes("\ufffd") ? `bytes:${[...tokenBytes(tokenizer, id)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}` : text;
}

function tokenBytes(tokenizer: Tokenizer, id: number): Uint8Array {
  const token = tokenizer.token(id);
  const byte = /^<0x([0-9A-F]{2})>$/.exec(token)?.[1];
  if (byte !== undefined) return Uint8Array.of(parseInt(byte, 16));
  const bytes = [...token].map(byteOf);
  return bytes.every((each) => each !== undefined) ? Uint8Array.from(bytes as number[]) : Buffer.from(tokenizer.decode([id]));
}

/** `logprobs` of a completion. */
export interface CompletionLogProbs {
  tokens: string[];
  token_logprobs: (number | null)[];
  top_logprobs: (Record<string, number> | null)[];
  text_offset: number[];
}

/** @param offset characters of text before the first of these tokens */
export function completionLogProbs(tokenizer: Tokenizer, ids: readonly number[], found: readonly (TokenLogProbs | null)[], offset: number): CompletionLogProbs {
  const tokens = ids.map((id) => tokenText(tokenizer, id));
  let at = offset;
  const offsets = ids.map((id) => {
    const start = at;
    at += tokenizer.decode([id]).length;
    return start;
  });
  return {
    tokens,
    token_logprobs: found.map((each) => each && each.logprob),
    // The token that came is among them whatever its place is.
    top_logprobs: found.map((each) => each && Object.fromEntries([...each.top, ...(each.top.some(({ id }) => id === each.id) ? [] : [each])].map(({ id, logprob }) => [tokenText(tokenizer, id), logprob]))),
    text_offset: offsets,
  };
}

/** One entry of `logprobs.content` of a chat's answer. */
export function chatLogProb(tokenizer: Tokenizer, { id, logprob, top }: TokenLogProbs) {
  const entry = (each: LogProb) => ({ token: tokenText(tokenizer, each.id), logprob: each.logprob, bytes: [...tokenBytes(tokenizer, each.id)] });
  return { ...entry({ id, logprob }), top_logprobs: top.map(entry) };
}
