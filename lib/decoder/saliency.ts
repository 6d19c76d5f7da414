import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import { gradients } from "../onnx/gradients.js";
import type { Value } from "../onnx/graph.js";
import { frozenModel, textLoss } from "./frozen.js";
import { logOdds } from "./log-odds.js";
import { crossEntropy } from "./loss.js";
import type { Weights } from "./weights.js";

/**
 * What a token's saliency is, x being its hidden state after a block and g the loss's gradient there:
 * `gradnorm` |g|; `abs` |x · g|; `signed` x · g (the literal formula of arXiv:2504.04514).
 */
export const gradientTargets = ["gradnorm", "abs", "signed"] as const;
export type GradientTarget = (typeof gradientTargets)[number];

/** Those, and what is paid to the token in the blocks after (see `attentionSaliencyGraph`): by the response, or by the prompt said again. */
export const saliencyTargets = [...gradientTargets, "attention", "reconstruction"] as const;
export type SaliencyTarget = (typeof saliencyTargets)[number];

export const isGradientTarget = (target: SaliencyTarget): target is GradientTarget => gradientTargets.some((known) => known === target);

/**
 * What of each next token is differentiated: its cross-entropy (the paper), or its log-odds, whose gradient does not fade where
 * the model is sure.
 */
export const objectives = ["log-odds", "cross-entropy"] as const;
export type Objective = (typeof objectives)[number];

export interface SaliencyGraphOptions {
  readonly config: ModelConfig;
  /** Blocks at whose output saliency is wanted, ascending. */
  readonly blocks: readonly number[];
  readonly target: GradientTarget;
  readonly objective: Objective;
  /** Give hidden states too. */
  readonly states?: boolean;
}

/**
 * Saliency of every token at the output of each of `blocks`. Inputs: those of `frozenModel` and `textLoss`.
 * Outputs: `loss` (the objective, a scalar in nats) and `saliency.B` `[n]` for each block B,
 * with `states` `hidden.B` `[1, n, d]` too.
 */
export function saliencyGraph(g: GraphBuilder, weights: Weights, { config, blocks, target, objective, states = false }: SaliencyGraphOptions): void {
  const hidden = new Map<number, Value>();
  const logits = frozenModel(g, weights, config)({
    afterBlock(x, layer) {
      hidden.set(layer, x);
      return x;
    },
  });
  const loss = textLoss(g, logits, objective === "log-odds" ? logOdds : crossEntropy);
  g.output(loss, "loss");
  const at = blocks.map((layer) => hidden.get(layer)!);
  if (states) at.forEach((x, i) => g.output(x, `hidden.${blocks[i]}`));
  gradients(g, loss, at).forEach((gradient, i) => g.output(perToken(g, at[i]!, gradient, target), `saliency.${blocks[i]}`));
}

/** `[1, n, d]` twice -> `[n]`. */
function perToken(g: GraphBuilder, x: Value, gradient: Value, target: GradientTarget): Value {
  const n = x.shape[1]!;
  if (target === "gradnorm") return g.reshape(g.reduceL2(gradient, [2]), [n]);
  const product = g.reshape(g.reduceSum(g.mul(x, gradient), [2]), [n]);
  return target === "abs" ? g.abs(product) : product;
}
