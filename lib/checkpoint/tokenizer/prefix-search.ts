/**
 * Which of many strings begin at a place of a text. They lie sorted, and the stretch that still fits is narrowed character by
 * character: no memory beyond the strings, where a trie of a large vocabulary takes a hundred times as much.
 */
export class PrefixSearch {
  /** The strings, sorted by UTF-16 units, each once. */
  readonly strings: readonly string[];
  /** Where those that begin with a unit lie. */
  private readonly stretches = new Map<number, { from: number; to: number }>();

  constructor(strings: Iterable<string>) {
    this.strings = [...new Set(strings)].filter((string) => string !== "").sort();
    for (const [at, string] of this.strings.entries()) {
      const unit = string.charCodeAt(0);
      const stretch = this.stretches.get(unit);
      if (stretch) stretch.to = at + 1;
      else this.stretches.set(unit, { from: at, to: at + 1 });
    }
  }

  /** Calls `found` with the index in `strings` and the length of each string that begins at `at`, shortest first. */
  each(text: string, at: number, found: (index: number, length: number) => void): void {
    const stretch = this.stretches.get(text.charCodeAt(at));
    if (!stretch) return;
    let { from, to } = stretch;
    for (let depth = 1; from < to; depth++) {
      if (this.strings[from]!.length === depth) found(from++, depth);
      if (at + depth >= text.length) return;
      const unit = text.charCodeAt(at + depth);
      [from, to] = [this.bound(from, to, depth, unit), this.bound(from, to, depth, unit + 1)];
    }
  }

  /** The index of the longest string that begins at `at`; -1: none. */
  longest(text: string, at: number): number {
    let longest = -1;
    this.each(text, at, (index) => (longest = index));
    return longest;
  }

  /** The first index whose unit at `depth` is `unit` or more. */
  private bound(from: number, to: number, depth: number, unit: number): number {
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.strings[middle]!.charCodeAt(depth) < unit) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
