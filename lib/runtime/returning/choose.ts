import type { Stage } from "../../methods/plan/stages.js";

/**
 * Which of the tokens present a stage keeps, by the rule of the graphs (`select`): the first `head` and last `tail`, then the highest scores, the earlier of equal ones first.
 * @param present original positions, ascending @param scores by position
 * @returns by position: 1 where it stays
 */
export function chosen({ keep, head, tail }: Stage, present: readonly number[], scores: Float32Array): Uint8Array {
  const stays = new Uint8Array(scores.length);
  const free = present.slice(head, present.length - tail);
  for (const position of present.slice(0, head)) stays[position] = 1;
  for (const position of present.slice(present.length - tail)) stays[position] = 1;
  let left = keep - head - tail;
  if (left <= 0) return stays;
  const ranked = Float32Array.from(free, (position) => scores[position]!).sort();
  const least = ranked[ranked.length - left]!;
  for (const position of free) {
    if (scores[position]! > least) {
      stays[position] = 1;
      left--;
    }
  }
  for (const position of free) {
    if (left === 0) break;
    if (scores[position] === least) {
      stays[position] = 1;
      left--;
    }
  }
  return stays;
}
