/** What pairs of ids become, and in which order. An open hash table in typed arrays: half a million pairs cost 8 MB and no time. */
export class MergeTable {
  private readonly mask: number;
  private readonly left: Int32Array;
  private readonly right: Int32Array;
  private readonly rank: Int32Array;
  private readonly merged: Int32Array;
  private readonly mergedByRank: Int32Array;

  /** @param size pairs at most */
  constructor(size: number) {
    const slots = 2 ** Math.ceil(Math.log2(2 * size + 2));
    this.mask = slots - 1;
    this.left = new Int32Array(slots).fill(-1);
    this.right = new Int32Array(slots);
    this.rank = new Int32Array(slots);
    this.merged = new Int32Array(slots);
    this.mergedByRank = new Int32Array(size);
  }

  /** A pair given again counts in its last place. */
  add(left: number, right: number, rank: number, merged: number): void {
    const slot = this.slot(left, right);
    [this.left[slot], this.right[slot], this.rank[slot], this.merged[slot]] = [left, right, rank, merged];
    this.mergedByRank[rank] = merged;
  }

  /**
   * Merges neighbours, lowest rank first and among equals the leftmost, until no pair is known: n log n steps.
   * @param symbols ids; they are overwritten
   */
  apply(symbols: number[]): number[] {
    const n = symbols.length;
    if (n < 2) return symbols;
    const [next, before] = [new Int32Array(n), new Int32Array(n)];
    for (let i = 0; i < n; i++) [next[i], before[i]] = [i + 1, i - 1];
    // One number holds rank and place, so that the least one is next.
    const queue = new MinHeap();
    const consider = (at: number) => {
      const slot = this.slot(symbols[at]!, symbols[next[at]!]!);
      if (this.left[slot] !== -1) queue.push(this.rank[slot]! * PLACES + at);
    };
    for (let i = 0; i + 1 < n; i++) consider(i);
    for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
      const at = top % PLACES;
      const other = next[at]!;
      if (symbols[at] === -1 || other >= n) continue;
      const slot = this.slot(symbols[at]!, symbols[other]!);
      // Out of date where the two have changed meanwhile and would make another token.
      if (this.left[slot] === -1 || this.merged[slot] !== this.mergedByRank[(top - at) / PLACES]) continue;
      symbols[at] = this.merged[slot]!;
      symbols[other] = -1;
      next[at] = next[other]!;
      if (next[at]! < n) before[next[at]!] = at;
      if (before[at]! >= 0) consider(before[at]!);
      if (next[at]! < n) consider(at);
    }
    return symbols.filter((symbol) => symbol !== -1);
  }

  private slot(left: number, right: number): number {
    let slot = (Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & this.mask;
    while (this.left[slot] !== -1 && (this.left[slot] !== left || this.right[slot] !== right)) slot = (slot + 1) & this.mask;
    return slot;
  }
}

/** More places than a string has characters. */
const PLACES = 2 ** 30;

class MinHeap {
  private readonly items: number[] = [];

  push(item: number): void {
    const { items } = this;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]! <= item) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): number | undefined {
    const { items } = this;
    if (items.length < 2) return items.pop();
    const top = items[0]!;
    const item = items.pop()!;
    const n = items.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= n) break;
      if (child + 1 < n && items[child + 1]! < items[child]!) child++;
      if (items[child]! >= item) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = item;
    return top;
  }
}
