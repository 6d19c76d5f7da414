import { Tensor } from "onnxruntime-node";
import type { ModelConfig } from "../checkpoint/types.js";
import type { PrunerGraphOptions } from "../decoder/pruner-training.js";
import type { ModuleInputs } from "../methods/module.js";
import { resolvePreset, schedule } from "../methods/plan/stages.js";
import { Random } from "../random.js";
import { exampleFeeds } from "./example-feeds.js";
import type { Example } from "./examples.js";
import { gumbelDifferences } from "./gumbel.js";
import { rankingPairs } from "./ranking-pairs.js";

/** An example with its normalised saliency, `[n]` by block. */
export interface PrunerExample extends Example {
  readonly targets: ReadonlyMap<number, Float32Array>;
}

/** An example as inputs of the scoring graph: its response, and how far each token is from the prompt's end. */
export function scoringFeeds(config: ModelConfig, example: Example, inputs: ModuleInputs): Record<string, Tensor> {
  const { targets, loss_weights, ...feeds } = exampleFeeds(config, example, "response");
  const n = example.ids.length;
  if (inputs === "placed") feeds["log_distance"] = new Tensor("float32", Float32Array.from({ length: n }, (_, t) => Math.log1p(Math.max(0, example.promptLength - 1 - t))), [n, 1]);
  return feeds;
}

/** An example as inputs of the training graph. The cross-entropy is that of the response. */
export function prunerFeeds(config: ModelConfig, example: PrunerExample, { losses, inputs, labels }: Pick<PrunerGraphOptions, "losses" | "inputs" | "labels">, random: Random): Record<string, Tensor> {
  const n = example.ids.length;
  const { promptLength, targets } = example;
  const column = (values: Float32Array) => new Tensor("float32", values, [n, 1]);
  const loss = exampleFeeds(config, example, "response");
  const feeds: Record<string, Tensor> = { ...scoringFeeds(config, example, inputs), loss_weights: loss["loss_weights"]! };
  if (losses.crossEntropy === 0 || labels === "text") feeds["targets"] = loss["targets"]!;
  if (losses.crossEntropy > 0) {
    feeds["prunable"] = column(prunable(n, promptLength));
    for (const block of targets.keys()) feeds[`noise.${block}`] = column(gumbelDifferences(random, n));
  }
  if (losses.mse > 0) feeds["token_weights"] = column(Float32Array.from({ length: n }, (_, t) => (t < promptLength ? 1 / promptLength : 0)));
  if (losses.ranking > 0) {
    const { first, second } = rankingPairs(random, promptLength);
    feeds["first"] = new Tensor("int64", first, [first.length]);
    feeds["second"] = new Tensor("int64", second, [second.length]);
  }
  if (losses.mse > 0 || losses.ranking > 0) for (const [block, values] of targets) feeds[`target.${block}`] = column(values);
  return feeds;
}

/** Any one stage will do: which tokens are forced depends on the length alone. */
const oneStage = resolvePreset({ baseDepth: 1, stages: [{ afterBlock: 0, ratio: 0.5 }] });

/** 1 for the prompt's tokens that no stage forces to stay: neither the first four, nor its end, nor the response. */
function prunable(n: number, promptLength: number): Float32Array {
  const [stage] = schedule(oneStage, promptLength, 1);
  return Float32Array.from({ length: n }, (_, t) => (t >= stage!.head && t < promptLength - stage!.tail ? 1 : 0));
}
