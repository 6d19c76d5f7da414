import type { Stage } from "../methods/plan/stages.js";

/** What a stage did with the tokens before it. */
export interface StageResult extends Stage {
  /** Original positions of the tokens kept, ascending. */
  readonly kept: Int32Array;
  /** Original positions of the tokens present before the stage. */
  readonly presentPositions: Int32Array;
  /** Original positions of the tokens that fell here, ascending. */
  readonly dropped: Int32Array;
  /** Original positions of the tokens that stayed whatever their score: the first `head` and the last `tail`. */
  readonly forced: Int32Array;
  /** Score of each token present, where they were asked for. */
  readonly scores: Float32Array | null;
}

/** `dropped` and `forced` are worked out when looked at. */
export function stageResult(stage: Stage, presentPositions: Int32Array, kept: Int32Array, scores: Float32Array | null): StageResult {
  return {
    ...stage,
    kept,
    presentPositions,
    scores,
    get dropped() {
      const stays = new Set(kept);
      return presentPositions.filter((position) => !stays.has(position));
    },
    get forced() {
      return presentPositions.filter((_, i) => i < stage.head || i >= presentPositions.length - stage.tail);
    },
  };
}

/** What a layer's cache was cut down to. */
export interface CacheResult {
  /** Original positions of the tokens that the layer computed. */
  readonly present: Int32Array;
  /** Original positions that each head kept, ascending. */
  readonly kept: readonly Int32Array[];
  /** Scores of the tokens present, `[kvHeads, present]`, where they were asked for. */
  readonly scores: Float32Array | null;
}
