import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { cached, cacheFolder, clearCache, listCache } from "../../checkpoint/cache.js";
import { writeOutput } from "../../files.js";
import type { PluginFile } from "./installed.js";
import type { LossSample } from "./loss-samples.js";
import type { PluginName } from "./names.js";

/** What a provider's rounding costs one model, measured against the CPU on the same prompts (`sdtp provider check`). */
export interface ProviderLoss {
  readonly device: PluginName;
  /** Of the provider's package or library; null: unknown. */
  readonly version: string | null;
  readonly processor: string;
  readonly model: string;
  readonly model_hash: string;
  /** What weights are held in, and what is computed in. */
  readonly dtype: string;
  readonly compute_dtype: string;
  /** Tokens of each prompt, prompts of each kind. */
  readonly length: number;
  readonly prompts: number;
  /** Mean loss in nats of the tokens after a prompt of prose. */
  readonly loss: { readonly cpu: number; readonly device: number };
  /** What is lost a token, with the 95 % bootstrap interval over prompts. */
  readonly extra_loss: { readonly mean: number; readonly low: number; readonly high: number };
  /** Prompts of prose whose likeliest next token is the same. */
  readonly same_first_choice: number;
  /** Of the tokens that `keep07` keeps on the CPU, those that it keeps on the device, the mean over prompts. */
  readonly kept_same: number;
  /** Pass keys found wholly right. */
  readonly keys_right: { readonly cpu: number; readonly device: number };
  /** Medians over prompts of prose, one after the other in turn. */
  readonly prefill_seconds: { readonly cpu: number; readonly device: number };
  readonly threads: number | null;
  /** ISO 8601. */
  readonly time: string;
  /** Of each prompt, in order; not kept by earlier versions. */
  readonly samples?: readonly LossSample[];
}

/** What a device may cost a model for `auto` to take it: nats a token, tokens kept, pass keys in a hundred. */
export const LOSS_LIMITS = { extraLoss: 0.005, keptSame: 0.98, keysLost: 0.01, prompts: 100 } as const;

/** Why `auto` does not take a device for a model, by what was measured; null: it does. */
export function tooCostly({ prompts, extra_loss: extra, kept_same: kept, keys_right: keys, prefill_seconds: seconds }: ProviderLoss): string | null {
  if (prompts < LOSS_LIMITS.prompts) return `was measured on ${prompts} prompts (${LOSS_LIMITS.prompts} are needed)`;
  if (!(extra.mean <= LOSS_LIMITS.extraLoss)) return `costs ${extra.mean.toFixed(4)} nats a token (at most ${LOSS_LIMITS.extraLoss})`;
  if (!(kept >= LOSS_LIMITS.keptSame)) return `keeps ${(100 * kept).toFixed(1)} % of the tokens that the CPU keeps (at least ${100 * LOSS_LIMITS.keptSame} %)`;
  if (keys.cpu - keys.device > LOSS_LIMITS.keysLost * prompts) return `finds ${keys.device} pass keys, the CPU ${keys.cpu}`;
  if (!(seconds.device < seconds.cpu)) return `takes ${seconds.device.toFixed(3)} s for a prompt, the CPU ${seconds.cpu.toFixed(3)}`;
  return null;
}

const keyOf = ({ device, file, version }: PluginFile, modelHash: string): string =>
  `loss-${device.replace(":", "-")}-${createHash("sha256").update(JSON.stringify([version ?? file, modelHash])).digest("hex").slice(0, 16)}`;
const FILE = "loss.json";

/** What was measured of a provider on a model last; null: nothing. */
export async function storedLoss(plugin: PluginFile, modelHash: string): Promise<ProviderLoss | null> {
  const file = join(cacheFolder(), keyOf(plugin, modelHash), FILE);
  return existsSync(file) ? (JSON.parse(await readFile(file, "utf8")) as ProviderLoss) : null;
}

/** All that was measured of providers. */
export async function storedLosses(): Promise<ProviderLoss[]> {
  const keys = (await listCache()).map(({ key }) => key).filter((key) => key.startsWith("loss-"));
  return Promise.all(keys.map(async (key) => JSON.parse(await readFile(join(cacheFolder(), key, FILE), "utf8")) as ProviderLoss));
}

/** Keeps it in place of what was measured before. */
export async function storeLoss(plugin: PluginFile, loss: ProviderLoss): Promise<void> {
  const key = keyOf(plugin, loss.model_hash);
  if (existsSync(join(cacheFolder(), key))) await clearCache([key]);
  await cached(key, (temporary) => writeOutput(join(temporary, FILE), `${JSON.stringify(loss, null, 2)}\n`));
}
