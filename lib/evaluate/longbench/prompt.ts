import type { ChatTemplate } from "../../checkpoint/chat-template.js";
import type { Tokenizer } from "../../checkpoint/tokenizer.js";
import { fill, type Dataset } from "./datasets.js";
import type { LongbenchRecord } from "./records.js";

export interface PromptFit {
  /** Tokens of the prompt at most, before a chat template is put around it. */
  readonly maxLength: number;
  /** Tokens that the model has room for. */
  readonly room: number;
  /** Puts the prompt as a user's message; null: as it is. */
  readonly chat: ChatTemplate | null;
}

/**
 * A record's prompt in tokens, as LongBench's pred.py makes it: one that is too long keeps its first and last half of the tokens as
 * text, without special tokens, which is cut into tokens again.
 */
export function longbenchPrompt({ input, context }: LongbenchRecord, dataset: Dataset, tokenizer: Tokenizer, { maxLength, room, chat }: PromptFit): number[] {
  const prompt = context === null ? input : fill(dataset, context, input);
  const ids = tokenizer.encode(prompt);
  for (let most = maxLength; ; ) {
    const text = ids.length <= most ? prompt : middleCut(ids, most, tokenizer);
    const whole = chat === null ? tokenizer.encode(text) : tokenizer.encode(chat.render([{ role: "user", content: text }]), { addSpecialTokens: false });
    if (whole.length <= room) return whole;
    // What the template adds, or what other cuts at the seam make more: so many fewer of the prompt itself.
    const next = Math.min(most, ids.length) - (whole.length - room);
    if (next < 2) throw new Error(`longbench prompt: ${whole.length} tokens with the chat template (at most ${room} in this model)`);
    most = next;
  }
}

function middleCut(ids: readonly number[], length: number, tokenizer: Tokenizer): string {
  const half = Math.floor(length / 2);
  const text = (part: readonly number[]) => tokenizer.decode(part, { skipSpecialTokens: true });
  return text(ids.slice(0, half)) + text(ids.slice(ids.length - half));
}
