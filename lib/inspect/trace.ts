import { stagePlace } from "../methods/plan/stages.js";
import type { Run } from "../runtime/run.js";

/** What a stage made of one token. */
export interface TokenAtStage {
  readonly stage: number;
  /** The block that the stage stands after. */
  readonly afterLayer: number;
  readonly kept: boolean;
  /** Null where scores were not read. */
  readonly score: number | null;
  /** How many tokens that were there have a higher score, plus 1; null where scores were not read. */
  readonly rank: number | null;
  /** Tokens that were there. */
  readonly present: number;
}

/** Where one token stands in one layer's cache. */
export interface TokenInLayer {
  /** Its row in each head's keys and values; null in a head that does not hold it. `[kvHeads]` */
  readonly rows: readonly (number | null)[];
}

/** One token through the stages and in the cache. */
export interface TokenTrace {
  readonly position: number;
  /** The stages that it came to, first to last. */
  readonly stages: readonly TokenAtStage[];
  /** `[layers]` */
  readonly layers: readonly TokenInLayer[];
}

/**
 * Follows each token of the prompt: its score and rank at every stage that it came to, and its row in each head of each layer's cache,
 * read off the cache as it is now. `[n]`
 */
export function traceTokens({ ids, stages, kv }: Run): TokenTrace[] {
  const traces = ids.map((_, position) => ({ position, stages: [] as TokenAtStage[], layers: [] as TokenInLayer[] }));
  for (const [stage, { afterLayer, presentPositions, kept, scores }] of stages.entries()) {
    const stays = new Set(kept);
    const ranks = scores && ranksOf(scores);
    presentPositions.forEach((position, i) => traces[position]!.stages.push({ stage, afterLayer, kept: stays.has(position), score: scores ? scores[i]! : null, rank: ranks ? ranks[i]! : null, present: presentPositions.length }));
  }
  for (const layer of kv.layers) {
    const heads = Array.from({ length: layer.kvHeads }, (_, head) => {
      const rows = new Int32Array(ids.length).fill(-1);
      // Tokens that were generated stand behind the prompt's.
      layer.headPositions(head).forEach((position, row) => {
        if (position < ids.length) rows[position] = row;
      });
      return rows;
    });
    for (const { position, layers } of traces) layers.push({ rows: heads.map((rows) => (rows[position]! < 0 ? null : rows[position]!)) });
  }
  return traces;
}

/** 1 for the highest; equal scores have the same. */
function ranksOf(scores: Float32Array): Int32Array {
  const sorted = Float32Array.from(scores).sort().reverse();
  const first = new Map<number, number>();
  sorted.forEach((score, i) => {
    if (!first.has(score)) first.set(score, i + 1);
  });
  return Int32Array.from(scores, (score) => first.get(score)!);
}

/** A token's trace in lines; layers that hold it alike are said together. */
export function traceText({ stages, layers }: TokenTrace, short: (value: number) => string): string[] {
  const lines = stages.map(({ stage, afterLayer, kept, score, rank, present }) => {
    const scored = score === null ? "" : `score ${short(score)}, rank ${rank} of ${present}, `;
    return `stage ${stage}, ${stagePlace(afterLayer)}: ${scored}${kept ? "kept" : "fell"}`;
  });
  const said = layers.map(inLayer);
  for (let from = 0; from < said.length; ) {
    let to = from;
    while (to + 1 < said.length && said[to + 1] === said[from]) to++;
    lines.push(`${from === to ? `layer ${from}` : `layers ${from}-${to}`}: ${said[from]}`);
    from = to + 1;
  }
  return lines;
}

function inLayer({ rows }: TokenInLayer): string {
  const held = rows.flatMap((row, head) => (row === null ? [] : [{ row, head }]));
  if (held.length === 0) return "not in the cache";
  if (held.length === rows.length && held.every(({ row }) => row === held[0]!.row)) return `row ${held[0]!.row}${rows.length > 1 ? ", all heads" : ""}`;
  return held.map(({ row, head }) => `head ${head} row ${row}`).join(", ");
}
