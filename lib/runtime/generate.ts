import { ambientSignal } from "../ambient-signal.js";
import { checkPrompt } from "../checkpoint/validate.js";
import type { PromptModel, Run } from "./run.js";
import { sampler, type SamplingOptions } from "./sampler.js";
import type { PrefillSettings } from "./settings.js";

export interface GenerateOptions extends SamplingOptions {
  /** Tokens to generate at most; default 128. */
  readonly maxNewTokens?: number;
  /** Ids that end generation (they are given out too); default: the model's end-of-sequence tokens. */
  readonly stopTokens?: readonly number[];
  /** Generate exactly `maxNewTokens`, whatever comes. */
  readonly fixedLength?: boolean;
  /** Stops in the middle of a prompt as `prefill` says, and between two tokens. */
  readonly signal?: AbortSignal;
}

export interface GeneratedToken {
  readonly id: number;
  /** Seconds of the decode step that followed this token: its run and the update of the cache. With CUDA, where one run generates several tokens, their mean. */
  readonly seconds: number;
}

/**
 * Continues a prefilled run, a token at a time. The run's cache grows: fork it first to keep it.
 * Every token given out, the last included, has been decoded (so 128 tokens are 128 decode steps).
 * @throws on sampling values out of range, or where the model's positions end; AbortError on `signal`
 * @example
 * const run = await model.prefill(ids, { preset: "keep07", reserve: 32 });
 * for await (const token of sdtp.decode(run, { maxNewTokens: 32, stopTokens: model.config.eosTokenIds })) console.log(token);
 */
export async function* decode(run: Run, options: GenerateOptions & { stopTokens: readonly number[] }): AsyncGenerator<GeneratedToken> {
  const { maxNewTokens = 128, stopTokens, fixedLength = false, signal = ambientSignal() } = options;
  const choose = sampler(options);
  const stops = new Set(fixedLength ? [] : stopTokens);
  for (let count = 0; count < maxNewTokens; count++) {
    signal?.throwIfAborted();
    if (!options.temperature) {
      const started = performance.now();
      const tokens = await run.loop(maxNewTokens - count, [...stops]);
      if (tokens) {
        const seconds = (performance.now() - started) / 1e3 / tokens.length;
        for (const id of tokens) yield { id, seconds };
        if (stops.has(tokens.at(-1)!)) return;
        count += tokens.length - 1;
        continue;
      }
    }
    const id = choose(run.logits);
    const started = performance.now();
    await run.extend([id]);
    yield { id, seconds: (performance.now() - started) / 1e3 };
    if (stops.has(id)) return;
  }
}

export interface Generation {
  /** Ids of the new tokens. */
  readonly ids: number[];
  /** The run, its cache grown by the new tokens. */
  readonly run: Run;
  readonly prefillSeconds: number;
  /** Seconds of each decode step. */
  readonly tokenSeconds: number[];
}

/**
 * Prefills a prompt and decodes to the end.
 * @example
 * const { ids: answer, run } = await sdtp.generate(model, ids, { preset: "keep07", maxNewTokens: 32 });
 * (await model.tokenizer()).decode(answer)
 */
export async function generate(model: Pick<PromptModel, "config" | "prefill">, prompt: readonly number[], options: GenerateOptions & PrefillSettings = {}): Promise<Generation> {
  const { maxNewTokens = 128, stopTokens = model.config.eosTokenIds } = options;
  checkPrompt(prompt, maxNewTokens, model.config);
  sampler(options);
  const run = await model.prefill(prompt, { reserve: maxNewTokens, ...options });
  const tokens: GeneratedToken[] = [];
  for await (const token of decode(run, { ...options, stopTokens })) tokens.push(token);
  return { ids: tokens.map(({ id }) => id), run, prefillSeconds: run.prefillSeconds, tokenSeconds: tokens.map(({ seconds }) => seconds) };
}
