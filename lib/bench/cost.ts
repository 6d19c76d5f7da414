import type { ModelConfig } from "../checkpoint/types.js";
import type { Method } from "../methods/method.js";
import { planTokens } from "../methods/plan/plan.js";
import { decodeFlops, prefillFlops } from "../methods/plan/flops.js";
import type { BenchmarkMode } from "./record.js";

/** A decoded token waits for memory: for the same operations it takes about this many times as long as in prefill. */
const DECODE_WEIGHT = 8;
/** What a run costs apart from the length of its prompt, in operations: so that the shortest ones do not count as nothing. */
const FIXED = 1e9;

export interface CostOptions {
  readonly config: ModelConfig;
  readonly preset: Method;
  readonly length: number;
  readonly mode: BenchmarkMode;
  readonly maxNewTokens: number;
}

/** How long one run takes, in a unit without meaning: good for progress bars and for estimates from runs that are done. */
export function runCost({ config, preset, length, mode, maxNewTokens }: CostOptions): number {
  const { stages, kvLengths } = planTokens(preset, length, config.layers);
  const input = { config, stages, n: length, counting: "exact" as const };
  const decode = mode === "end2end" ? decodeFlops({ ...input, newTokens: maxNewTokens, kvLengths }) : 0;
  return FIXED + prefillFlops(input) + DECODE_WEIGHT * decode;
}
