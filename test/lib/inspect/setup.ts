// One pruned prompt on a tiny random model, in lib/ and in the float64 reference.
import { defineScorer } from "../../../lib/methods/scorer.js";
import type { KvPolicy, UserMethod } from "../../../lib/methods/method.js";
import { schedule } from "../../../lib/methods/plan/stages.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { type HfConfig, headDimOf, kvHeadsOf, windowOf } from "../../reference/config.js";
import { evict, forward, type ForwardResult, type LayerCache } from "../../reference/forward.js";
import { dot, linear, rmsNorm, softmax, type Vector, type Weights } from "../../reference/operations.js";
import { rotaryFrequencies, rotate } from "../../reference/rotary.js";
import type { Variant } from "../../reference/variants.js";

export const prompt = Array.from({ length: 48 }, (_, i) => (i * 37 + 11 * (i % 7)) % 250);

/** Prunes 48 tokens twice in three blocks: 48, 38, 28. */
export const twice: UserMethod = { name: "twice", baseDepth: 3, stages: [{ afterBlock: 0, ratio: 0.8 }, { afterBlock: 1, ratio: 0.75 }] };

const weightOf = (i: number) => Math.fround(Math.cos(i + 1));
/** A fixed direction in the hidden states, which the reference computes as well. */
export const direction = defineScorer("direction", (g, { hidden, config }) =>
  g.reshape(g.linear(hidden, g.constant("float32", Float32Array.from({ length: config.hiddenSize }, (_, i) => weightOf(i)), [1, config.hiddenSize])), [hidden.shape[1]!]));

export async function setup(variant: Variant = "llama-llama3") {
  const tiny = tinyCheckpoint(variant);
  const model = await load(tiny.folder, { threads: 1 });
  const stages = schedule(resolveMethod(twice), prompt.length, model.config.layers);
  const score = (hidden: Vector[]) => hidden.map((x) => x.reduce((sum, value, i) => sum + value * weightOf(i), 0));
  const pruned = forward(tiny.config, tiny.weights, prompt, { prune: { stages, score } });
  return {
    tiny,
    model,
    /** The reference without and with pruning. */
    plain: forward(tiny.config, tiny.weights, prompt),
    pruned,
    prefill: (kvPolicy: KvPolicy = "retain") => model.prefill(prompt, { preset: twice, scorer: direction, scores: true, kvPolicy }),
    caches: (kvPolicy: KvPolicy) => (kvPolicy === "retain" ? pruned.caches : pruned.caches.map((cache) => evict(cache, pruned.kept.at(-1)!, headDimOf(tiny.config)))),
    async close() {
      await model.release();
      tiny.remove();
    },
  };
}

/**
 * Attention of the reference in one layer: `[heads][queries][cached tokens]` weights, 0 where a token may not look.
 * @param inputs what goes into the block, one a query
 */
export function attentionWeights(config: HfConfig, weights: Weights, layer: number, inputs: readonly Vector[], positions: readonly number[], cache: LayerCache): number[][][] {
  const prefix = `model.layers.${layer}.`;
  const [h, heads, n] = [headDimOf(config), config.num_attention_heads, cache.positions.length];
  const group = heads / kvHeadsOf(config);
  const queries = linear(inputs.map((x) => rmsNorm(x, weights.get(`${prefix}input_layernorm.weight`)!, config.rms_norm_eps)), weights.get(`${prefix}self_attn.q_proj.weight`)!);
  return Array.from({ length: heads }, (_, head) =>
    queries.map((query, t) => {
      const q = rotate(query.slice(head * h, (head + 1) * h), positions[t]!, rotaryFrequencies(config));
      const scores = cache.positions.map((position, j) => {
        const distance = positions[t]! - position;
        const row = Math.floor(head / group) * n + j;
        return distance < 0 || distance >= windowOf(config) ? -Infinity : dot(q, cache.keys.subarray(row * h, (row + 1) * h)) / Math.sqrt(h);
      });
      return softmax(scores);
    }));
}

/** The reference's inputs of a block: the outputs of the one before, of the tokens still present. */
export function blockInputs(result: ForwardResult, layer: number, embedding: ArrayLike<number>, ids: readonly number[], d: number): Vector[] {
  const positions = result.caches[layer]!.positions;
  if (layer === 0) return ids.map((id) => Float64Array.from({ length: d }, (_, i) => embedding[id * d + i]!));
  const before = result.caches[layer - 1]!.positions;
  return positions.map((position) => result.hidden[layer - 1]![before.indexOf(position)]!);
}

/** Largest difference over the largest magnitude. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!));
    size = Math.max(size, Math.abs(expected[i]!));
  }
  return Number.isNaN(difference) ? Infinity : difference / size;
}
