import { Tensor } from "onnxruntime-node";
import type { ModelConfig } from "../checkpoint/types.js";
import type { PrunerGraphOptions } from "../decoder/pruner-training.js";
import type { ModuleInputs } from "../methods/module.js";
import { schedule } from "../methods/plan/stages.js";
import { resolveMethod } from "../methods/resolve.js";
import { Random } from "../random.js";
import { exampleFeeds } from "./example-feeds.js";
import type { Example } from "./examples.js";
import { gumbelDifferences } from "./gumbel.js";
import { rankingPairs } from "./ranking-pairs.js";

/** An example with its normalised saliency, `[n]` by block. */
export interface PrunerExample extends Example {
  readonly targets: ReadonlyMap<number, Float32Array>;
  /** Hidden states of the prompt, `[promptLength, d]` by block, where they were kept. */
  readonly states?: ReadonlyMap<number, Float32Array> | null;
}

/** An example as inputs of the scoring graph: its response, and how far each token is from the prompt's end. */
export function scoringFeeds(config: ModelConfig, example: Example, inputs: ModuleInputs): Record<string, Tensor> {
  const { targets, loss_weights, ...feeds } = exampleFeeds(config, example, "response");
  const n = example.ids.length;
  if (inputs === "placed") feeds["log_distance"] = new Tensor("float32", Float32Array.from({ length: n }, (_, t) => Math.log1p(Math.max(0, example.promptLength - 1 - t))), [n, 1]);
  return feeds;
}

/** A prompt as inputs of the graph that trains on its hidden states. @throws where there are none */
export function moduleFeeds({ hiddenSize }: Pick<ModelConfig, "hiddenSize">, { promptLength: n, targets, states }: PrunerExample, { losses, inputs }: Pick<PrunerGraphOptions, "losses" | "inputs">, random: Random): Record<string, Tensor> {
  if (!states) throw new Error("pruner training: no hidden states (measure saliency with --states)");
  const feeds: Record<string, Tensor> = scoreFeeds(n, n, targets, losses, random);
  for (const [block, state] of states) feeds[`hidden.${block}`] = new Tensor("float32", state, [1, n, hiddenSize]);
  if (inputs === "placed") feeds["log_distance"] = new Tensor("float32", Float32Array.from({ length: n }, (_, t) => Math.log1p(n - 1 - t)), [n, 1]);
  return feeds;
}

/** What squared error and ranking loss take, of `n` tokens of which the first are the prompt's. */
function scoreFeeds(n: number, promptLength: number, targets: PrunerExample["targets"], losses: PrunerGraphOptions["losses"], random: Random): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  const column = (values: Float32Array) => new Tensor("float32", values.length === n ? values : values.slice(0, n), [n, 1]);
  if (losses.mse > 0) feeds["token_weights"] = column(Float32Array.from({ length: n }, (_, t) => (t < promptLength ? 1 / promptLength : 0)));
  if (losses.ranking > 0) {
    const { first, second } = rankingPairs(random, promptLength);
    feeds["first"] = new Tensor("int64", first, [first.length]);
    feeds["second"] = new Tensor("int64", second, [second.length]);
  }
  if (losses.mse > 0 || losses.ranking > 0) for (const [block, values] of targets) feeds[`target.${block}`] = column(values);
  return feeds;
}

/** An example as inputs of the training graph. The cross-entropy is that of the response. */
export function prunerFeeds(config: ModelConfig, example: PrunerExample, { losses, inputs, labels }: Pick<PrunerGraphOptions, "losses" | "inputs" | "labels">, random: Random): Record<string, Tensor> {
  const n = example.ids.length;
  const { promptLength, targets } = example;
  const column = (values: Float32Array) => new Tensor("float32", values, [n, 1]);
  const feeds = { ...scoringFeeds(config, example, inputs) };
  if (losses.crossEntropy > 0) {
    const loss = exampleFeeds(config, example, "response");
    feeds["loss_weights"] = loss["loss_weights"]!;
    if (labels === "text") feeds["targets"] = loss["targets"]!;
    feeds["prunable"] = column(prunable(n, promptLength));
    for (const block of targets.keys()) feeds[`noise.${block}`] = column(gumbelDifferences(random, n));
  }
  return { ...feeds, ...scoreFeeds(n, promptLength, targets, losses, random) };
}

/** Any one stage will do: which tokens are forced depends on the length alone. */
const oneStage = resolveMethod({ baseDepth: 1, stages: [{ afterBlock: 0, ratio: 0.5 }] });

/** 1 for the prompt's tokens that no stage forces to stay: neither the first four, nor its end, nor the response. */
function prunable(n: number, promptLength: number): Float32Array {
  const [stage] = schedule(oneStage, promptLength, 1);
  return Float32Array.from({ length: n }, (_, t) => (t >= stage!.head && t < promptLength - stage!.tail ? 1 : 0));
}
