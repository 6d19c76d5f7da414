import type { ModelConfig } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Value } from "../onnx/graph.js";

/** What a scorer may look at: graph values for the `n` tokens present at a stage. */
export interface ScorerInput {
  /** Hidden states after the block, `[1, n, d]`. */
  readonly hidden: Value;
  /** Original positions, `[n]` int64, increasing. */
  readonly positions: Value;
  /** Queries of the block after rotary embedding, `[1, n, heads * headDim]`. */
  readonly queries: Value;
  /** Keys of the block after rotary embedding, `[1, kvHeads, n, headDim]`. */
  readonly keys: Value;
  /** The block's attention sinks, `[heads]` (see `Projections`); null or absent: none. */
  readonly sinks?: Value | null;
  /** What the block's attention adds to the hidden states, `[1, n, d]`. */
  readonly update: Value;
  /** How many tokens at the end stay in any case, `[1]` int64. */
  readonly tail: Value;
  /** Index of the stage, from 0. */
  readonly stage: number;
  /** The block the stage stands after, from 0. */
  readonly afterLayer: number;
  readonly config: ModelConfig;
}

/** Gives every token present at a stage a score; the higher ones stay. */
export interface Scorer {
  /** Name in commands and tables. */
  readonly name: string;
  /** Tells scorers of one name apart (a seed, a file's hash): graphs are cached by it. */
  readonly key: string;
  /** The name of another model that chooses before the first block (`Speculation`); absent: the scorer works inside the graph. */
  readonly speculator?: string;
  /** Adds nodes to `g` and returns the scores, `[n]` float32. */
  score(g: GraphBuilder, input: ScorerInput): Value;
}

let defined = 0;

/**
 * A scorer of one's own, written in graph operations.
 * @example
 * const latest = defineScorer("latest", (g, { positions }) => g.cast(positions, "float32"));
 */
export function defineScorer(name: string, score: Scorer["score"]): Scorer {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw new Error(`scorer name: ${JSON.stringify(name)} (must be letters, digits, ".", "_" and "-")`);
  // Each definition counts as new: a notebook cell that is run again after an edit must not get the old graph.
  return { name, key: `${name}#${++defined}`, score };
}
