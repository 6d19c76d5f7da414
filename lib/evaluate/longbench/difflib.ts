/**
 * How alike two texts are, 0 … 1: twice the characters in common over the characters in both, as Python's `difflib.SequenceMatcher`
 * counts them (the longest block in common, then the same to its left and right; in texts of 200 characters and more, those that are
 * more than a hundredth of the second one start no block).
 */
export function ratio(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  const total = left.length + right.length;
  return total === 0 ? 1 : (2 * matches(left, right)) / total;
}

function matches(a: readonly string[], b: readonly string[]): number {
  const places = new Map<string, number[]>();
  b.forEach((character, j) => {
    const list = places.get(character);
    if (list) list.push(j);
    else places.set(character, [j]);
  });
  if (b.length >= 200) for (const [character, list] of places) if (list.length > Math.floor(b.length / 100) + 1) places.delete(character);
  let count = 0;
  const todo: [number, number, number, number][] = [[0, a.length, 0, b.length]];
  for (let stretch = todo.pop(); stretch; stretch = todo.pop()) {
    const [fromA, toA, fromB, toB] = stretch;
    const [i, j, size] = longest(a, b, places, fromA, toA, fromB, toB);
    if (size === 0) continue;
    count += size;
    todo.push([fromA, i, fromB, j], [i + size, toA, j + size, toB]);
  }
  return count;
}

/** The first longest block in common: where it begins in each, and its length. */
function longest(a: readonly string[], b: readonly string[], places: ReadonlyMap<string, readonly number[]>, fromA: number, toA: number, fromB: number, toB: number): [number, number, number] {
  let [bestI, bestJ, size] = [fromA, fromB, 0];
  let before = new Map<number, number>();
  for (let i = fromA; i < toA; i++) {
    const lengths = new Map<number, number>();
    for (const j of places.get(a[i]!) ?? []) {
      if (j < fromB) continue;
      if (j >= toB) break;
      const length = (before.get(j - 1) ?? 0) + 1;
      lengths.set(j, length);
      if (length > size) [bestI, bestJ, size] = [i - length + 1, j - length + 1, length];
    }
    before = lengths;
  }
  // Characters that start no block may go on with one.
  while (bestI > fromA && bestJ > fromB && a[bestI - 1] === b[bestJ - 1]) [bestI, bestJ, size] = [bestI - 1, bestJ - 1, size + 1];
  while (bestI + size < toA && bestJ + size < toB && a[bestI + size] === b[bestJ + size]) size++;
  return [bestI, bestJ, size];
}
