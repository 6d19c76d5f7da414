import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";

/**
 * Cross-entropy of each row in nats: `logits` `[m, vocabulary]`, `targets` `[m, 1]` int64 -> `[m, 1]`.
 * Its gradient is written as a whole, softmax minus one-hot: the generic rules would spread a
 * sparse gradient over a dense `[m, vocabulary]` twice.
 */
export function crossEntropy(g: GraphBuilder, logits: Value, targets: Value): Value {
  let logProbabilities: Value;
  return g.composite(
    [logits],
    () => {
      logProbabilities = g.logSoftmax(logits);
      return g.neg(g.gatherElements(logProbabilities, targets, 1));
    },
    (gradient) => [g.scatterAdd(g.mul(g.exp(logProbabilities), gradient), targets, g.neg(gradient), 1)],
  );
}

/**
 * Kullback-Leibler divergence of predictions from those of `reference` in nats, both logits `[m, vocabulary]` -> `[m, 1]`: the
 * cross-entropy against the reference's probabilities, less their entropy. The reference counts as constant.
 */
export function divergence(g: GraphBuilder, logits: Value, reference: Value): Value {
  let [probabilities, logProbabilities]: Value[] = [];
  return g.composite(
    [logits],
    () => {
      logProbabilities = g.logSoftmax(logits);
      const referenceLog = g.logSoftmax(reference);
      probabilities = g.exp(referenceLog);
      return g.reduceSum(g.mul(probabilities, g.sub(referenceLog, logProbabilities)), [1], true);
    },
    (gradient) => [g.mul(g.sub(g.exp(logProbabilities!), probabilities!), gradient)],
  );
}
