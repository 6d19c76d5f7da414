import type { DecodingBudget } from "../methods/cache/budget.js";
import type { TokenPlan } from "../methods/plan/plan.js";
import type { Observation } from "./decoder.js";
import type { HostCache } from "./host-cache.js";
import { LayerCache } from "./layer-cache.js";
import { redundancyScores } from "./redundancy.js";
import type { CacheResult } from "./stage-result.js";

/** Keeps a run's cache within its budget while it is decoded: told of every step, it cuts the cache down when enough tokens have come. */
export class DecodingCuts {
  /** Tokens that each layer's heads are to hold, by the rule alone. */
  lengths: number[];
  private since = 0;

  private constructor(
    private readonly budget: DecodingBudget,
    private readonly tokens: number,
    lengths: readonly number[],
    /** What was paid to each slot, `[layers][kvHeads][length]`; null where that does not count. */
    private sums: Float64Array[][] | null,
    private readonly attentionScale: number,
    /** Queries of the latest tokens, `[tokens][layers]`; only where those look that came last. */
    private queries: readonly (readonly Float32Array[])[] = [],
  ) {
    this.lengths = [...lengths];
  }

  /** @param selections what the prompt's caches were cut down to, scores read */
  static start({ method, decoding, kvLengths }: TokenPlan, selections: readonly CacheResult[], attentionScale: number): DecodingCuts | null {
    if (!decoding) return null;
    const { scoring } = method.decoding!;
    const adds = scoring.kind === "accumulated attention" && method.cache!.scoring.kind === "accumulated attention";
    const sums = scoring.kind !== "accumulated attention" ? null : selections.map(({ kept, present, scores }) => kept.map((own, head) => {
      const place = new Map([...present].map((position, row) => [position, row]));
      return Float64Array.from(own, (position) => (adds ? scores![head * present.length + place.get(position)!]! : 0));
    }));
    return new DecodingCuts(method.decoding!, decoding.tokens, kvLengths, sums, attentionScale);
  }

  /** Attention of every step is asked for. */
  get watches(): boolean {
    return this.budget.scoring.kind !== "recency";
  }

  copy(): DecodingCuts {
    const copy = new DecodingCuts(this.budget, this.tokens, this.lengths, this.sums && this.sums.map((layer) => layer.map((sums) => sums.slice())), this.attentionScale, this.queries);
    copy.since = this.since;
    return copy;
  }

  /**
   * After `count` tokens were appended to the cache.
   * @param observed what they looked at; null where it was not asked for
   */
  after(cache: HostCache, count: number, observed: Pick<Observation, "byHead" | "queries"> | null): void {
    const paid = observed?.byHead ?? null;
    if (this.budget.scoring.kind === "redundancy") {
      const latest = Array.from({ length: count }, (_, token) => observed!.queries.map((all) => all.subarray((all.length / count) * token, (all.length / count) * (token + 1))));
      this.queries = [...this.queries, ...latest].slice(-this.budget.scoring.window);
    }
    this.since += count;
    this.lengths = this.lengths.map((length) => length + count);
    if (this.sums && paid) this.sums = this.sums.map((layer, l) => layer.map((sums, head) => added(sums, paid[l]![head]!, count)));
    if (this.since < this.budget.every) return;
    this.since = 0;
    this.lengths = this.lengths.map((length, l) => {
      if (length <= this.tokens) return length;
      const layer = cache.layer(l);
      if (!(layer instanceof LayerCache)) throw new Error(`layer ${l}: a budget while decoding (its heads hold different numbers of tokens)`);
      const rows = this.rows(l, layer, paid?.[l] ?? null, count);
      layer.select(rows);
      if (this.sums) this.sums[l] = this.sums[l]!.map((sums, head) => Float64Array.from(rows[head]!, (row) => sums[row]!));
      return this.tokens;
    });
  }

  /** Slots that each head keeps. */
  private rows(l: number, layer: LayerCache, paid: readonly Float32Array[] | null, count: number): Int32Array[] {
    const { length, kvHeads } = layer;
    const { scoring } = this.budget;
    if (scoring.kind === "recency") return same(kvHeads, best(Float64Array.from({ length }, (_, slot) => slot), this.tokens, Math.min(scoring.sinks, this.tokens), 0));
    if (scoring.kind === "accumulated attention") return this.sums![l]!.map((sums) => best(sums, this.tokens, 0, Math.floor(this.tokens * scoring.recent)));
    if (scoring.kind === "redundancy") return this.unlike(l, layer, scoring);
    const latest = paid!.map((rows) => rows.subarray((count - 1) * length, count * length));
    // The latest token itself stays.
    return same(kvHeads, best(Float64Array.from({ length }, (_, slot) => latest.reduce((sum, row) => sum + row[slot]!, 0)), this.tokens, 0, 1));
  }

  /** Slots of tokens that are looked at and whose keys are unlike others, the window in any case. */
  private unlike(l: number, layer: LayerCache, scoring: Extract<DecodingBudget["scoring"], { kind: "redundancy" }>): Int32Array[] {
    const { kvHeads, headDim } = layer;
    return Array.from({ length: kvHeads }, (_, head) => {
      const queries = this.queries.map((layers) => {
        const all = layers[l]!;
        const group = all.length / headDim / kvHeads;
        return Array.from({ length: group }, (_, i) => all.subarray((head * group + i) * headDim, (head * group + i + 1) * headDim));
      });
      const tail = Math.min(scoring.window, this.tokens);
      return best(redundancyScores(layer.key(head), headDim, queries, this.attentionScale, scoring), this.tokens, 0, tail);
    });
  }
}

/** Sums of slots, grown by the new ones, with what `count` tokens paid to each. */
function added(sums: Float64Array, paid: Float32Array, count: number): Float64Array {
  const length = paid.length / count;
  const all = new Float64Array(length);
  all.set(sums);
  for (let i = 0; i < paid.length; i++) all[i % length]! += paid[i]!;
  return all;
}

const same = (heads: number, rows: Int32Array): Int32Array[] => Array.from({ length: heads }, () => rows);

/** Slots of the `keep` highest scores, the first `head` and last `tail` in any case; an earlier one before a later of equal score. Ascending. */
function best(scores: Float64Array, keep: number, head: number, tail: number): Int32Array {
  const free = Array.from(scores.keys()).slice(head, scores.length - tail).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const forced = Array.from(scores.keys()).filter((slot) => slot < head || slot >= scores.length - tail);
  return Int32Array.from([...forced, ...free.slice(0, keep - head - tail)]).sort();
}
