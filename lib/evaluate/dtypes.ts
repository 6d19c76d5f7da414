import { ambientSignal } from "../ambient-signal.js";
import { median } from "../bench/statistics.js";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import { totalBytes } from "../checkpoint/sizes.js";
import type { Model } from "../runtime/model.js";
import { forcedLosses, mean } from "./forced.js";
import { askPassKey } from "./pass-key.js";
import { weightError } from "./weight-error.js";

/** How a model is held. */
export interface HeldAs {
  /** As `load` takes it (`stored`: without loss); undefined: as it does by default. */
  readonly dtype: string | undefined;
  readonly kvDtype: KvDtype;
}

export interface DtypesOptions {
  /** Prose the model has not been trained on. */
  readonly text: string;
  /** Tokens of each prompt. */
  readonly length: number;
  /** Prompts of each kind. */
  readonly prompts: number;
  readonly seed: number;
  readonly onProgress?: (share: number, label: string) => void;
  readonly signal?: AbortSignal;
}

/** A model in one dtype: what it can do, what it takes, how long it takes. */
export interface DtypeRow {
  readonly dtype: string;
  readonly kv_dtype: KvDtype;
  readonly length: number;
  readonly prompts: number;
  /** Mean loss in nats of the 128 tokens after a prompt of prose, one number a prompt; every one is predicted from the cache. */
  readonly losses: readonly number[];
  readonly perplexity: number;
  /** Pass keys found wholly right, of as many prompts. */
  readonly keys_right: number;
  /** How far the weights are from those that are stored, see `weightError`; null: as stored. */
  readonly weight_error: number | null;
  /** Bytes that the weights are held in, and those that they take in the model's own files. */
  readonly weight_bytes: number;
  readonly file_bytes: number;
  /** Of keys and values after a prompt. */
  readonly kv_bytes: number;
  /** Until the model has answered a prompt of one token and decoded another: weights read, and converted where they were not yet; graphs made. */
  readonly load_seconds: number;
  /** The most that the process has held so far; null of all ways but the first, which others came before. */
  readonly peak_memory_bytes: number | null;
  /** Medians over all prompts. */
  readonly prefill_seconds: number;
  readonly token_seconds: number;
}

/** Tokens of prose that are predicted after each prompt. */
const CONTINUATION = 128;

/**
 * The same prompts for a model held in several ways, one after the other: perplexity of prose after a prompt, pass keys found in
 * it, size and time.
 * @param open loads the model; it is released when it is done
 * @throws on a text that is too short; AbortError on `signal`
 */
export async function* compareDtypes(
  open: (held: HeldAs) => Promise<Model>,
  ways: readonly HeldAs[],
  { text, length, prompts, seed, onProgress, signal = ambientSignal() }: DtypesOptions,
): AsyncGenerator<DtypeRow> {
  for (const [index, held] of ways.entries()) {
    const started = performance.now();
    const model = await open(held);
    const first = await model.prefill([model.config.bosTokenId ?? 0], { reserve: 1 });
    await first.extend([0]);
    const loadSeconds = (performance.now() - started) / 1e3;
    const label = `${model.dtype}, cache ${model.kvDtype}`;
    try {
      const tokenizer = await model.tokenizer();
      const prose = tokenizer.encode(text, { addSpecialTokens: false });
      const span = length + CONTINUATION;
      if (prose.length < span + prompts) throw new Error(`text: ${prose.length} tokens (must be at least ${span + prompts} for ${prompts} prompts of ${length})`);
      const losses: number[] = [];
      const [prefills, tokens]: [number[], number[]] = [[], []];
      let keysRight = 0;
      let kvBytes = 0;
      for (let i = 0; i < prompts; i++) {
        signal?.throwIfAborted();
        // Spread evenly over the text, overlapping where there are many.
        const start = Math.floor((i * (prose.length - span)) / Math.max(1, prompts - 1));
        const run = await model.prefill(prose.slice(start, start + length), { reserve: CONTINUATION });
        kvBytes = run.kv.bytes;
        losses.push(mean(await forcedLosses(run, prose.slice(start + length, start + span))));
        const { said, right } = await askPassKey(model, tokenizer, prose, { length, seed, index: i, signal });
        if (right) keysRight++;
        prefills.push(said.prefillSeconds);
        tokens.push(...said.tokenSeconds);
        onProgress?.((index + (i + 1) / prompts) / ways.length, label);
      }
      yield {
        dtype: model.dtype, kv_dtype: model.kvDtype, length, prompts, losses, perplexity: Math.exp(mean(losses)), keys_right: keysRight,
        weight_error: await weightError(model.checkpoint), weight_bytes: totalBytes(model.checkpoint.tensors).held, file_bytes: fileBytes(model), kv_bytes: kvBytes, load_seconds: loadSeconds,
        peak_memory_bytes: index === 0 ? process.resourceUsage().maxRSS * 1024 : null, prefill_seconds: median(prefills), token_seconds: median(tokens),
      };
    } finally {
      await model.release();
    }
  }
}

/** What the model's own files have, however it is held. */
const fileBytes = ({ checkpoint }: Model): number => totalBytes(checkpoint.original?.tensors ?? checkpoint.tensors).file;
