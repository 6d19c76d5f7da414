import { cpus } from "node:os";
import { ambientSignal } from "../ambient-signal.js";
import { bootstrap, median } from "../bench/statistics.js";
import { likeliest } from "../runtime/likeliest.js";
import type { Model } from "../runtime/model.js";
import type { ProviderLoss } from "../runtime/providers/loss.js";
import type { Both, LossSample } from "../runtime/providers/loss-samples.js";
import { isPluginName } from "../runtime/providers/names.js";
import { forcedLosses, mean } from "./forced.js";
import { askPassKey } from "./pass-key.js";

export interface ProviderLossOptions {
  /** Prose the model has not been trained on. */
  readonly text: string;
  /** Tokens of each prompt. */
  readonly length: number;
  /** Prompts of each kind. */
  readonly prompts: number;
  readonly seed: number;
  /** Of the provider; null: unknown. */
  readonly version: string | null;
  readonly signal?: AbortSignal;
  /** Samples of prompts that were measured before, the first ones: the others follow them. */
  readonly found?: readonly LossSample[];
  /** Told all samples after each prompt, before the next is measured. */
  readonly onSample?: (samples: readonly LossSample[]) => Promise<void>;
  /** @param secondsLeft null: unknown */
  readonly onProgress?: (share: number, label: string, secondsLeft: number | null) => void;
}

/** Tokens of prose that are predicted after each prompt. */
const CONTINUATION = 128;

/**
 * What a plugin's provider costs a model: the same prompts on the CPU and on it, in turn. Prose: loss of the tokens after a prompt, the likeliest next
 * one, which tokens `keep07` keeps; and pass keys hidden in it.
 * @param cpu, device one model, loaded twice
 * @throws on a text that is too short; AbortError on `signal`
 */
export async function providerLoss(cpu: Model, device: Model, { text, length, prompts, seed, version, signal = ambientSignal(), found = [], onSample, onProgress }: ProviderLossOptions): Promise<ProviderLoss> {
  if (!isPluginName(device.device)) throw new Error(`device: ${device.device} (must be a plugin's provider)`);
  const tokenizer = await cpu.tokenizer();
  const prose = tokenizer.encode(text, { addSpecialTokens: false });
  const span = length + CONTINUATION;
  if (prose.length < span + prompts) throw new Error(`text: ${prose.length} tokens (must be at least ${span + prompts} for ${prompts} prompts of ${length})`);
  const warmed = new Set<Model>();
  const warm = async (model: Model) => {
    if (warmed.has(model)) return;
    await model.warm(length);
    await model.warm(length, { preset: "keep07" });
    warmed.add(model);
  };
  const models = { cpu, device };
  const samples = [...found];
  let [spent, measured] = [0, 0];
  const tell = () => onProgress?.(samples.length / prompts, `prompt ${samples.length} of ${prompts}`, measured === 0 ? null : (spent / measured) * (prompts - samples.length));
  tell();
  for (let i = samples.length; i < prompts; i++) {
    // Spread evenly over the text, overlapping where there are many.
    const start = Math.floor((i * (prose.length - span)) / Math.max(1, prompts - 1));
    const ids = prose.slice(start, start + length);
    const seen = {} as Record<keyof typeof models, { loss: number; seconds: number; choice: number; kept: Int32Array; right: boolean }>;
    // Neither is always the second, which finds memory warm.
    for (const where of i % 2 === 0 ? (["cpu", "device"] as const) : (["device", "cpu"] as const)) {
      signal?.throwIfAborted();
      const model = models[where];
      await warm(model);
      const started = performance.now();
      const run = await model.prefill(ids, { reserve: CONTINUATION });
      const choice = likeliest(run.logits, 1)[0]!;
      const loss = mean(await forcedLosses(run, prose.slice(start + length, start + span)));
      const { kept } = await model.prefill(ids, { preset: "keep07", reserve: 1 });
      const { right } = await askPassKey(model, tokenizer, prose, { length, seed, index: i, signal });
      seen[where] = { loss, seconds: run.prefillSeconds, choice, kept, right };
      spent += (performance.now() - started) / 1e3;
    }
    const both = <T>(of: (side: (typeof seen)["cpu"]) => T): Both<T> => ({ cpu: of(seen.cpu), device: of(seen.device) });
    const there = new Set(seen.device.kept);
    samples.push({
      loss: both(({ loss }) => loss), seconds: both(({ seconds }) => seconds), same_first_choice: seen.cpu.choice === seen.device.choice,
      kept_same: seen.cpu.kept.filter((position) => there.has(position)).length / seen.cpu.kept.length, key_right: both(({ right }) => right),
    });
    await onSample?.(samples);
    measured++;
    tell();
  }
  const extra = samples.map(({ loss }) => loss.device - loss.cpu);
  const { low, high } = bootstrap(extra, mean);
  const over = <T>(of: (sample: LossSample) => Both<T>, sum: (values: T[]) => number) => ({ cpu: sum(samples.map((sample) => of(sample).cpu)), device: sum(samples.map((sample) => of(sample).device)) });
  return {
    device: device.device, version, processor: processorName(), model: cpu.name, model_hash: await device.checkpoint.hash(), dtype: cpu.dtype, compute_dtype: device.computeDtype, length, prompts,
    loss: over(({ loss }) => loss, mean), extra_loss: { mean: mean(extra), low, high },
    same_first_choice: samples.filter((sample) => sample.same_first_choice).length, kept_same: mean(samples.map((sample) => sample.kept_same)),
    keys_right: over(({ key_right: right }) => right, (values) => values.filter(Boolean).length),
    prefill_seconds: over(({ seconds }) => seconds, median), threads: cpu.threads ?? null, time: new Date().toISOString(), samples,
  };
}

export const processorName = (): string => cpus()[0]?.model.trim() ?? "unknown";
