/**
 * Requests as the API describes them. What is not known is refused by its name: a sampling field that was silently
 * left out would give other numbers than those asked for. https://platform.openai.com/docs/api-reference
 */
import { z } from "zod";
import type { ChatMessage } from "../checkpoint/chat-template.js";
import { ApiError, wrong } from "./api-error.js";

/** Completions of one request at most. */
const MOST_CHOICES = 64;
const MOST_STOPS = 16;
const MOST_LOGPROBS = 20;

const id = z.number().int().nonnegative();
/** JSON has no largest integer: of those that a number here cannot tell apart, the nearest. */
const integer = z.number().refine(Number.isInteger, "must be an integer");

/** What is pruned, for one request; see `resolveMethod` for what `method` takes. */
const pruning = z.strictObject({
  method: z.string().optional(),
  /** Of a method that cuts down caches: the share of the prompt that stays, or above 1 a number of tokens. */
  budget: z.number().positive().optional(),
  scorer: z.string().optional(),
  kvPolicy: z.enum(["evict", "retain"]).optional(),
  /** Tokens at the prompt's start that are pruned; the rest is appended to what is kept of them. */
  context_tokens: z.number().int().positive().optional(),
  /** The same from its end: tokens that are not pruned. */
  tail_tokens: z.number().int().nonnegative().optional(),
});

const sampling = {
  model: z.string(),
  max_tokens: z.number().int().nonnegative().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  /** Not OpenAI's; -1: no limit. */
  top_k: z.number().int().min(-1).refine((k) => k !== 0, "must be positive, or -1 for no limit").nullish(),
  n: z.number().int().min(1).max(MOST_CHOICES).nullish(),
  seed: integer.nullish(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(MOST_STOPS)], `must be a string or at most ${MOST_STOPS} strings, none of them empty`).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z.record(z.string().regex(/^\d+$/, "keys must be token ids"), z.number().min(-100).max(100)).nullish(),
  /** Not OpenAI's: go on past end-of-sequence tokens. */
  ignore_eos: z.boolean().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() }).nullish(),
  user: z.string().nullish(),
  /** What follows is told for the API's own billing and safety, and changes no answer. */
  safety_identifier: z.string().nullish(),
  prompt_cache_key: z.string().nullish(),
  service_tier: z.string().nullish(),
  sdtp: pruning.nullish(),
};

const completion = z.strictObject({
  ...sampling,
  prompt: z.union([z.string(), z.array(z.string()).min(1), z.array(id).min(1), z.array(z.array(id).min(1)).min(1)], "must be a string, token ids, or a list of one of these, and not be empty"),
  echo: z.boolean().nullish(),
  logprobs: z.number().int().min(0).max(MOST_LOGPROBS).nullish(),
  best_of: z.number().int().nullish(),
  suffix: z.null("must be left out: the model continues texts, and fills nothing in").optional(),
});

const content = z.union([z.string(), z.array(z.strictObject({ type: z.literal("text"), text: z.string() }))], "must be a string, or parts of the form {type: \"text\", text}");
/** A message of a conversation; what else it has is the template's. */
export const message = z.looseObject({ role: z.string(), content: content.nullish() });

const chat = z.strictObject({
  ...sampling,
  messages: z.array(message).min(1),
  max_completion_tokens: z.number().int().nonnegative().nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(MOST_LOGPROBS).nullish(),
  tools: z.array(z.looseObject({})).nullish(),
  tool_choice: z.enum(["none", "auto"], "must be none or auto: the model is not forced to call a tool").nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: z.strictObject({ type: z.literal("text", "must be text: answers are not constrained") }).nullish(),
  modalities: z.array(z.literal("text", "must be text")).nullish(),
  /** Not OpenAI's: what the chat template knows besides the messages. */
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  store: z.boolean().nullish(),
});

export type CompletionRequest = z.infer<typeof completion>;
export type ChatRequest = z.infer<typeof chat>;
export type SamplingRequest = Pick<CompletionRequest, keyof typeof sampling>;

/** @throws {@link ApiError} with the field that is wrong */
export function completionRequest(body: unknown): CompletionRequest {
  const request = parse(completion, body);
  if (request.best_of != null && request.best_of !== (request.n ?? 1)) throw wrong("best_of", `${request.best_of} (must be n, or be left out: all that are generated are returned)`);
  return request;
}

/** @throws {@link ApiError} with the field that is wrong */
export function chatRequest(body: unknown): ChatRequest {
  const request = parse(chat, body);
  if (request.top_logprobs != null && !request.logprobs) throw wrong("top_logprobs", "needs logprobs: true");
  return request;
}

/** Messages as chat templates take them: parts of text joined. */
export function messagesOf(messages: readonly z.infer<typeof message>[]): ChatMessage[] {
  return messages.map((each) => ({ ...each, content: Array.isArray(each.content) ? each.content.map(({ text }) => text).join("") : (each.content ?? "") }));
}

/** @throws {@link ApiError} with the field that is wrong */
export function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const { success, data, error } = schema.safeParse(body);
  if (success) return data;
  const [issue] = error.issues;
  if (issue?.code === "unrecognized_keys") {
    const name = [...issue.path, issue.keys[0]].join(".");
    throw new ApiError(400, `Unrecognized request argument supplied: ${name}`, { param: name });
  }
  const param = issue?.path.join(".") || null;
  if (param === null) throw new ApiError(400, "the body must be a JSON object");
  throw wrong(param, issue?.code === "invalid_key" ? issue.issues[0]!.message : (issue?.message.replace(/^Invalid input: (expected .*), received undefined$/, "is missing ($1)") ?? "is wrong"));
}
