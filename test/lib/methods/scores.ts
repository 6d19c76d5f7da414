// What each scorer is to compute, in float64 from the reference pass and without shared code.
import type { PruningModule } from "../../../lib/methods/scorers/learned.js";
import { architecture } from "../../reference/architectures.js";
import { type HfConfig, headDimOf, kvHeadsOf, windowOf } from "../../reference/config.js";
import type { ForwardResult } from "../../reference/forward.js";
import { dot, linear, softmax, type Vector, type Weights } from "../../reference/operations.js";

/** What a score may depend on: the tokens present at a stage, as the reference pass had them. */
export interface Present {
  config: HfConfig;
  weights: Weights;
  ids: readonly number[];
  result: ForwardResult;
  afterLayer: number;
  stage: number;
}

export type Formula = (present: Present) => number[];

const positionsAt = ({ result, afterLayer }: Present) => result.caches[afterLayer]!.positions;

export const norm: Formula = ({ result, afterLayer }) => result.hidden[afterLayer]!.map((x) => Math.sqrt(dot(x, x)));

export const recency: Formula = (present) => [...positionsAt(present)];

/** The integer hash of `random`, with integers of any size. */
export const random = (seed: number): Formula => (present) => {
  const p = 2n ** 31n - 1n;
  const salt = ((BigInt(seed) % 1_000_000n) * 7919n + BigInt(present.stage) * 104729n + 12345n) % p;
  return positionsAt(present).map((position) => {
    let x = ((BigInt(position) + 1n) * 16807n + salt) % p;
    for (let round = 1n; round <= 4n; round++) x = (((x * x) % p) + x * (48271n + round) + salt + round * 69621n) % p;
    return Number(x) / Number(p);
  });
};

export const learned = (modules: ReadonlyMap<number, PruningModule>): Formula => ({ config, result, afterLayer }) =>
  moduleLogits(result.hidden[afterLayer]!, modules.get(afterLayer)!, modules.get(afterLayer)!.distance && {
    weights: modules.get(afterLayer)!.distance!, logs: result.caches[afterLayer]!.positions.map((position, _, all) => Math.log(1 + all.at(-1)! - position)), normEps: config.rms_norm_eps,
  });

/** What a module of placed inputs has beside its linear layers: weights `[m]` and each token's log(1 + distance from the last). */
export interface Placed {
  weights: ArrayLike<number>;
  logs: readonly number[];
  normEps: number;
}

/** `Linear -> GELU -> Linear` of every token. */
export function moduleLogits(hidden: Vector[], { weight0, bias0, weight2, bias2 }: Record<"weight0" | "bias0" | "weight2" | "bias2", ArrayLike<number>>, placed: Placed | null = null): number[] {
  const normed = placed ? hidden.map((x) => x.map((value) => value / Math.sqrt(x.reduce((sum, y) => sum + y * y, 0) / x.length + placed.normEps))) : hidden;
  const first = linear(normed, weight0, bias0).map((x, token) => (placed ? x.map((value, i) => value + placed.weights[i]! * placed.logs[token]!) : x));
  const inner = first.map((x) => x.map((value) => (value * (1 + erf(value / Math.SQRT2))) / 2));
  return linear(inner, weight2, bias2).map(([score]) => score!);
}

/** Mean over heads and over those of the last 32 tokens that see the token of the attention they pay to it. */
export const attention: Formula = (present) => {
  const { config, result, afterLayer } = present;
  const [h, heads, kvHeads, window] = [headDimOf(config), config.num_attention_heads, kvHeadsOf(config), windowOf(config, afterLayer)];
  const cache = result.caches[afterLayer]!;
  const n = cache.positions.length;
  const key = (head: number, token: number) => cache.keys.subarray((head * n + token) * h, (head * n + token + 1) * h);
  const queries = queriesOf(present);
  const model = architecture(config, present.weights);
  const [paid, seen] = [new Array<number>(n).fill(0), new Array<number>(n).fill(0)];
  for (let query = Math.max(0, n - 32); query < n; query++) {
    const visible = [...cache.positions.keys()].filter((token) => {
      const distance = cache.positions[query]! - cache.positions[token]!;
      return distance >= 0 && distance < window;
    });
    visible.forEach((token) => (seen[token]! += 1));
    for (let head = 0; head < heads; head++) {
      const shares = softmax(visible.map((token) => model.score(dot(queries[query]![head]!, key(Math.floor((head * kvHeads) / heads), token)), head, cache.positions[token]!)));
      visible.forEach((token, i) => (paid[token]! += shares[i]! / heads));
    }
  }
  return paid.map((sum, token) => (seen[token] ? sum / seen[token]! : 0));
};

/** Queries of the block before the stage, by token and head. */
function queriesOf({ config, weights, ids, result, afterLayer }: Present): Vector[][] {
  const model = architecture(config, weights);
  return result.caches[afterLayer]!.positions.map((position) => {
    const before = afterLayer > 0 ? result.hidden[afterLayer - 1]![result.caches[afterLayer - 1]!.positions.indexOf(position)]! : model.embed(ids[position]!, position);
    return model.project(afterLayer, before, position).queries;
  });
}

/** The error function: its Maclaurin series near 0, else the continued fraction of its complement. */
function erf(x: number): number {
  if (Math.abs(x) > 2.5) {
    const a = Math.abs(x);
    let fraction = a;
    for (let k = 60; k >= 1; k--) fraction = a + k / 2 / fraction;
    return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * fraction));
  }
  let [power, sum] = [x, x];
  for (let k = 1; k < 60; k++) sum += (power *= (-x * x) / k) / (2 * k + 1);
  return (2 / Math.sqrt(Math.PI)) * sum;
}
