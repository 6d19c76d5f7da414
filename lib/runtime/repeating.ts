import { checkPrompt } from "../checkpoint/validate.js";
import type { Checkpoint } from "../checkpoint/types.js";
import type { Plan } from "../methods/plan/plan.js";

/** How a model is asked to repeat its prompt. */
export interface Repeating {
  /** Tokens at the prompt's start that are not repeated, a chat's system message: they score nothing. */
  readonly from: number;
  /** Ids that ask for each part, `[parts]`. */
  readonly requests: readonly (readonly number[])[];
}

/** Tokens of the part before that a request for the next one ends with. */
const REMINDER = 8;

/**
 * The requests of KVzip (kvpress 0.5.5): the whole context, or, where it is repeated in parts, each from the words on that the one before ended with; in the format of
 * the model's chat template, where it has one.
 * @throws where the model has no tokenizer, or no positions left for the repetition
 */
export async function repeating(checkpoint: Checkpoint, ids: readonly number[], { method }: Pick<Plan, "method">): Promise<Repeating | null> {
  const scoring = method.cache?.scoring;
  return scoring?.kind === "reconstruction" ? repetition(checkpoint, ids, scoring.chunk, `preset ${method.name}`) : null;
}

/** The same for parts of `chunk` tokens. @param label begins messages */
export async function repetition(checkpoint: Checkpoint, ids: readonly number[], chunk: number, label: string): Promise<Repeating> {
  const tokenizer = await checkpoint.tokenizer().catch((cause: unknown) => {
    throw new Error(`${label}: no tokenizer (the model is asked in words to repeat the prompt): ${(cause as Error).message}`, { cause });
  });
  const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
  const { prefix, suffix } = await surroundings(checkpoint);
  const [before, after] = [encode(prefix), encode(suffix)];
  const from = before.length < ids.length && before.every((id, i) => id === ids[i]) ? before.length : 0;
  const parts = Math.ceil((ids.length - from) / chunk);
  const requests = Array.from({ length: parts }, (_, part) => {
    if (part === 0) return [...encode("\n\nRepeat the previous context exactly."), ...after];
    const start = from + part * chunk;
    return [...encode("\n\nRepeat the part of the previous context exactly, starting with"), ...ids.slice(Math.max(from, start - REMINDER), start), ...after];
  });
  const most = ids.length + Math.max(...requests.map((request, part) => request.length + Math.min(chunk, ids.length - from - part * chunk)));
  if (most > checkpoint.config.maxPositions) throw new Error(`${label}: ${most} positions (a prompt of ${ids.length} tokens is repeated behind itself in parts of ${chunk}, and the model has ${checkpoint.config.maxPositions})`);
  requests.forEach((request) => checkPrompt(request, 0, checkpoint.config));
  return { from, requests };
}

/** What stands around a user's message. */
async function surroundings(checkpoint: Checkpoint): Promise<{ prefix: string; suffix: string }> {
  const template = await checkpoint.chatTemplate().catch(() => null);
  const [mark, end] = ["context", "\n#############"];
  const [front, suffix] = template?.render([{ role: "user", content: mark + end }]).split(end) ?? [];
  if (front === undefined || suffix === undefined || !front.includes(mark)) return { prefix: "", suffix: "\n" };
  return { prefix: front.slice(0, front.lastIndexOf(mark)), suffix };
}
