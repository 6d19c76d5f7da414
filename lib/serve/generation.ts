import { checkPrompt } from "../checkpoint/validate.js";
import { resolveMethod } from "../methods/resolve.js";
import type { Method } from "../methods/method.js";
import type { Model, PrefillSettings } from "../runtime/model.js";
import type { Run } from "../runtime/run.js";
import { sampler, type Sampler } from "../runtime/sampler.js";
import { wrong } from "./api-error.js";
import { logProbs, type TokenLogProbs } from "./log-probs.js";
import type { SamplingRequest } from "./requests.js";
import { StopText } from "./stop-text.js";
import type { Steps } from "./steps.js";

/** What is asked of the model, made out of a request. */
export interface Asked {
  readonly method: Method;
  readonly settings: PrefillSettings;
  readonly maxTokens: number;
  readonly stops: readonly string[];
  readonly stopTokens: ReadonlySet<number>;
  /** Likeliest tokens to tell at each place; null: no log-probabilities. */
  readonly logprobs: number | null;
  readonly change: (logits: Float32Array, generated: readonly number[]) => Float32Array;
  readonly sampling: (choice: number) => Sampler;
}

/** A piece of an answer. */
export interface Piece {
  readonly text: string;
  /** Tokens that came since the last piece. */
  readonly tokens: readonly (TokenLogProbs | { readonly id: number })[];
}

export type FinishReason = "stop" | "length";

/** A seed's least and largest value here; the API takes any integer. */
const SEEDS = 2 ** 32;

/**
 * Reads a request's sampling and pruning.
 * @param defaults the server's own pruning @param longest tokens there is room for, used where the request names no number
 * @throws ApiError with the field that is wrong
 */
export function ask(model: Model, request: SamplingRequest, defaults: PrefillSettings, { maxTokens, logprobs, seed }: { maxTokens: number; logprobs: number | null; seed: number }): Asked {
  const { method, settings } = pruning(request, defaults);
  const { temperature, top_p, top_k, ignore_eos, stop, frequency_penalty: frequency, presence_penalty: presence } = request;
  const vocabulary = model.config.vocabSize;
  const bias = Object.entries(request.logit_bias ?? {}).map(([id, value]) => [Number(id), value] as const);
  for (const [id] of bias) if (id >= vocabulary) throw wrong(`logit_bias.${id}`, `is not in the vocabulary of ${vocabulary} tokens`);
  const options = { temperature: temperature ?? 1, ...(top_p != null && { topP: top_p }), ...(top_k != null && top_k > 0 && { topK: top_k }) };
  return {
    method,
    settings,
    maxTokens,
    stops: [stop ?? []].flat(),
    stopTokens: new Set(ignore_eos ? [] : model.config.eosTokenIds),
    logprobs,
    change: changes(bias, frequency ?? 0, presence ?? 0),
    sampling: (choice) => sampler({ ...options, seed: (((seed + choice) % SEEDS) + SEEDS) % SEEDS }),
  };
}

function pruning({ sdtp }: SamplingRequest, defaults: PrefillSettings): { method: Method; settings: PrefillSettings } {
  const { method: name, budget, scorer, kvPolicy } = sdtp ?? {};
  if (budget !== undefined && name === undefined) throw wrong("sdtp.budget", "is that of a method (give sdtp.method)");
  let method: Method;
  try {
    method = resolveMethod(name === undefined ? (defaults.preset ?? "baseline") : budget === undefined ? name : `${name}:${budget}`);
  } catch (error) {
    throw wrong("sdtp.method", (error as Error).message);
  }
  const settings = {
    preset: method,
    ...(scorer !== undefined ? { scorer } : defaults.scorer !== undefined && { scorer: defaults.scorer }),
    ...(kvPolicy !== undefined ? { kvPolicy } : defaults.kvPolicy !== undefined && { kvPolicy: defaults.kvPolicy }),
  };
  return { method, settings };
}

/** Penalties and biases, as the API defines them: on the logits, before the temperature. */
function changes(bias: readonly (readonly [number, number])[], frequency: number, presence: number): Asked["change"] {
  if (bias.length === 0 && frequency === 0 && presence === 0) return (logits) => logits;
  return (logits, generated) => {
    const changed = Float32Array.from(logits);
    const counts = new Map<number, number>();
    for (const id of generated) counts.set(id, (counts.get(id) ?? 0) + 1);
    for (const [id, count] of counts) changed[id]! -= count * frequency + presence;
    for (const [id, value] of bias) changed[id]! += value;
    return changed;
  };
}

/** @throws ApiError where a prompt, with what is to follow, is nothing for this model */
export function checkLength(model: Model, ids: readonly number[], maxTokens: number, param: string): void {
  try {
    checkPrompt(ids, maxTokens, model.config);
  } catch (error) {
    throw wrong(param, (error as Error).message);
  }
}

/** What one choice came to. */
export interface Ending {
  readonly reason: FinishReason;
  readonly tokens: number;
}

/**
 * Continues a run, token by token, and gives the text as it becomes certain. The token that ends it is not part of
 * the text, but of the log-probabilities: suites count on one more of them than the prompt has tokens. @returns how it ended
 */
export async function* continueRun(steps: Steps, run: Run, asked: Asked, choice: number, signal: AbortSignal): AsyncGenerator<Piece, Ending> {
  const tokenizer = await run.model!.tokenizer();
  const stream = tokenizer.decodeStream({ skipSpecialTokens: true });
  const text = new StopText(asked.stops);
  const choose = asked.sampling(choice);
  const generated: number[] = [];
  let pending: Piece["tokens"][number][] = [];
  while (generated.length < asked.maxTokens) {
    signal.throwIfAborted();
    const logits = asked.change(run.logits, generated);
    const id = choose(logits);
    pending.push(asked.logprobs === null ? { id } : logProbs(run.logits, id, asked.logprobs));
    generated.push(id);
    if (asked.stopTokens.has(id)) {
      yield { text: text.push(stream.end()) + text.end(), tokens: pending };
      return { reason: "stop", tokens: generated.length };
    }
    const piece = text.push(stream.push(id));
    if (text.stopped !== undefined) {
      yield { text: piece, tokens: pending };
      return { reason: "stop", tokens: generated.length };
    }
    if (piece !== "") {
      yield { text: piece, tokens: pending };
      pending = [];
    }
    // The last one is not looked at any more.
    if (generated.length < asked.maxTokens) await steps.extend(run, [id], signal);
  }
  const rest = text.push(stream.end());
  yield { text: rest + text.end(), tokens: pending };
  return { reason: text.stopped === undefined ? "length" : "stop", tokens: generated.length };
}
