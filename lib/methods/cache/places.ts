import type { GraphBuilder } from "../../onnx/builder.js";
import type { Value } from "../../onnx/graph.js";
import { randomScores } from "../scorers/random.js";
import type { CacheScoring } from "./budget.js";
import type { CacheScorer, CacheScorerInput } from "./scorer.js";

/** The latest tokens (StreamingLLM, arXiv:2309.17453, with its sinks forced). */
export const recency: CacheScorer = {
  score: (g, input) => everyHead(g, input, g.cast(input.positions, "float32")),
};

/** By chance, in each head otherwise. */
export function random({ seed }: Extract<CacheScoring, { kind: "random" }>): CacheScorer {
  return {
    score(g, { positions, config, layer }) {
      const heads = g.constant("int64", Array.from({ length: config.kvHeads }, (_, head) => head), [config.kvHeads, 1]);
      return randomScores(g, g.add(g.mul(g.reshape(positions, [1, positions.shape[0]!]), config.kvHeads), heads), seed, layer);
    },
  };
}

function everyHead(g: GraphBuilder, { config, positions }: CacheScorerInput, scores: Value): Value {
  const n = positions.shape[0]!;
  return g.expand(g.reshape(scores, [1, n]), [config.kvHeads, n]);
}
