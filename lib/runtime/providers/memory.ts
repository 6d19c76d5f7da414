import { elementCount } from "../../checkpoint/dtype.js";
import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import type { Checkpoint } from "../../checkpoint/types.js";
import type { Plan } from "../../methods/plan/plan.js";
import { memoryPlan, type MemoryPlan } from "../memory.js";

// Measured on OpenVINO 2026.4.1 in bfloat16 with SmolLM2-135M at 1024 and 4096 tokens: see the provider's README.
/** Bytes of a weight, as the provider packs it. */
const WEIGHT = { bfloat16: 2, float32: 4 } as const;
/** What it holds of each block's operators, once a prompt's graph is compiled. */
const BLOCK = 13e6;
/**
 * Vectors of a block's largest size that are there for each token. OpenVINO parts memory among values whose sizes it does not know by when they
 * live alone, so that each part becomes as large as the largest value that is ever in it.
 */
const VECTORS = 38;
/** Bytes of each query's mask over the keys that its piece sees, in all pieces and kinds of numbers together, as a share of tokens squared. */
const MASK = 0.625 * 8;

/**
 * What a prompt on a plugin's provider takes of this process's memory: what decoding takes on the CPU, and beside it the provider's own weights, operators
 * and activations. Scores are none of them: its attention never holds them all.
 */
export function pluginMemoryPlan(checkpoint: Checkpoint, plan: Plan, { reserve, graphs, oneCopy, kvDtype, accuracy }: { readonly reserve: number; readonly graphs: number; readonly oneCopy: boolean; readonly kvDtype: KvDtype; readonly accuracy: keyof typeof WEIGHT }): MemoryPlan {
  const { hiddenSize, heads, headDim, ffnSize, layers } = checkpoint.config;
  const host = memoryPlan(checkpoint, { ...plan, attention: { ...plan.attention, kind: "fused", tiled: true } }, { reserve, graphs: 1, oneCopy, kvDtype });
  const prompts = Math.max(1, graphs - 1);
  const elements = [...checkpoint.tensors.values()].reduce((sum, { shape }) => sum + (shape.length > 1 ? elementCount(shape) : 0), 0);
  const weights = host.weights + prompts * WEIGHT[accuracy] * elements;
  // Only one prompt is computed at a time, but what a graph took it keeps.
  const activations = host.activations + prompts * (BLOCK * layers + 4 * VECTORS * plan.n * Math.max(ffnSize, hiddenSize, heads * headDim) + MASK * plan.n ** 2);
  return { weights, cache: host.cache, activations, total: weights + host.cache + activations };
}
