// A pruning stage as a graph of its own, for prompts that go through the blocks in pieces.
import type { ModelConfig } from "../checkpoint/types.js";
import type { Scorer, ScorerInput } from "../methods/scorer.js";
import { select, stageCounts } from "../methods/select.js";
import { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";
import { blockWeight, required, type Weights } from "./weights.js";

/** What a block has made of every token that a scorer may look at, beside keys. */
export type StateName = "hidden" | "update" | "queries";

export interface StageOptions {
  readonly stage: number;
  readonly afterLayer: number;
  /** Null: the scores of the stage before go on. */
  readonly scorer: Scorer | null;
}

/** What of each token the scorer of a stage looks at. */
export interface StageNeeds {
  readonly states: readonly StateName[];
  readonly keys: boolean;
}

/**
 * One stage among `n` tokens.
 * Inputs: `stage.S.keep`, `.head`, `.tail` `[1]` int64; what the scorer looks at of `positions` `[n]` int64, `hidden` and `update` `[1, n, d]`, `queries` `[1, n, heads * headDim]`,
 * `keys` `[1, kvHeads, n, headDim]`; or, without a scorer, `scores` `[n]`.
 * Outputs: `rows` `[keep]` int64, which of the tokens stay, ascending; `scored` `[n]`.
 */
export function stageGraph(g: GraphBuilder, weights: Pick<Weights, "find">, config: ModelConfig, options: StageOptions): StageNeeds {
  const { stage, afterLayer, scorer } = options;
  const found = new Map<string, Value>();
  // What nobody looks at is no input: it need not be there.
  const once = (name: string, make: () => Value): Value => {
    let value = found.get(name);
    if (!value) found.set(name, (value = make()));
    return value;
  };
  const state = (name: string, width: number) => once(name, () => g.input(name, "float32", [1, "n", width]));
  const counts = stageCounts(g, stage);
  const input: ScorerInput = {
    get hidden() { return state("hidden", config.hiddenSize); },
    get update() { return state("update", config.hiddenSize); },
    get queries() { return state("queries", config.heads * config.headDim); },
    get keys() { return once("keys", () => g.input("keys", "float32", [1, config.kvHeads, "n", config.headDim])); },
    get positions() { return once("positions", () => g.input("positions", "int64", ["n"])); },
    get sinks() { return config.attentionSinks ? once("sinks", () => required(weights, blockWeight(afterLayer, "self_attn.sinks.weight"))) : null; },
    tail: counts.tail, stage, afterLayer, config,
  };
  const scores = scorer ? scorer.score(g, input) : g.input("scores", "float32", ["n"]);
  g.output(g.identity(scores), "scored");
  g.output(select(g, scores, counts, "kept"), "rows");
  return { states: (["hidden", "update", "queries"] as const).filter((name) => found.has(name)), keys: found.has("keys") };
}

/** What a stage's scorer looks at, found by writing its graph. */
export function stageNeeds(config: ModelConfig, options: StageOptions): StageNeeds {
  const g = new GraphBuilder("needs");
  return stageGraph(g, { find: (name) => g.input(name, "float32", [config.heads]) }, config, options);
}
