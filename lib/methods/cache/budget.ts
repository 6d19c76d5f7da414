import { checkedAmount, type Amount } from "../amount.js";

/**
 * By what each head chooses the tokens that its cache keeps: a name and numbers, no code (`scorers.ts` has that). Sources and constants stand in the files of the methods.
 *
 * `window attention`: what the last `window` tokens pay, smoothed over `kernel` neighbours, by the mean or the sum over the queries that share a key; with
 * `heads` "all" averaged over all heads, which then keep the same tokens; with a `shift` that many times the variance over the window's tokens is added. The window itself stays.
 * `accumulated attention`: what all tokens pay together; the last `recent` of what is kept stays, as a share of it.
 * `expected attention`: what queries at the next `future` positions are expected to pay, by mean and covariance of the prompt's; the first `sinks` stay.
 * `key norm`: the smallest keys stay. `key difference`: the keys least like the mean direction.
 * `recency`: the latest, and the first `sinks`.
 * `lag`: how a token's key and value stand out against the ranges of the next `lag` tokens; the first `sinks` and the last, unjudged ones stay.
 * `reconstruction`: what tokens pay that repeat the prompt, in parts of `chunk` tokens, on top of its own cache: the largest over them; the first `sinks` stay.
 * `redundancy`: what the last `window` tokens look at, the largest of `kernel` neighbours, weighed with `lambda` against how much a key is like others (see `Redundancy`).
 * `random`: by chance, seeded.
 */
export type CacheScoring =
  | { readonly kind: "window attention"; readonly window: number; readonly kernel: number; readonly pool: "mean" | "max"; readonly heads: "group mean" | "group sum" | "all"; readonly shift?: number }
  | { readonly kind: "accumulated attention"; readonly recent: number }
  | { readonly kind: "expected attention"; readonly future: number; readonly sinks: number }
  | { readonly kind: "key norm" }
  | { readonly kind: "key difference" }
  | { readonly kind: "recency"; readonly sinks: number }
  | { readonly kind: "lag"; readonly sinks: number; readonly lag: number }
  | { readonly kind: "reconstruction"; readonly chunk: number; readonly sinks: number }
  | ({ readonly kind: "redundancy" } & Redundancy)
  | { readonly kind: "random"; readonly seed: number };

/** How much a token is looked at, and how much its key is like others: what both need. */
export interface Redundancy {
  /** The last so many tokens look, and stay. */
  readonly window: number;
  /** Of so many neighbours the largest attention counts. */
  readonly kernel: number;
  /** Weight of attention; likeness counts for the rest. */
  readonly lambda: number;
  /** A cosine above which keys are alike: the latest token that a key is alike to is not held against that token. */
  readonly threshold: number;
}

/**
 * How layers share a budget: `pyramid`, from many tokens in the first layer down to few in the last, the steepness given; `preference`, as the prompt has it: by how
 * widely a layer's last tokens look, to the power 1/dispersion, times how much that shifts from one to the next, to the power 1/shift.
 */
export type LayerShares = { readonly pyramid: number; readonly preference?: never } | { readonly preference: { readonly dispersion: number; readonly shift: number }; readonly pyramid?: never };

/** Heads of a layer, or of all layers together, share a budget by score, each keeping this share of the even one at least (of all layers together: nothing). */
export interface HeadShares {
  readonly safeguard: number;
  /** Default: of one layer. */
  readonly of?: "layer" | "model";
}

/** What each layer's cache keeps of the tokens present in it, once the prompt is through. */
export interface CacheBudget {
  /** Tokens that each head keeps, as a share of the prompt's or a number; across layers and heads the mean, where these have budgets of their own. */
  readonly amount: Amount;
  readonly scoring: CacheScoring;
  /** Absent: all layers the same. */
  readonly layers?: LayerShares;
  /** Absent: all heads the same number. */
  readonly heads?: HeadShares;
}

/**
 * A budget that is kept while decoding: every so many tokens each head's cache is cut down to it again. `accumulated attention`: what all tokens paid to a token, the
 * prompt's and those generated since; the last `recent` of what is kept stays. `last attention`: what the latest token pays, the mean over all heads.
 * `recency`: the latest, and the first `sinks`. `redundancy`: as after a prompt, by the queries of the last `window` generated tokens.
 */
export interface DecodingBudget {
  /** Tokens that each head keeps, as a share of the prompt's or a number. */
  readonly amount: Amount;
  readonly every: number;
  readonly scoring: { readonly kind: "accumulated attention"; readonly recent: number } | { readonly kind: "last attention" } | { readonly kind: "recency"; readonly sinks: number } | ({ readonly kind: "redundancy" } & Redundancy);
}

const decodingKinds = ["accumulated attention", "last attention", "recency", "redundancy"];

/** @throws on what is missing, unknown or out of range */
export function checkedDecoding(given: unknown, label: string): DecodingBudget {
  const { amount, every, scoring } = (given ?? {}) as Record<string, unknown>;
  if (!positive(every)) throw new Error(`${label}, decoding.every: ${String(every)} (must be a positive integer, the tokens between two cuts)`);
  const { kind, recent, sinks } = (scoring ?? {}) as Record<string, unknown>;
  if (!decodingKinds.includes(kind as string)) throw new Error(`${label}, decoding.scoring.kind: ${String(kind)} (must be ${decodingKinds.join(", ")})`);
  if (kind === "accumulated attention" && !share(recent)) throw new Error(`${label}, decoding.scoring.recent: ${String(recent)} (must be from 0 to 1)`);
  if (kind === "recency" && !count(sinks)) throw new Error(`${label}, decoding.scoring.sinks: ${String(sinks)} (must be an integer, 0 or more)`);
  if (kind === "redundancy") {
    const { window } = checkedScoring(scoring, `${label}, decoding`) as Redundancy;
    if ((every as number) < window) throw new Error(`${label}, decoding.every: ${String(every)} (must be ${window} or more: so many generated tokens look)`);
  }
  return { amount: checkedAmount((amount ?? {}) as Record<string, unknown>, `${label}, decoding`), every: every as number, scoring: scoring as DecodingBudget["scoring"] };
}

const numbers: Readonly<Record<CacheScoring["kind"], Readonly<Record<string, (value: unknown) => boolean>>>> = {
  "window attention": { window: positive, kernel: (value) => positive(value) && (value as number) % 2 === 1, pool: oneOf("mean", "max"), heads: oneOf("group mean", "group sum", "all"), shift: (value) => value === undefined || atLeast(0)(value) },
  "accumulated attention": { recent: share },
  "expected attention": { future: positive, sinks: count },
  "key norm": {},
  "key difference": {},
  recency: { sinks: count },
  lag: { sinks: count, lag: (value) => positive(value) && (value as number) > 1 },
  reconstruction: { chunk: positive, sinks: count },
  redundancy: { window: positive, kernel: (value) => positive(value) && (value as number) % 2 === 1, lambda: share, threshold: (value) => typeof value === "number" && value >= -1 && value <= 1 },
  random: { seed: count },
};

/** @throws on what is missing, unknown or out of range */
export function checkedBudget(given: unknown, label: string): CacheBudget {
  if (typeof given !== "object" || given === null) throw new Error(`${label}, cache: ${String(given)} (must be { amount, scoring })`);
  const { amount, scoring, layers, heads, ...rest } = given as Record<string, unknown>;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw new Error(`${label}, cache: ${unknown} (there are amount, scoring, layers, heads)`);
  const checked = checkedScoring(scoring, label);
  return {
    amount: checkedAmount((amount ?? {}) as Record<string, unknown>, `${label}, cache`),
    scoring: checked,
    ...(layers !== undefined && { layers: checkedLayers(layers, checked, `${label}, cache.layers`) }),
    ...(heads !== undefined && { heads: checkedHeads(heads, layers !== undefined, `${label}, cache.heads`) }),
  };
}

function checkedLayers(given: unknown, scoring: CacheScoring, label: string): LayerShares {
  const { pyramid, preference } = (given ?? {}) as Record<string, unknown>;
  if (preference === undefined) {
    if (!atLeast(1)(pyramid)) throw new Error(`${label}.pyramid: ${String(pyramid)} (must be 1 or more)`);
    return { pyramid: pyramid as number };
  }
  const { dispersion, shift } = (preference ?? {}) as Record<string, unknown>;
  for (const [key, value] of Object.entries({ dispersion, shift })) {
    if (!atLeast(0)(value) || value === 0) throw new Error(`${label}.preference.${key}: ${String(value)} (must be above 0: its inverse is an exponent)`);
  }
  if (pyramid !== undefined) throw new Error(`${label}: both a pyramid and a preference (give one)`);
  if (scoring.kind !== "window attention") throw new Error(`${label}.preference: beside ${scoring.kind} (the window's attention tells it: cache.scoring.kind must be window attention)`);
  return { preference: { dispersion: dispersion as number, shift: shift as number } };
}

function checkedHeads(given: unknown, layered: boolean, label: string): HeadShares {
  const { safeguard, of } = (given ?? {}) as Record<string, unknown>;
  if (!share(safeguard)) throw new Error(`${label}.safeguard: ${String(safeguard)} (must be from 0 to 1)`);
  if (of === undefined || of === "layer") return { safeguard: safeguard as number };
  if (of !== "model") throw new Error(`${label}.of: ${String(of)} (must be layer or model)`);
  if (layered || safeguard !== 0) throw new Error(`${label}.of: model (all heads of all layers share one budget: no cache.layers, and a safeguard of 0)`);
  return { safeguard: 0, of };
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

function atLeast(least: number): (value: unknown) => boolean {
  return (value) => typeof value === "number" && Number.isFinite(value) && value >= least;
}

function share(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function oneOf(...words: string[]): (value: unknown) => boolean {
  return (value) => words.includes(value as string);
}
