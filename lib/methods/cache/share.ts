// How a budget is shared where the prompt itself decides it (see `sharedBudget`): plain functions over scores.
import type { CacheSelection } from "../plan/cache.js";

/**
 * Tokens of each layer beside those that always stay: `total` in proportion to the layers' preferences, no layer above its cap; what is above it goes to the others, as
 * much to each, as in CAKE's `adjust_budgets` (there one round, here until the sum is exact). Rounding leaves a few, which go to the first layers.
 * @throws where a preference is not a finite number, 0 or more
 */
export function layerBudgets(preferences: readonly number[], total: number, caps: readonly number[]): number[] {
  const sum = preferences.reduce((a, b) => a + b, 0);
  const bad = preferences.findIndex((value) => !(value >= 0 && Number.isFinite(value)));
  if (bad >= 0) throw new Error(`layer ${bad}: a preference of ${preferences[bad]} (must be a finite number, 0 or more)`);
  const budgets = preferences.map((value, layer) => Math.min(caps[layer]!, Math.floor((sum > 0 ? value / sum : 1 / preferences.length) * total)));
  let left = total - budgets.reduce((a, b) => a + b, 0);
  while (left > 0) {
    const open = [...budgets.keys()].filter((layer) => budgets[layer]! < caps[layer]!);
    if (open.length === 0) break;
    const each = Math.floor(left / open.length);
    const one = left % open.length;
    open.forEach((layer, i) => {
      const more = Math.min(caps[layer]! - budgets[layer]!, each + (i < one ? 1 : 0));
      budgets[layer]! += more;
      left -= more;
    });
  }
  return budgets;
}

/** Rows that one head keeps, ascending: the first `head` and last `tail`, and the best of the others. @param scores `[n]` */
export function bestRows(scores: Float32Array, keep: number, head: number, tail: number): Int32Array {
  const rows = Array.from(scores.keys());
  const free = rows.slice(head, scores.length - tail).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return Int32Array.from([...rows.slice(0, head), ...rows.slice(scores.length - tail), ...free.slice(0, keep - head - tail)]).sort();
}

/**
 * Rows that each head of each layer keeps, `[layers][kvHeads]`: those that always stay, and the best of all heads of all layers together, an earlier layer, head and
 * row before a later one of equal score.
 * @param scores `[kvHeads * n_L]` of each layer
 */
export function bestOfAll(scores: readonly Float32Array[], selections: readonly CacheSelection[], kvHeads: number): Int32Array[][] {
  const total = kvHeads * selections.reduce((sum, { keep, head, tail }) => sum + keep - head - tail, 0);
  const free = selections.map(({ present, head, tail }, layer) => Array.from({ length: kvHeads }, (_, h) => scores[layer]!.subarray(h * present + head, (h + 1) * present - tail)));
  const all = new Float32Array(free.flat().reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const row of free.flat()) {
    all.set(row, at);
    at += row.length;
  }
  all.sort();
  const least = total > 0 ? all[all.length - total]! : Infinity;
  // Of those that score exactly that, as many as there is room for.
  let equal = total - (total > 0 ? all.length - firstAbove(all, least) : 0);
  return free.map((heads, layer) => heads.map((row) => {
    const { present, head, tail } = selections[layer]!;
    const kept: number[] = Array.from({ length: head }, (_, i) => i);
    row.forEach((score, i) => {
      if (score > least || (score === least && equal-- > 0)) kept.push(head + i);
    });
    for (let i = present - tail; i < present; i++) kept.push(i);
    return Int32Array.from(kept);
  }));
}

/** Index of the first element above `value` in an ascending array. */
function firstAbove(sorted: Float32Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
