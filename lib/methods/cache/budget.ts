import { checkedAmount, type Amount } from "../amount.js";

/**
 * By what each head chooses the tokens that its cache keeps: a name and numbers, no code (`scorers.ts` has that). Sources and constants stand in the files of the methods.
 *
 * `window attention`: what the last `window` tokens pay, smoothed over `kernel` neighbours, by the mean or the sum over the queries that share a key; with
 * `heads` "all" averaged over all heads, which then keep the same tokens. The window itself stays.
 * `accumulated attention`: what all tokens pay together; the last `recent` of what is kept stays, as a share of it.
 * `expected attention`: what queries at the next `future` positions are expected to pay, by mean and covariance of the prompt's; the first `sinks` stay.
 * `key norm`: the smallest keys stay. `key difference`: the keys least like the mean direction.
 * `recency`: the latest, and the first `sinks`.
 * `lag`: how a token's key and value stand out against the ranges of the next `lag` tokens; the first `sinks` and the last, unjudged ones stay.
 * `random`: by chance, seeded.
 */
export type CacheScoring =
  | { readonly kind: "window attention"; readonly window: number; readonly kernel: number; readonly pool: "mean" | "max"; readonly heads: "group mean" | "group sum" | "all" }
  | { readonly kind: "accumulated attention"; readonly recent: number }
  | { readonly kind: "expected attention"; readonly future: number; readonly sinks: number }
  | { readonly kind: "key norm" }
  | { readonly kind: "key difference" }
  | { readonly kind: "recency"; readonly sinks: number }
  | { readonly kind: "lag"; readonly sinks: number; readonly lag: number }
  | { readonly kind: "random"; readonly seed: number };

/** What each layer's cache keeps of the tokens present in it, once the prompt is through. */
export interface CacheBudget {
  /** Tokens that each head keeps, as a share of the prompt's or a number; across layers and heads the mean, where these have budgets of their own. */
  readonly amount: Amount;
  readonly scoring: CacheScoring;
  /** Absent: all layers the same. `pyramid`: from many in the first layer down to few in the last, `beta` the steepness. */
  readonly layers?: { readonly pyramid: number };
  /** Absent: all heads the same number. Else the heads of a layer share its budget by score, each keeping this share of the even one at least. */
  readonly heads?: { readonly safeguard: number };
}

/**
 * A budget that is kept while decoding: every so many tokens each head's cache is cut down to it again. `accumulated attention`: what all tokens paid to a token, the
 * prompt's and those generated since; the last `recent` of what is kept stays. `last attention`: what the latest token pays, the mean over all heads.
 * `recency`: the latest, and the first `sinks`.
 */
export interface DecodingBudget {
  /** Tokens that each head keeps, as a share of the prompt's or a number. */
  readonly amount: Amount;
  readonly every: number;
  readonly scoring: { readonly kind: "accumulated attention"; readonly recent: number } | { readonly kind: "last attention" } | { readonly kind: "recency"; readonly sinks: number };
}

const decodingKinds = ["accumulated attention", "last attention", "recency"];

/** @throws on what is missing, unknown or out of range */
export function checkedDecoding(given: unknown, label: string): DecodingBudget {
  const { amount, every, scoring } = (given ?? {}) as Record<string, unknown>;
  if (!positive(every)) throw new Error(`${label}, decoding.every: ${String(every)} (must be a positive integer, the tokens between two cuts)`);
  const { kind, recent, sinks } = (scoring ?? {}) as Record<string, unknown>;
  if (!decodingKinds.includes(kind as string)) throw new Error(`${label}, decoding.scoring.kind: ${String(kind)} (must be ${decodingKinds.join(", ")})`);
  if (kind === "accumulated attention" && !share(recent)) throw new Error(`${label}, decoding.scoring.recent: ${String(recent)} (must be from 0 to 1)`);
  if (kind === "recency" && !count(sinks)) throw new Error(`${label}, decoding.scoring.sinks: ${String(sinks)} (must be an integer, 0 or more)`);
  return { amount: checkedAmount((amount ?? {}) as Record<string, unknown>, `${label}, decoding`), every: every as number, scoring: scoring as DecodingBudget["scoring"] };
}

const numbers: Readonly<Record<CacheScoring["kind"], Readonly<Record<string, (value: unknown) => boolean>>>> = {
  "window attention": { window: positive, kernel: (value) => positive(value) && (value as number) % 2 === 1, pool: oneOf("mean", "max"), heads: oneOf("group mean", "group sum", "all") },
  "accumulated attention": { recent: share },
  "expected attention": { future: positive, sinks: count },
  "key norm": {},
  "key difference": {},
  recency: { sinks: count },
  lag: { sinks: count, lag: (value) => positive(value) && (value as number) > 1 },
  random: { seed: count },
};

/** @throws on what is missing, unknown or out of range */
export function checkedBudget(given: unknown, label: string): CacheBudget {
  if (typeof given !== "object" || given === null) throw new Error(`${label}, cache: ${String(given)} (must be { amount, scoring })`);
  const { amount, scoring, layers, heads, ...rest } = given as Record<string, unknown>;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw new Error(`${label}, cache: ${unknown} (there are amount, scoring, layers, heads)`);
  const pyramid = layers === undefined ? undefined : (layers as { pyramid?: unknown }).pyramid;
  if (layers !== undefined && !(typeof pyramid === "number" && pyramid >= 1 && Number.isFinite(pyramid))) throw new Error(`${label}, cache.layers.pyramid: ${String(pyramid)} (must be 1 or more)`);
  const safeguard = heads === undefined ? undefined : (heads as { safeguard?: unknown }).safeguard;
  if (heads !== undefined && !share(safeguard)) throw new Error(`${label}, cache.heads.safeguard: ${String(safeguard)} (must be from 0 to 1)`);
  return {
    amount: checkedAmount((amount ?? {}) as Record<string, unknown>, `${label}, cache`),
    scoring: checkedScoring(scoring, label),
    ...(layers !== undefined && { layers: { pyramid: pyramid as number } }),
    ...(heads !== undefined && { heads: { safeguard: safeguard as number } }),
  };
}

function checkedScoring(given: unknown, label: string): CacheScoring {
  const { kind, ...rest } = (given ?? {}) as Record<string, unknown>;
  const known = typeof kind === "string" && Object.hasOwn(numbers, kind) ? numbers[kind as CacheScoring["kind"]] : undefined;
  if (!known) throw new Error(`${label}, cache.scoring.kind: ${String(kind)} (must be ${Object.keys(numbers).join(", ")})`);
  for (const key of new Set([...Object.keys(known), ...Object.keys(rest)])) {
    if (!known[key]) throw new Error(`${label}, cache.scoring: ${key} (is no setting of ${String(kind)})`);
    if (!known[key](rest[key])) throw new Error(`${label}, cache.scoring.${key}: ${String(rest[key])} (is out of range for ${String(kind)})`);
  }
  return given as CacheScoring;
}

function count(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function positive(value: unknown): boolean {
  return count(value) && (value as number) > 0;
}

function share(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function oneOf(...words: string[]): (value: unknown) => boolean {
  return (value) => words.includes(value as string);
}
