import type { Run } from "../runtime/run.js";

/** What a cache was made by: only requests of the same can go on from it. */
export interface PrefixKind {
  /** Method, scorer and KV policy. */
  readonly pruning: string;
  /** Tokens at the start that were pruned as one; 0: nothing is pruned. */
  readonly context: number;
}

/** A run that requests can go on from. */
interface Entry extends PrefixKind {
  /** Of one that is being continued, tokens after its prompt too. */
  readonly run: Run;
  /** Logits after the context, where it was pruned: what follows may not be what comes next. */
  readonly contextLogits: Float32Array | null;
  /** Tokens that others may go on from; of one that is being continued, as it is now. */
  tokens(): readonly number[];
}

interface Kept extends Entry {
  readonly bytes: number;
}

/** Where a prompt can go on from. */
export interface Found {
  readonly run: Run;
  /** Tokens of the prompt that are in its cache: it must be rewound to there. */
  readonly length: number;
  /** Logits after those tokens; null: they must be computed, and there is at least one token left for it. */
  readonly logits: Float32Array | null;
  /** Logits after the pruned context. */
  readonly contextLogits: Float32Array | null;
}

/**
 * Caches of prompts and answers that ended, and of those that are under way, by their tokens: a prompt that begins with the same ones goes on from a
 * copy. Those that ended are kept within a number of bytes; the one that was not used for longest goes first.
 *
 * Where numbers depend on the pieces in which a prompt was computed, as activations or caches that are rounded do, a prompt goes on only from where a
 * piece of it would begin, and from nothing that was decoded: it has the pieces, and the numbers, that it would have without all others.
 */
export class PrefixCache {
  /** Least recently used first. */
  readonly #kept = new Set<Kept>();
  readonly #live = new Set<Entry>();
  #bytes = 0;

  /** @param limit bytes; 0: nothing is kept or looked for @param piece tokens of a prompt that are computed at once, where numbers depend on it; null: they do not */
  constructor(readonly limit: number, readonly piece: number | null = null) {}

  /** Bytes of the caches that ended and are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#kept.size;
  }

  /** The longest start of a prompt that some cache of its kind holds; null: none. */
  find(kind: PrefixKind, ids: readonly number[]): Found | null {
    if (this.limit === 0) return null;
    let best: (Found & { readonly entry: Entry }) | null = null;
    for (const entry of [...this.#kept, ...this.#live]) {
      if (entry.pruning !== kind.pruning || entry.context !== kind.context) continue;
      const found = this.piece === null ? matched(entry, ids) : matchedPieces(entry, ids, this.piece);
      if (found && (!best || found.length > best.length || (found.length === best.length && found.logits && !best.logits))) best = { ...found, entry };
    }
    if (!best) return null;
    if (this.#kept.delete(best.entry as Kept)) this.#kept.add(best.entry as Kept);
    return best;
  }

  /** A run that is being continued is found too. @param prompt tokens of it that are its prompt @returns what ends that */
  share(kind: PrefixKind, run: Run, prompt: number, contextLogits: Float32Array | null): () => void {
    if (this.limit === 0 || !run.joint) return () => {};
    const entry: Entry = { ...kind, run, contextLogits, tokens: () => (this.piece === null ? run.tokens : run.tokens.slice(0, prompt)) };
    this.#live.add(entry);
    return () => void this.#live.delete(entry);
  }

  /** Takes a run that ended: keeps its cache, without the room for more, or frees it. @param prompt its tokens at the start that are its prompt @param promptLogits those after it */
  put(kind: PrefixKind, run: Run, prompt: number, contextLogits: Float32Array | null, promptLogits: Float32Array): void {
    const tokens = this.piece === null ? run.tokens : run.tokens.slice(0, prompt);
    const bytes = run.kv.bytes + 8 * tokens.length + 4 * ((contextLogits?.length ?? 0) + run.logits.length);
    const alike = [...this.#kept].filter((entry) => entry.pruning === kind.pruning && entry.context === kind.context);
    if (!run.joint || bytes > this.limit || alike.some((entry) => entry.tokens().length >= tokens.length && shared(entry.tokens(), tokens) === tokens.length)) {
      run.dispose();
      return;
    }
    for (const entry of alike) if (shared(entry.tokens(), tokens) === entry.tokens().length) this.#drop(entry);
    for (const entry of this.#kept) {
      if (this.#bytes + bytes <= this.limit) break;
      this.#drop(entry);
    }
    const kept = this.piece === null ? run.fork({ room: 0 }) : run.rewound(prompt, { room: 0, logits: promptLogits }, run.plan);
    run.dispose();
    this.#kept.add({ ...kind, run: kept, contextLogits, bytes, tokens: () => tokens });
    this.#bytes += bytes;
  }

  /** Frees all that ended. */
  clear(): void {
    for (const entry of this.#kept) this.#drop(entry);
  }

  #drop(entry: Kept): void {
    this.#kept.delete(entry);
    this.#bytes -= entry.bytes;
    entry.run.dispose();
  }
}

/** How much of a prompt an entry holds, and what it knows there. */
function matched({ run, context, contextLogits, tokens }: Entry, ids: readonly number[]): Found | null {
  const held = tokens();
  const length = shared(held, ids);
  if (length < Math.max(context, 1)) return null;
  const at = (place: number, logits: Float32Array | null): Found => ({ run, length: place, logits, contextLogits });
  // A run that has just gone back to an earlier point has none yet.
  if (length === held.length && run.logits.length > 0) return at(length, run.logits);
  if (length < ids.length) return at(length, null);
  if (length === context) return at(length, contextLogits);
  return length - 1 < Math.max(context, 1) ? null : at(length - 1, null);
}

/** The same where a prompt goes on only from where one of its pieces begins, or has all of its numbers there already. */
function matchedPieces({ run, context, contextLogits, tokens }: Entry, ids: readonly number[], piece: number): Found | null {
  const held = tokens();
  const length = shared(held, ids);
  const at = (place: number, logits: Float32Array | null): Found => ({ run, length: place, logits, contextLogits });
  if (length === ids.length) {
    if (length === context) return at(length, contextLogits);
    if (length === held.length && run.position === length && run.logits.length > 0) return at(length, run.logits);
  }
  const place = context + Math.floor((Math.min(length, ids.length - 1) - context) / piece) * piece;
  return place < Math.max(context, 1) ? null : at(place, null);
}

/** Tokens that two sequences begin with alike. */
function shared(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}
