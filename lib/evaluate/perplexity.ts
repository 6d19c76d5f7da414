import { createHash } from "node:crypto";
import type { Tokenizer } from "../checkpoint/tokenizer.js";
import { forcedLosses, mean } from "./forced.js";
import type { ContinuationData } from "./item-data.js";
import type { EvaluationItem, EvaluationTask } from "./task.js";

export interface PerplexityOptions {
  /** Text that the model has not been trained on. */
  readonly text: string;
  /** Prompt lengths in tokens. */
  readonly lengths: readonly number[];
  /** Tokens of the continuation, default 128. */
  readonly continuation?: number;
  /** Places of the text for each length, spread evenly over it; default 32. */
  readonly samples?: number;
}

/**
 * Loss of a continuation after a pruned prompt: what pruning costs where nothing is asked for. The metric is `loss`, nats a
 * token; perplexity is its exponential.
 * @throws where the text is too short
 */
export function perplexityTask(tokenizer: Tokenizer, { text, lengths, continuation = 128, samples = 32 }: PerplexityOptions): EvaluationTask {
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  const items = lengths.flatMap((length) => {
    const room = ids.length - length - continuation;
    if (room < 0) throw new Error(`text: ${ids.length} tokens (a prompt of ${length} and its continuation take ${length + continuation})`);
    return Array.from({ length: samples }, (_, i): EvaluationItem => {
      const start = samples === 1 ? 0 : Math.round((i * room) / (samples - 1));
      const after = ids.slice(start + length, start + length + continuation);
      return continuationItem({ kind: "continuation", id: `${length}/${i}`, group: { length }, promptIds: ids.slice(start, start + length), after });
    });
  });
  return { name: "perplexity", settings: { lengths, continuation, samples, text: textMark(text) }, metric: "loss", better: "lower", items };
}

/** A prompt and what follows it. */
export function continuationItem(data: ContinuationData): EvaluationItem {
  const { id, group, promptIds, after } = data;
  return {
    id, group, promptIds, reserve: after.length, data,
    async grade(run) {
      const started = performance.now();
      const losses = await forcedLosses(run, after);
      return { metrics: { loss: mean(losses) }, decodeSeconds: (performance.now() - started) / 1e3, decodedTokens: after.length - 1 };
    },
  };
}

/** Tells texts apart in results. */
export const textMark = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);
