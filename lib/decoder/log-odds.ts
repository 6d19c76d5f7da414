import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";

/** Stands for -inf where infinities would meet in a difference. */
const NEVER = -1e30;

/**
 * Log-odds against each row's target, log((1 - p) / p) = logsumexp of the other logits - the target's: `logits` `[m, vocabulary]`,
 * `targets` `[m, 1]` int64 -> `[m, 1]`. The gradient of cross-entropy is 1 - p times this one's: it fades where a model is sure,
 * although what makes it sure matters most; this one does not fade.
 */
export function logOdds(g: GraphBuilder, logits: Value, targets: Value): Value {
  let others: Value;
  return g.composite(
    [logits],
    () => {
      const target = g.gatherElements(logits, targets, 1);
      const masked = g.scatterAdd(logits, targets, g.sub(NEVER, target), 1);
      others = g.softmax(masked);
      // Every row of masked - logSoftmax(masked) is the same number: read where the probability is.
      const total = g.reduceSum(g.mul(others, g.sub(masked, g.logSoftmax(masked))), [1], true);
      return g.sub(total, target);
    },
    (gradient) => [g.scatterAdd(g.mul(others, gradient), targets, g.neg(gradient), 1)],
  );
}
