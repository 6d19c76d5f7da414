import type { ChatTemplate } from "../../checkpoint/chat-template.js";
import type { Tokenizer } from "../../checkpoint/tokenizer.js";
import { parted, type QueryKind } from "../asked.js";
import { fill, type Dataset } from "./datasets.js";
import type { LongbenchRecord } from "./records.js";

export interface PromptFit {
  /** Tokens of the prompt at most, before a chat template is put around it. */
  readonly maxLength: number;
  /** Tokens that the model has room for. */
  readonly room: number;
  /** Puts the prompt as a user's message; null: as it is. */
  readonly chat: ChatTemplate | null;
  /** Default `aware`: all of it is the prompt. `agnostic`: what follows the context is parted off. */
  readonly query?: QueryKind;
}

/** A prompt in tokens, and what is appended to it once it is pruned. */
export interface LongbenchTokens {
  readonly prompt: number[];
  readonly question: number[];
}

/**
 * A record's prompt in tokens, as LongBench's pred.py makes it: one that is too long keeps its first and last half of the tokens as
 * text, without special tokens, which is cut into tokens again.
 * @throws where what follows the context does not fit into that half, and is to be parted off
 */
export function longbenchPrompt({ id, input, context }: Pick<LongbenchRecord, "input" | "context"> & { id?: string }, dataset: Dataset, tokenizer: Tokenizer, { maxLength, room, chat, query = "aware" }: PromptFit): LongbenchTokens {
  const asked = query === "agnostic" ? questionOf(dataset, input, context, id) : "";
  const prompt = context === null ? input : fill(dataset, context, input);
  const ids = tokenizer.encode(prompt);
  for (let most = maxLength; ; ) {
    const text = ids.length <= most ? prompt : middleCut(ids, most, tokenizer);
    const whole = chat === null ? tokenizer.encode(text) : tokenizer.encode(chat.render([{ role: "user", content: text }]), { addSpecialTokens: false });
    const parts = asked === "" ? { prompt: whole, question: [] } : inParts(text, asked, tokenizer, chat, id);
    const length = parts.prompt.length + parts.question.length;
    if (length <= room) return parts;
    // What the template adds, or what other cuts at the seam make more: so many fewer of the prompt itself.
    const next = Math.min(most, ids.length) - (length - room);
    if (next < 2) throw new Error(`longbench prompt: ${length} tokens with the chat template (at most ${room} in this model)`);
    most = next;
  }
}

/** What a data set's prompt has after the context. */
function questionOf({ template }: Dataset, input: string, context: string | null, id = ""): string {
  const rest = template.slice(template.indexOf("{context}") + "{context}".length);
  if (context === null || !template.includes("{context}") || rest.trim() === "") throw new Error(`longbench: ${id}: has no context apart from its question (measure with --query aware)`);
  return rest.replace("{input}", () => input);
}

function inParts(text: string, question: string, tokenizer: Tokenizer, chat: ChatTemplate | null, id = ""): LongbenchTokens {
  if (!text.endsWith(question)) throw new Error(`longbench: ${id}: its question is longer than half of the prompt (a longer --max-length, or --query aware)`);
  const { before, after } = parted(text.slice(0, -question.length), { question }, chat);
  return { prompt: tokenizer.encode(before, { addSpecialTokens: chat === null }), question: tokenizer.encode(after, { addSpecialTokens: false }) };
}

function middleCut(ids: readonly number[], length: number, tokenizer: Tokenizer): string {
  const half = Math.floor(length / 2);
  const text = (part: readonly number[]) => tokenizer.decode(part, { skipSpecialTokens: true });
  return text(ids.slice(0, half)) + text(ids.slice(ids.length - half));
}
