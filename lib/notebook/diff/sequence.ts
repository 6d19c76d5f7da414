/**
 * Positions of a longest common subsequence of two sequences.
 * @param equal whether two items are the same
 */
export function matches(n: number, m: number, equal: (i: number, j: number) => boolean): [number, number][] {
  let head = 0;
  while (head < n && head < m && equal(head, head)) head++;
  let tail = 0;
  while (tail < n - head && tail < m - head && equal(n - 1 - tail, m - 1 - tail)) tail++;
  const [a, b] = [n - head - tail, m - head - tail];
  const lengths = Array.from({ length: a + 1 }, () => new Uint32Array(b + 1));
  for (let i = a - 1; i >= 0; i--) {
    for (let j = b - 1; j >= 0; j--) lengths[i]![j] = equal(head + i, head + j) ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
  }
  const pairs: [number, number][] = Array.from({ length: head }, (_, i) => [i, i]);
  for (let [i, j] = [0, 0]; i < a && j < b; ) {
    if (equal(head + i, head + j)) pairs.push([head + i++, head + j++]);
    else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) i++;
    else j++;
  }
  for (let i = tail; i > 0; i--) pairs.push([n - i, m - i]);
  return pairs;
}

export interface Line {
  kind: "same" | "removed" | "added";
  text: string;
}

/** The lines of two texts: those of both, those removed, those added. */
export function lineDiff(before: string, after: string): Line[] {
  const [a, b] = [before, after].map((text) => (text === "" ? [] : text.split("\n"))) as [string[], string[]];
  const result: Line[] = [];
  let [i, j] = [0, 0];
  for (const [x, y] of [...matches(a.length, b.length, (p, q) => a[p] === b[q]), [a.length, b.length] as const]) {
    result.push(...a.slice(i, x).map((text): Line => ({ kind: "removed", text })), ...b.slice(j, y).map((text): Line => ({ kind: "added", text })));
    if (x < a.length) result.push({ kind: "same", text: a[x]! });
    [i, j] = [x + 1, y + 1];
  }
  return result;
}

/**
 * Merges two changes of one text, line by line.
 * @returns the text, with marks as git writes them where both changed the same lines, and whether there are any
 */
export function mergeText(base: string, ours: string, theirs: string): { text: string; conflict: boolean } {
  if (ours === theirs || base === theirs) return { text: ours, conflict: false };
  if (base === ours) return { text: theirs, conflict: false };
  const [o, a, b] = [base, ours, theirs].map((text) => text.split("\n")) as [string[], string[], string[]];
  const inOurs = new Map(matches(o.length, a.length, (i, j) => o[i] === a[j]));
  const inTheirs = new Map(matches(o.length, b.length, (i, j) => o[i] === b[j]));
  // Lines that all three have part the text into pieces.
  const fixed = o.flatMap((_, i) => (inOurs.has(i) && inTheirs.has(i) ? [[i, inOurs.get(i)!, inTheirs.get(i)!] as const] : []));
  const result: string[] = [];
  let conflict = false;
  let [i, x, y] = [0, 0, 0];
  for (const [nextO, nextA, nextB] of [...fixed, [o.length, a.length, b.length] as const]) {
    const [was, mine, other] = [o.slice(i, nextO), a.slice(x, nextA), b.slice(y, nextB)];
    const same = (p: string[], q: string[]) => p.length === q.length && p.every((line, at) => line === q[at]);
    if (same(mine, other) || same(was, other)) result.push(...mine);
    else if (same(was, mine)) result.push(...other);
    else {
      conflict = true;
      result.push("<<<<<<< ours", ...mine, "=======", ...other, ">>>>>>> theirs");
    }
    if (nextO < o.length) result.push(o[nextO]!);
    [i, x, y] = [nextO + 1, nextA + 1, nextB + 1];
  }
  return { text: result.join("\n"), conflict };
}
