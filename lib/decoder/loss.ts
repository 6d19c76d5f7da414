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
