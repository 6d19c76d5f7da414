import type { Run } from "../runtime/run.js";

/** What became of each token of a prompt of n tokens. */
export interface TokenFates {
  /** Stage at which each token fell, from 0; -1 where it stayed to the end. `[n]` */
  readonly stage: Int16Array;
  /** Score at the stage where it fell, or at the last stage for those that stayed; null where scores were not read. `[n]` */
  readonly score: Float32Array | null;
  /** 1 where the token stayed because the last stage had to keep it, whatever its score. `[n]` */
  readonly forced: Uint8Array;
}

export function tokenFates({ ids, stages }: Run): TokenFates {
  const stage = new Int16Array(ids.length).fill(-1);
  const forced = new Uint8Array(ids.length);
  const score = stages.length > 0 && stages.every(({ scores }) => scores) ? new Float32Array(ids.length) : null;
  stages.forEach(({ dropped, presentPositions, scores }, s) => {
    for (const position of dropped) stage[position] = s;
    if (score) presentPositions.forEach((position, i) => (score[position] = scores![i]!));
  });
  for (const position of stages.at(-1)?.forced ?? []) forced[position] = 1;
  return { stage, score, forced };
}
