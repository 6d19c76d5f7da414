import { cpus } from "node:os";
import { ambientSignal } from "../ambient-signal.js";
import { bootstrap, median } from "../bench/statistics.js";
import { likeliest } from "../runtime/likeliest.js";
import type { Model } from "../runtime/model.js";
import type { ProviderLoss } from "../runtime/providers/loss.js";
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
  readonly onProgress?: (share: number, label: string) => void;
}

/** Tokens of prose that are predicted after each prompt. */
const CONTINUATION = 128;

/**
 * What a plugin's provider costs a model: the same prompts on the CPU and on it, in turn. Prose: loss of the tokens after a prompt, the likeliest next
 * one, which tokens `keep07` keeps; and pass keys hidden in it.
 * @param cpu, device one model, loaded twice
 * @throws on a text that is too short; AbortError on `signal`
 */
export async function providerLoss(cpu: Model, device: Model, { text, length, prompts, seed, version, signal = ambientSignal(), onProgress }: ProviderLossOptions): Promise<ProviderLoss> {
  if (!isPluginName(device.device)) throw new Error(`device: ${device.device} (must be a plugin's provider)`);
  const tokenizer = await cpu.tokenizer();
  const prose = tokenizer.encode(text, { addSpecialTokens: false });
  const span = length + CONTINUATION;
  if (prose.length < span + prompts) throw new Error(`text: ${prose.length} tokens (must be at least ${span + prompts} for ${prompts} prompts of ${length})`);
  for (const model of [cpu, device]) {
    await model.warm(length);
    await model.warm(length, { preset: "keep07" });
  }
  const models = { cpu, device };
  const seen = { cpu: { losses: [] as number[], seconds: [] as number[], keys: 0 }, device: { losses: [] as number[], seconds: [] as number[], keys: 0 } };
  let same = 0;
  const kept: number[] = [];
  for (let i = 0; i < prompts; i++) {
    // Spread evenly over the text, overlapping where there are many.
    const start = Math.floor((i * (prose.length - span)) / Math.max(1, prompts - 1));
    const ids = prose.slice(start, start + length);
    const choices: number[] = [];
    const stayed: Int32Array[] = [];
    // Neither is always the second, which finds memory warm.
    for (const where of i % 2 === 0 ? (["cpu", "device"] as const) : (["device", "cpu"] as const)) {
      signal?.throwIfAborted();
      const run = await models[where].prefill(ids, { reserve: CONTINUATION });
      seen[where].seconds.push(run.prefillSeconds);
      choices.push(likeliest(run.logits, 1)[0]!);
      seen[where].losses.push(mean(await forcedLosses(run, prose.slice(start + length, start + span))));
      stayed[where === "cpu" ? 0 : 1] = (await models[where].prefill(ids, { preset: "keep07", reserve: 1 })).kept;
      if ((await askPassKey(models[where], tokenizer, prose, { length, seed, index: i, signal })).right) seen[where].keys++;
    }
    if (choices[0] === choices[1]) same++;
    const there = new Set(stayed[1]);
    kept.push(stayed[0]!.filter((position) => there.has(position)).length / stayed[0]!.length);
    onProgress?.((i + 1) / prompts, `prompt ${i + 1} of ${prompts}`);
  }
  const extra = seen.device.losses.map((loss, i) => loss - seen.cpu.losses[i]!);
  const { low, high } = bootstrap(extra, mean);
  const both = (of: (side: (typeof seen)["cpu"]) => number) => ({ cpu: of(seen.cpu), device: of(seen.device) });
  return {
    device: device.device, version, processor: cpus()[0]?.model.trim() ?? "unknown", model: cpu.name, model_hash: await device.checkpoint.hash(), dtype: cpu.dtype, compute_dtype: device.computeDtype, length, prompts,
    loss: both(({ losses }) => mean(losses)), extra_loss: { mean: mean(extra), low, high }, same_first_choice: same, kept_same: mean(kept), keys_right: both(({ keys }) => keys),
    prefill_seconds: both(({ seconds }) => median(seconds)), threads: cpu.threads ?? null, time: new Date().toISOString(),
  };
}
