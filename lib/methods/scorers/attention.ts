import { causalBias, scoreBias, softmaxWithSinks } from "../../decoder/attention.js";
import { softcap } from "../../decoder/head.js";
import { layerWindow } from "../../checkpoint/sliding-window.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import type { Value } from "../../onnx/graph.js";
import type { Scorer, ScorerInput } from "../scorer.js";

/** How many of the last tokens are asked what they look at. */
const OBSERVERS = 32;

/**
 * The attention that the last 32 tokens pay to each token in the block before the stage, averaged over heads and over
 * those of the 32 that can see the token (SnapKV, arXiv:2404.14469, without its pooling). Averaged over all 32, the
 * last tokens would lose for being seen by fewer. A token out of everyone's sliding window scores 0.
 */
export const attention: Scorer = {
  name: "attention",
  key: "attention",
  score(g, input) {
    const { positions, queries, stage, config, afterLayer, sinks } = input;
    const n = positions.shape[0]!;
    const observers = `observers.${stage}`;
    const observerPositions = g.slice(positions, 0, -OBSERVERS, Number.MAX_SAFE_INTEGER, observers);
    const products = g.matmul(lastQueries(g, input, observers), input.keys, { transB: true, alpha: config.attentionScale });
    const byHead = g.reshape(softcap(g, products, config.attentionSoftcap), [config.kvHeads, config.heads / config.kvHeads, observers, n]);
    const scores = g.add(byHead, scoreBias(g, config, afterLayer, observerPositions, positions));
    const weights = sinks ? softmaxWithSinks(g, scores, g.reshape(sinks, [config.kvHeads, config.heads / config.kvHeads, 1, 1])) : g.softmax(scores);
    const paid = g.reduceSum(g.reduceMean(weights, [0, 1]), [0]);
    const seenBy = g.reduceSum(g.exp(causalBias(g, observerPositions, positions, layerWindow(config, afterLayer))), [0]);
    return g.reshape(g.div(paid, g.max(seenBy, 1)), [queries.shape[1]!]);
  },
};

/** Queries of the last tokens by the key head they share: `[1, kvHeads, group * observers, headDim]`. */
function lastQueries(g: GraphBuilder, { queries, stage, config }: ScorerInput, observers: string): Value {
  const { heads, kvHeads, headDim } = config;
  const last = g.slice(queries, 1, -OBSERVERS, Number.MAX_SAFE_INTEGER, observers);
  const split = g.transpose(g.reshape(last, [1, observers, kvHeads, heads / kvHeads, headDim]), [0, 2, 3, 1, 4]);
  return g.reshape(split, [1, kvHeads, `observer_rows.${stage}`, headDim]);
}
