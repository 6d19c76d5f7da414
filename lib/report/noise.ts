/** As lib/bench/measurement.ts says it of a speedup. */
const withinNoise = /^(prefill|decode|end-to-end) speedup .* is within noise /;

/** Speedups whose 95 % interval includes 1. */
export interface Noise {
  readonly prefill: boolean;
  readonly endToEnd: boolean;
}

/** What a measurement's warnings say of noise. */
export function noiseOf(warnings: readonly string[] = []): Noise {
  const found = warnings.map((warning) => withinNoise.exec(warning)?.[1]);
  return { prefill: found.includes("prefill"), endToEnd: found.includes("end-to-end") };
}

/** Warnings of all else. */
export const otherWarnings = (warnings: readonly string[] = []): string[] => warnings.filter((warning) => !withinNoise.test(warning));

/** Stands under a table that has marks; empty where none has. */
export const noiseNotes = (all: readonly Noise[]): string[] => (all.some(({ prefill, endToEnd }) => prefill || endToEnd) ? ["* within noise: the 95 % interval of the speedup includes 1."] : []);
