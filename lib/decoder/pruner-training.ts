import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import { gradients } from "../onnx/gradients.js";
import type { Value } from "../onnx/graph.js";
import { moduleLogits, type ModuleInputs } from "../methods/module.js";
import { frozenModel, modelLoss, textLoss } from "./frozen.js";
import type { Parameter } from "./training.js";
import type { Weights } from "./weights.js";

/** What each of the three losses counts in their sum; 0: left out. */
export interface PrunerLosses {
  readonly crossEntropy: number;
  readonly mse: number;
  readonly ranking: number;
}

/**
 * What a soft mask does. `attention`: its logarithm is added to every score of the token's key in the blocks that follow, which at 0 is
 * pruning; logits count less their mean over the tokens that may be pruned. `hidden`: it multiplies the token's hidden state (arXiv:2504.04514), most of which the next norm undoes.
 */
export const maskKinds = ["attention", "hidden"] as const;
export type MaskKind = (typeof maskKinds)[number];

/** What the cross-entropy under masks is against: the predictions of the `model` without masks, or the `text` (arXiv:2504.04514). */
export const labelKinds = ["model", "text"] as const;
export type LabelKind = (typeof labelKinds)[number];

/** Share of tokens that a stage of the paper's schedule keeps: with masks on attention, a token of mean score stays with this probability. */
const KEPT = 0.9;

export interface PrunerGraphOptions {
  readonly config: ModelConfig;
  /** Blocks that a pruning module stands after, ascending. */
  readonly blocks: readonly number[];
  readonly inputs: ModuleInputs;
  readonly losses: PrunerLosses;
  readonly masks: MaskKind;
  readonly labels: LabelKind;
}

/** The parameters of the pruning modules, named as in the published checkpoint: `Linear(d, d/4)`, GELU, `Linear(d/4, 1)`. */
export function prunerParameters(config: Pick<ModelConfig, "hiddenSize">, blocks: readonly number[], inputs: ModuleInputs): Parameter[] {
  const d = config.hiddenSize;
  const inner = Math.max(1, Math.floor(d / 4));
  return blocks.flatMap((block) => [
    { name: `${block}.scorer.0.weight`, shape: [inner, d] },
    { name: `${block}.scorer.0.bias`, shape: [inner] },
    { name: `${block}.scorer.2.weight`, shape: [1, inner] },
    { name: `${block}.scorer.2.bias`, shape: [1] },
    ...(inputs === "placed" ? [{ name: `${block}.scorer.distance`, shape: [inner] }] : []),
  ]);
}

/**
 * One training step of the pruning modules in a frozen model (stage 2 of arXiv:2504.04514), for one sequence of `n` tokens.
 *
 * With the cross-entropy, the blocks are computed under soft masks, softmax([logit + g0, g1])[0] with Gumbel noise g0 and g1, of the
 * tokens that may be pruned: see `MaskKind`. Without it, nothing is masked: the modules then see hidden states as at inference.
 *
 * Inputs: those of `frozenModel`; `loss_weights` `[m, 1]`, what each of the rows counts; `targets` `[m, 1]` int64, their next tokens, where the text is
 * the label (these three with the cross-entropy alone); every parameter by name; for each block B `target.B` `[n, 1]`, normalised saliency, and,
 * with the cross-entropy, `noise.B` `[n, 1]`, g0 - g1; `prunable` `[n, 1]`, 1 where a token may be pruned, else 0;
 * `token_weights` `[n, 1]`, what each token counts in the squared error (they add up to 1); `first`, `second` `[p]` int64,
 * the pairs of the ranking loss; for modules of `placed` inputs `log_distance` `[n, 1]`, see `logDistance`.
 * Outputs: `loss` (their weighted sum), with the cross-entropy `cross_entropy` (against the model's predictions: less their entropy), `mse.B`, `ranking.B` (scalars) and
 * `gradient:NAME` for each parameter.
 */
export function prunerTrainingGraph(g: GraphBuilder, weights: Weights, { config, blocks, inputs, losses, masks, labels }: PrunerGraphOptions): void {
  const modules = new Modules(g, config, blocks, inputs);
  const masked = losses.crossEntropy > 0;
  const prunable = masked ? g.input("prunable", "float32", ["n", 1]) : null;
  const noise = (block: number) => g.input(`noise.${block}`, "float32", ["n", 1]);
  const logits = new Map<number, Value>();
  /** Sum of the logarithms of the masks so far, `[n, 1]`. */
  let presence: Value | null = null;
  const model = frozenModel(g, weights, config);
  const predicted = model({
    afterBlock(hidden, block) {
      if (!blocks.includes(block)) return hidden;
      const logit = modules.score(block, hidden);
      logits.set(block, logit);
      if (!prunable) return hidden;
      if (masks === "hidden") {
        const soft = g.sigmoid(g.add(logit, noise(block)));
        const mask = g.sub(1, g.mul(prunable, g.sub(1, soft)));
        return g.mul(hidden, g.reshape(mask, [1, "n", 1]));
      }
      // Less their mean: else keeping everything would be the way to a low loss.
      const mean = g.div(g.reduceSum(g.mul(logit, prunable), [0, 1], true), g.max(g.reduceSum(prunable, [0, 1], true), 1));
      const odds = g.add(g.add(g.sub(logit, mean), Math.log(KEPT / (1 - KEPT))), noise(block));
      const logMask = g.neg(g.mul(prunable, g.softplus(g.neg(odds))));
      presence = presence ? g.add(presence, logMask) : logMask;
      return hidden;
    },
    keyBias: () => presence && g.reshape(presence, [1, "n"]),
  });
  const terms: Value[] = [];
  if (masked) {
    const crossEntropy = labels === "model" ? modelLoss(g, predicted, model({})) : textLoss(g, predicted);
    g.output(crossEntropy, "cross_entropy");
    terms.push(g.mul(crossEntropy, losses.crossEntropy));
  }
  finishLoss(g, modules, blocks, logits, losses, terms);
}

/**
 * One training step of modules on the hidden states of one prompt of `n` tokens, measured before: squared error and ranking loss, no cross-entropy.
 * Inputs: `hidden.B` `[1, n, d]` for each block B, and as `prunerTrainingGraph` all but those of the model and the masks. Outputs: as there.
 */
export function moduleTrainingGraph(g: GraphBuilder, { config, blocks, inputs, losses }: Pick<PrunerGraphOptions, "config" | "blocks" | "inputs" | "losses">): void {
  const modules = new Modules(g, config, blocks, inputs);
  const logits = new Map(blocks.map((block) => [block, modules.score(block, g.input(`hidden.${block}`, "float32", [1, "n", config.hiddenSize]))]));
  finishLoss(g, modules, blocks, logits, losses, []);
}

/** Adds squared errors and ranking losses to `terms`, and the outputs. */
function finishLoss(g: GraphBuilder, modules: Modules, blocks: readonly number[], logits: ReadonlyMap<number, Value>, losses: PrunerLosses, terms: Value[]): void {
  const tokenWeights = losses.mse > 0 ? g.input("token_weights", "float32", ["n", 1]) : null;
  const pairs = losses.ranking > 0 ? { first: g.input("first", "int64", ["p"]), second: g.input("second", "int64", ["p"]) } : null;
  for (const block of blocks) {
    if (!tokenWeights && !pairs) break;
    const target = g.input(`target.${block}`, "float32", ["n", 1]);
    const logit = logits.get(block)!;
    if (tokenWeights) terms.push(term(g, `mse.${block}`, squaredError(g, logit, target, tokenWeights), losses.mse));
    if (pairs) terms.push(term(g, `ranking.${block}`, rankingLoss(g, logit, target, pairs), losses.ranking));
  }
  if (terms.length === 0) throw new Error("pruner losses: all are 0 (at least one must count)");
  const loss = terms.reduce((sum, next) => g.add(sum, next));
  g.output(loss, "loss");
  const [names, values] = [[...modules.parameters.keys()], [...modules.parameters.values()]];
  gradients(g, loss, values).forEach((gradient, i) => g.output(gradient, `gradient:${names[i]}`));
}

/** The modules' scores without masks. Inputs: as `frozenModel`, the parameters and, for `placed` inputs, `log_distance`. Outputs: `logits.B` `[n, 1]` for each block B. */
export function prunerScoringGraph(g: GraphBuilder, weights: Weights, { config, blocks, inputs }: Pick<PrunerGraphOptions, "config" | "blocks" | "inputs">): void {
  const modules = new Modules(g, config, blocks, inputs);
  const predicted = frozenModel(g, weights, config)({
    afterBlock(hidden, block) {
      if (blocks.includes(block)) g.output(modules.score(block, hidden), `logits.${block}`);
      return hidden;
    },
  });
  g.output(predicted, "predicted");
}

/** The modules with their parameters as inputs of the graph. */
class Modules {
  readonly parameters: ReadonlyMap<string, Value>;
  private readonly logDistance: Value | null;

  constructor(
    private readonly g: GraphBuilder,
    private readonly config: ModelConfig,
    blocks: readonly number[],
    inputs: ModuleInputs,
  ) {
    this.parameters = new Map(prunerParameters(config, blocks, inputs).map(({ name, shape }) => [name, g.input(name, "float32", shape)]));
    this.logDistance = inputs === "placed" ? g.input("log_distance", "float32", ["n", 1]) : null;
  }

  /** Hidden states `[1, n, d]` -> logits `[n, 1]`. */
  score(block: number, hidden: Value): Value {
    const part = (name: string) => this.parameters.get(`${block}.scorer.${name}`)!;
    const parameters = { weight0: part("0.weight"), bias0: part("0.bias"), weight2: part("2.weight"), bias2: part("2.bias"), distance: this.logDistance && part("distance") };
    return this.g.reshape(moduleLogits(this.g, hidden, parameters, this.logDistance, this.config.normEps), ["n", 1]);
  }
}

function term(g: GraphBuilder, name: string, value: Value, weight: number): Value {
  g.output(value, name);
  return g.mul(value, weight);
}

function squaredError(g: GraphBuilder, logit: Value, target: Value, weights: Value): Value {
  const error = g.sub(logit, target);
  return g.reduceSum(g.mul(weights, g.mul(error, error)), [0, 1]);
}

/** Mean over pairs of log(1 + exp(-(π_i - π_j) sign(π̂_i - π̂_j))). */
function rankingLoss(g: GraphBuilder, logit: Value, target: Value, { first, second }: { first: Value; second: Value }): Value {
  const difference = (x: Value) => g.sub(g.gather(x, first), g.gather(x, second));
  const margin = g.mul(difference(logit), g.sign(difference(target)));
  return g.reduceMean(g.softplus(g.neg(margin)), [0, 1]);
}
