import { presets } from "../pruning/presets.js";

/** A prompt length as tables write it: whole multiples of 1024 as 1K, 2K, …, others as they are. */
export function lengthLabel(length: number): string {
  return length % 1024 === 0 && length > 0 ? `${length / 1024}K` : String(length);
}

/** How a configuration is called in tables: `Baseline`, `SDTP (keep07)`. */
export function methodLabel(config: string): string {
  return config === "baseline" ? "Baseline" : `SDTP (${config})`;
}

/** Sorts configurations as the presets stand, others after them by name. */
export function byConfig(a: string, b: string): number {
  const known = Object.keys(presets);
  const rank = (config: string) => (known.includes(config) ? known.indexOf(config) : known.length);
  return rank(a) - rank(b) || (a < b ? -1 : Number(a > b));
}
