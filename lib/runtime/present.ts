import type { Stage } from "../methods/plan/stages.js";

/** Original positions of the tokens present in each block. @param kept positions that each stage kept */
export function presentPositions(stages: readonly Stage[], kept: readonly Int32Array[], n: number, layers: number): Int32Array[] {
  let present = allPositions(n);
  let stage = 0;
  while ((stages[stage]?.afterLayer ?? 0) < 0) present = kept[stage++]!;
  return Array.from({ length: layers }, (_, layer) => {
    const positions = present;
    while (stages[stage]?.afterLayer === layer) present = kept[stage++]!;
    return positions;
  });
}

export function allPositions(n: number): Int32Array {
  return Int32Array.from({ length: n }, (_, position) => position);
}

/** Index in `positions` of each of `wanted`; both ascending, `wanted` a subset. */
export function rowsOf(wanted: Int32Array, positions: Int32Array): Int32Array {
  let row = 0;
  return wanted.map((position) => {
    while (positions[row]! < position) row++;
    return row;
  });
}

/** Original positions of the tokens that each head keeps. @param rows head * n + row of each, ascending @param present positions `[n]` */
export function positionsByHead(rows: BigInt64Array, present: Int32Array, heads: number): Int32Array[] {
  const n = present.length;
  const byHead: number[][] = Array.from({ length: heads }, () => []);
  for (const row of rows) {
    const at = Number(row);
    byHead[Math.floor(at / n)]!.push(present[at % n]!);
  }
  return byHead.map((positions) => Int32Array.from(positions));
}
