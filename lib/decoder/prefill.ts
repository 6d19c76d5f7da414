import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Dim, Value } from "../onnx/graph.js";
import type { Scorer } from "../pruning/scorer.js";
import { select, stageCounts } from "../pruning/stage.js";
import { causalBias, fusedAttention, plainAttention, type Attention } from "./attention.js";
import { block, type Rotary } from "./block.js";
import { embed, head } from "./head.js";
import type { Weights } from "./weights.js";

export interface PrefillOptions {
  readonly config: ModelConfig;
  /** Blocks that a pruning stage stands after, ascending. */
  readonly stages: readonly number[];
  /** Needed where there are stages. */
  readonly scorer: Scorer | null;
  /** `fused`: memory linear in n. `plain`: quadratic, but any mask and any device. */
  readonly attention: "fused" | "plain";
}

/**
 * The whole prompt in one run, pruning stages inside.
 * Inputs: `ids` `[1, n]` int64; `cos`, `sin` `[n, headDim / 2]`; `stage.S.keep`, `.head`, `.tail` `[1]` int64 for each stage S.
 * Outputs: `logits` `[1, vocabulary]` of the last token; `key.L`, `value.L` `[1, kvHeads, n_L, headDim]` of each layer;
 * `kept.S` `[k]` int64, the original positions kept at stage S; `scores.S` `[n_S]`, one for each token present there.
 */
export function prefillGraph(g: GraphBuilder, weights: Weights, options: PrefillOptions): void {
  const { config, stages, scorer } = options;
  const ids = g.input("ids", "int64", [1, "n"]);
  const table = (name: string) => g.input(name, "float32", ["n", config.headDim / 2]);
  let rotary: Rotary = { cos: table("cos"), sin: table("sin") };
  let positions = g.range("n");
  let attention = attentionFor(g, options, positions);
  let hidden = embed(g, weights, ids);
  let scores: Value | null = null;

  for (let layer = 0; layer < config.layers; layer++) {
    const result = block(g, weights, config, layer, hidden, rotary, attention);
    hidden = g.rename(result.hidden, `block.${layer}.hidden`);
    g.output(result.key, `key.${layer}`);
    g.output(result.value, `value.${layer}`);

    const stage = stages.indexOf(layer);
    if (stage < 0) continue;
    if (!scorer) throw new Error(`prefill: a scorer is needed for the stage after block ${layer}`);
    const isLast = layer === config.layers - 1;
    // After the last block a token's saliency is zero by construction: the scores of the stage before go on.
    if (!isLast || !scores) {
      scores = scorer.score(g, { hidden, positions, queries: result.queries, keys: result.key, stage, afterLayer: layer, config });
    }
    g.output(scores, `scores.${stage}`);
    const size: Dim = `kept.${stage}`;
    const kept = select(g, scores, stageCounts(g, stage), size);
    scores = g.gather(scores, kept);
    positions = g.gather(positions, kept);
    g.output(positions, `kept.${stage}`);
    if (isLast) continue;
    hidden = g.gather(hidden, kept, 1);
    rotary = { cos: g.gather(rotary.cos, kept), sin: g.gather(rotary.sin, kept) };
    attention = attentionFor(g, options, positions);
  }
  const last = g.slice(hidden, 1, -1, Number.MAX_SAFE_INTEGER, 1);
  g.output(g.reshape(head(g, weights, config, last), [1, config.vocabSize]), "logits");
}

function attentionFor(g: GraphBuilder, { config, attention }: PrefillOptions, positions: Value): Attention {
  return attention === "fused" ? fusedAttention(config) : plainAttention(config, causalBias(g, positions, config.slidingWindow));
}
