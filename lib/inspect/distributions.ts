import type { Run } from "../runtime/run.js";

/** Scores at one stage: those of the tokens that had to win their place. */
export interface ScoreDistribution {
  readonly stage: number;
  readonly afterLayer: number;
  /** Bins of equal width, or of equal ratio where all scores are positive and spread over more than a factor of 100. */
  readonly scale: "linear" | "log";
  /** `[bins + 1]`, ascending. */
  readonly edges: Float64Array;
  /** Tokens kept and dropped by score in each bin, forced ones left out. `[bins]` */
  readonly kept: Int32Array;
  readonly dropped: Int32Array;
  /** Lowest score that stayed and highest that fell, the cut between them; null where there is none. */
  readonly lowestKept: number | null;
  readonly highestDropped: number | null;
  /** Tokens that stayed whatever their score. */
  readonly forced: number;
  /** Scores that are no finite number. */
  readonly notFinite: number;
}

/** @throws where the scores were not read */
export function scoreDistributions(run: Run, { bins = 40 } = {}): ScoreDistribution[] {
  if (!Number.isSafeInteger(bins) || bins < 1) throw new Error(`bins: ${bins} (must be a positive integer)`);
  return run.stages.map(({ scores, presentPositions, kept, head, tail, afterLayer }, stage) => {
    if (!scores) throw new Error(`scores: not read at stage ${stage} (prefill with { scores: true })`);
    const stays = new Set(kept);
    const free = scores.subarray(head, scores.length - tail);
    const isKept = (i: number) => stays.has(presentPositions[head + i]!);
    const finite = free.filter(Number.isFinite);
    const low = finite.reduce((a, b) => Math.min(a, b), Infinity);
    const high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
    const scale = low > 0 && high > 100 * low ? "log" : "linear";
    const [place, value] = scale === "log" ? [Math.log, Math.exp] : [(x: number) => x, (x: number) => x];
    const width = (place(high) - place(low)) / bins || 1;
    const counts = { kept: new Int32Array(bins), dropped: new Int32Array(bins) };
    let lowestKept = Infinity;
    let highestDropped = -Infinity;
    free.forEach((score, i) => {
      if (!Number.isFinite(score)) return;
      const bin = Math.min(bins - 1, Math.floor((place(score) - place(low)) / width));
      counts[isKept(i) ? "kept" : "dropped"][bin]!++;
      if (isKept(i)) lowestKept = Math.min(lowestKept, score);
      else highestDropped = Math.max(highestDropped, score);
    });
    const edges = Float64Array.from({ length: finite.length > 0 ? bins + 1 : 0 }, (_, i) => value(place(low) + i * width));
    return { stage, afterLayer, scale, edges, ...counts, lowestKept: orNull(lowestKept), highestDropped: orNull(highestDropped), forced: head + tail, notFinite: free.length - finite.length };
  });
}

function orNull(score: number): number | null {
  return Number.isFinite(score) ? score : null;
}
