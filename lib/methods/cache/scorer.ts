import type { ModelConfig } from "../../checkpoint/types.js";
import type { Rotary } from "../../decoder/positions.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import type { Value } from "../../onnx/graph.js";

/** What a cache's scorer may look at in a layer with `n` tokens present: graph values. */
export interface CacheScorerInput {
  /** Of the last `m` tokens, as many as `queriesWanted` says: queries after rotary embedding and before it, `[1, m, heads * headDim]`. */
  readonly queries: Value;
  readonly unturned: Value;
  /** After rotary embedding, `[1, kvHeads, n, headDim]`. */
  readonly keys: Value;
  readonly values: Value;
  /** Original positions, `[n]` int64, increasing. */
  readonly positions: Value;
  /** The layer's attention sinks, `[heads]`; null: none. */
  readonly sinks: Value | null;
  readonly layer: number;
  readonly config: ModelConfig;
  /** Rotary rows `[1, rotaryDim / 2]`, the mean over the positions to come; null where the layer's keys are not turned. */
  future(): Rotary | null;
}

/** Gives each head of a layer a score for each token present. */
export interface CacheScorer {
  /** `[kvHeads, n]` float32; the higher ones stay. */
  score(g: GraphBuilder, input: CacheScorerInput): Value;
  /** `[2]` float32, how widely the layer's last tokens look and how much that shifts, where the scorer can tell. */
  preference?(g: GraphBuilder, input: CacheScorerInput): Value;
}
