import { tokensOf } from "../amount.js";
import type { CacheBudget, CacheScoring } from "../cache/budget.js";

/**
 * What one layer's cache keeps of the tokens present in it. Each head keeps its first `head` and last `tail` tokens and of those between the highest
 * scores, an earlier token before a later one of equal score; kept tokens stay in order.
 */
export interface CacheSelection {
  readonly present: number;
  /** Tokens that each head keeps; where heads or layers share (see `sharedBudget`), their mean. */
  readonly keep: number;
  readonly head: number;
  readonly tail: number;
  /** With budgets by head: so many of its best tokens each head keeps in any case; else null. */
  readonly safe: number | null;
  /** As the method says, or what it comes to for so few tokens. */
  readonly scoring: CacheScoring;
}

/**
 * Among whom the prompt itself decides how a budget is shared: layers by their preference, or heads of all layers by score. What each layer keeps is then known once it
 * ran, and only the sum before; null: nobody.
 */
export type SharedBudget = "layers" | "heads" | null;

export function sharedBudget({ layers, heads }: Pick<CacheBudget, "layers" | "heads">): SharedBudget {
  return layers?.preference ? "layers" : heads?.of === "model" ? "heads" : null;
}

/**
 * A budget for each layer. A share is one of the prompt's tokens: a layer in which fewer are present than that keeps them all.
 * @param n tokens of the prompt @param tokens present in each layer
 * @throws where the budget is a number of tokens below those that always stay
 */
export function planCache({ amount, scoring, layers, heads }: CacheBudget, n: number, tokens: readonly number[], label: string): CacheSelection[] {
  return tokens.map((present, layer) => {
    const keep = Math.max(1, Math.min(present, layers?.pyramid !== undefined ? pyramidTokens(layers.pyramid, scoring, amount, n, layer, tokens.length) : tokensOf(amount, n)));
    const forced = forcedTokens(scoring, present, keep);
    if (amount.tokens !== undefined && present > keep && forced.head + forced.tail > keep) {
      throw new Error(`${label}: a budget of ${keep} tokens in layer ${layer} (${forced.head + forced.tail} always stay there: ${forced.head} first and ${forced.tail} last ones)`);
    }
    // A share of a short prompt can be less than what always stays: the budget is what holds.
    const head = Math.min(forced.head, keep);
    const tail = Math.min(forced.tail, keep - head);
    return { present, keep, head, tail, safe: heads?.of === "model" ? 0 : heads ? Math.max(heads.safeguard > 0 ? 1 : 0, Math.floor(keep * heads.safeguard)) : null, scoring: forced.scoring };
  });
}

interface Forced {
  readonly head: number;
  readonly tail: number;
  readonly scoring: CacheScoring;
}

function forcedTokens(scoring: CacheScoring, present: number, keep: number): Forced {
  const first = (sinks: number) => Math.min(sinks, present);
  switch (scoring.kind) {
    case "window attention": case "redundancy": return { head: 0, tail: Math.min(scoring.window, present), scoring };
    case "accumulated attention": return { head: 0, tail: Math.floor(keep * scoring.recent), scoring };
    case "expected attention": case "recency": case "reconstruction": return { head: first(scoring.sinks), tail: 0, scoring };
    case "lag": {
      const parts = lagParts(scoring, present);
      // Too few tokens to judge any of them by later ones.
      if (parts === 0) return { head: first(scoring.sinks), tail: 0, scoring: { kind: "recency", sinks: scoring.sinks } };
      return { head: scoring.sinks, tail: present - scoring.sinks - parts * scoring.lag, scoring };
    }
    default: return { head: 0, tail: 0, scoring };
  }
}

/** Of how many of the last tokens a way of scoring looks at the queries; of one, where at none. */
export function queriesWanted(scoring: CacheScoring): number | "all" {
  if (scoring.kind === "window attention" || scoring.kind === "redundancy") return scoring.window;
  return scoring.kind === "accumulated attention" || scoring.kind === "expected attention" ? "all" : 1;
}

/** Parts of `lag` tokens after the sinks that have a whole part after them to be judged by. */
export function lagParts({ sinks, lag }: Extract<CacheScoring, { kind: "lag" }>, present: number): number {
  return Math.max(0, Math.floor((present - sinks) / lag) - 1);
}

/**
 * A layer's share of a pyramid (arXiv:2406.02069, `pyramidkv_utils.py` of KVCache-Factory): budgets fall linearly from the first layer to the last, to
 * 1/beta of the mean there, or as far as the prompt's length lets the first one rise. Below a window a layer, all get the same.
 */
function pyramidTokens(beta: number, scoring: CacheScoring, amount: CacheBudget["amount"], n: number, layer: number, layers: number): number {
  const window = scoring.kind === "window attention" ? scoring.window : 0;
  const mean = amount.tokens !== undefined ? Math.min(amount.tokens, n) : n * amount.ratio;
  let least = mean / beta;
  let most = 2 * mean - least;
  if (most >= n - window) {
    most = n - window;
    least = 2 * mean - most;
  }
  if (!(n >= most && most >= least && least >= window)) return roundHalfEven(mean);
  return roundHalfEven(most - layer * (layers > 1 ? (most - least) / (layers - 1) : 0));
}

/** As Python rounds: what lies halfway goes to the even number. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  return x - below === 0.5 ? below + (below % 2) : Math.round(x);
}
