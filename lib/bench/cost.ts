import type { ModelConfig } from "../checkpoint/types.js";
import type { Method } from "../methods/method.js";
import { planFlops, planTokens } from "../methods/plan/plan.js";
import { decodeFlops } from "../methods/plan/flops.js";
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
  const plan = planTokens(preset, length, config.layers);
  const decode = mode === "end2end" ? decodeFlops({ config, stages: plan.stages, n: length, counting: "exact", newTokens: maxNewTokens, kvLengths: plan.kvLengths }) : 0;
  return FIXED + planFlops(plan, config, { counting: "exact" }) + DECODE_WEIGHT * decode;
}
