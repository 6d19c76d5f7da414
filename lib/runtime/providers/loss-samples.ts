import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { cacheFolder, clearCache } from "../../checkpoint/cache.js";
import { writeOutput } from "../../files.js";
import type { PluginFile } from "./installed.js";

/** One thing on the CPU and on the device. */
export interface Both<T> {
  readonly cpu: T;
  readonly device: T;
}

/** What the n-th prompt of each kind gave. */
export interface LossSample {
  /** Mean in nats of the tokens after a prompt of prose. */
  readonly loss: Both<number>;
  /** Of its prefill. */
  readonly seconds: Both<number>;
  /** Whether the likeliest token after it is the same. */
  readonly same_first_choice: boolean;
  /** Of the tokens that `keep07` keeps of it on the CPU, those that it keeps on the device. */
  readonly kept_same: number;
  /** Whether the pass key was found wholly right. */
  readonly key_right: Both<boolean>;
}

/** A measurement of a loss that may be stopped: what it has so far, for the next one of the same kind to go on with. */
export interface KeptSamples {
  readonly found: readonly LossSample[];
  /** @param samples all so far */
  keep(samples: readonly LossSample[]): Promise<void>;
  /** The measurement is done. */
  drop(): Promise<void>;
}

const FILE = "samples.json";

/**
 * What was measured of a provider before a measurement was stopped.
 * @param settings all that samples of one measurement have in common
 */
export async function keptSamples({ device, file, version }: PluginFile, settings: Readonly<Record<string, string | number | null>>): Promise<KeptSamples> {
  const key = `samples-${device.replace(":", "-")}-${createHash("sha256").update(JSON.stringify([version ?? file, settings])).digest("hex").slice(0, 16)}`;
  const path = join(cacheFolder(), key, FILE);
  return {
    found: existsSync(path) ? (JSON.parse(await readFile(path, "utf8")) as LossSample[]) : [],
    keep: (samples) => writeOutput(path, `${JSON.stringify(samples)}\n`),
    async drop() {
      if (existsSync(path)) await clearCache([key]);
    },
  };
}
