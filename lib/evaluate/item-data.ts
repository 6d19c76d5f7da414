// What prompts are made of, as plain data: a process with the same model makes the same items of it (remake.ts), and grades them the same way.
import { createHash } from "node:crypto";
import { z } from "zod";
import { gradingNames } from "./metrics.js";

const text = z.string();
const whole = z.number().int().min(0).max(2 ** 31);
const ids = z.array(whole);
const group = z.record(z.string(), z.union([z.string(), z.number()]));
const queryKind = z.enum(["aware", "agnostic"]);
/** The chat template's mark, where prompts are a user's message. */
const chat = text.nullable();

const turn = z.strictObject({
  question: text, answerPrefix: text.optional(), answers: z.array(text).min(1), choices: z.array(text).optional(),
  grading: z.enum(gradingNames), classes: z.array(text).optional(), maxNewTokens: whole.min(1), until: z.array(text).optional(),
});

/** A context and what is asked about it (asked.ts). */
const asked = z.strictObject({
  kind: z.literal("asked"), id: text, group, context: text, turns: z.array(turn).min(1), every: z.boolean(),
  chat, query: queryKind, turnKind: z.enum(["conversation", "requests"]).optional(), maxLength: whole.optional(), stopTokens: ids,
});

/** A record of LongBench (longbench/task.ts). */
const longbench = z.strictObject({
  kind: z.literal("longbench"),
  record: z.strictObject({ id: text, dataset: text.nullable(), input: text, context: text.nullable(), answers: z.array(text).min(1), classes: z.array(text), length: z.number().nullable() }),
  chat, query: queryKind, maxLength: whole, room: whole, maxNewTokens: whole.min(1), stopTokens: ids,
});

/** Prose and what follows it (perplexity.ts). */
const continuation = z.strictObject({ kind: z.literal("continuation"), id: text, group, promptIds: ids.min(1), after: ids.min(1) });

/** Prose with keys in it: the one that the prompt ends by asking for, or all, asked for after it (retrieval.ts). */
const keys = z.strictObject({
  kind: z.literal("keys"), id: text, group, promptIds: ids.min(1), ask: z.enum(["prompt", "after"]),
  facts: z.array(z.strictObject({ subject: text, answer: text, depth: z.number() })).min(1),
});

export const itemDataSchema = z.discriminatedUnion("kind", [asked, longbench, continuation, keys]);

/** One prompt as plain data. */
export type ItemData = z.infer<typeof itemDataSchema>;
export type AskedData = z.infer<typeof asked>;
export type LongbenchData = z.infer<typeof longbench>;
export type ContinuationData = z.infer<typeof continuation>;
export type KeysData = z.infer<typeof keys>;

/** Tells chat templates apart; null: prompts are put as they are. */
export function chatMark(template: { readonly source: string | undefined } | null): string | null {
  return template && createHash("sha256").update(template.source ?? "").digest("hex").slice(0, 16);
}

/** Tells prompts in tokens apart, and the tokens that are kept free for what follows. */
export function promptsMark(items: readonly { readonly promptIds: readonly number[]; readonly reserve: number }[]): string {
  const hash = createHash("sha256");
  for (const { promptIds, reserve } of items) hash.update(`${JSON.stringify(promptIds)} ${reserve}\n`);
  return hash.digest("hex");
}
