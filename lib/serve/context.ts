import type { ChatMessage } from "../checkpoint/chat-template.js";
import type { Method } from "../methods/method.js";
import { chatPrompt, type ChatOptions } from "../runtime/chat.js";
import type { Model } from "../runtime/model.js";
import { wrong } from "./api-error.js";
import type { SamplingRequest } from "./requests.js";

/** What a server says of it where a request says nothing. */
export interface ContextDefaults {
  /** Tokens at a prompt's end that are not pruned. */
  readonly tailTokens?: number;
  /** Tokens that are pruned as one at most. */
  readonly maxPrunedTokens?: number;
}

/**
 * How many tokens at the start of a prompt are pruned as one, the rest being appended, unpruned, to what is kept of them: what the request says, else the
 * server, else up to a chat's first answer, else all. It depends on the request alone, never on what happens to be cached: a request has the same answer
 * whatever came before it. 0: the method prunes nothing.
 * @param n tokens of the prompt @param opening those of a chat before its first answer; null: none
 * @throws ApiError with the field that is wrong
 */
export function contextOf(model: Model, method: Method, n: number, request: Pick<SamplingRequest, "sdtp">, defaults: ContextDefaults, opening: number | null): number {
  const { context_tokens: context, tail_tokens: tail } = request.sdtp ?? {};
  if (context !== undefined && tail !== undefined) throw wrong("sdtp.tail_tokens", "says what sdtp.context_tokens says already (give one of them)");
  if (context !== undefined && context > n) throw wrong("sdtp.context_tokens", `${context} (the prompt has ${n} tokens)`);
  if (!prunes(model, method, n)) return 0;
  const kept = tail ?? (context === undefined ? defaults.tailTokens : undefined);
  const pruned = context ?? (kept === undefined ? (opening ?? n) : Math.max(1, n - kept));
  if (pruned > (defaults.maxPrunedTokens ?? Infinity)) {
    throw wrong(context !== undefined ? "sdtp.context_tokens" : "messages" in request ? "messages" : "prompt", `${pruned} tokens to be pruned by ${method.name} (they are computed in one run that all others wait for; this server takes at most ${defaults.maxPrunedTokens})`);
  }
  return pruned;
}

/** Whether a method does anything to prompts. */
function prunes(model: Model, method: Method, n: number): boolean {
  try {
    const { stages, cache, decoding } = model.plan(n, { preset: method });
    return stages.length > 0 || cache !== null || decoding !== null;
  } catch {
    // What is wrong with it is told where the prompt is computed.
    return true;
  }
}

/** Tokens of a chat's first prompt, up to its first answer, where the whole conversation begins with them; null: there is no answer yet, or the template writes them otherwise then. */
export async function opening(model: Model, messages: readonly ChatMessage[], template: Pick<ChatOptions, "template" | "templateVariables">, ids: readonly number[]): Promise<number | null> {
  const first = messages.findIndex(({ role }) => role === "assistant");
  if (first < 1) return null;
  const asked = await chatPrompt(model, messages.slice(0, first), template).catch(() => null);
  return asked && asked.ids.length < ids.length && asked.ids.every((id, i) => id === ids[i]) ? asked.ids.length : null;
}
