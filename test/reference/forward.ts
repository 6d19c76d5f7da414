// A decoder-only transformer as published (what its families differ in: architectures.ts), written for reading and not for
// speed: float64, one token and one head at a time. It shares no code with lib/, so that both can be compared.
// Shapes: n tokens, d hidden size, H heads, G kv heads, h head size.
import { type Architecture, architecture } from "./architectures.js";
import { type HfConfig, headDimOf, kvHeadsOf, layersOf, windowOf } from "./config.js";
import { dot, softmax, type Vector, type Weights } from "./operations.js";

/** What one layer has cached: keys (rotated) and values, each `[G, n, h]`, and the tokens' original positions `[n]`. */
export interface LayerCache {
  keys: Float64Array;
  values: Float64Array;
  positions: number[];
}

/** A pruning stage: its counts, as a schedule gives them. */
export interface ReferenceStage {
  afterLayer: number;
  keep: number;
  head: number;
  tail: number;
}

export interface Pruning {
  stages: readonly ReferenceStage[];
  /** One score a token present; `hidden` is the output `[n][d]` of the block that the stage stands after. */
  score: (hidden: Vector[], positions: number[], stageIndex: number) => ArrayLike<number>;
}

export interface ForwardOptions {
  prune?: Pruning;
  /** Logits of every token that is left at the end, not of the last one alone. */
  allLogits?: boolean;
  /** Replaces a block's output `[n][d]` before pruning and before the next block: to mask or to perturb it. */
  edit?: (hidden: Vector[], layer: number, positions: number[]) => Vector[];
  /** Added to every query's score of a key in a layer, one number a token cached there; default: nothing. */
  keyBias?: (layer: number) => ArrayLike<number> | undefined;
  /** Caches to continue from, one a layer. */
  caches?: readonly LayerCache[];
  /** Original positions of `ids`; 0, 1, … by default. */
  positions?: readonly number[];
}

export interface ForwardResult {
  /** Of the last token, `[vocab]`. */
  logits: Vector;
  /** Of every token left at the end, `[n][vocab]`; with `allLogits` only. */
  allLogits: Vector[] | null;
  /** Output of every block before its stage prunes, `[layers][n][d]`. */
  hidden: Vector[][];
  /** What every layer has cached, earlier entries of `caches` included. */
  caches: LayerCache[];
  /** Original positions that each stage kept. */
  kept: number[][];
  /** Scores that each stage saw, one a token present. */
  scores: number[][];
  /** Original positions of the tokens left at the end. */
  positions: number[];
}

/** A whole forward pass over `ids`. */
export function forward(config: HfConfig, weights: Weights, ids: readonly number[], options: ForwardOptions = {}): ForwardResult {
  const model = architecture(config, weights);
  let positions = [...(options.positions ?? ids.keys())];
  let xs: Vector[] = ids.map((id, t) => model.embed(id, positions[t]!));
  const result: ForwardResult = { logits: new Float64Array(0), allLogits: null, hidden: [], caches: [], kept: [], scores: [], positions };

  for (let layer = 0; layer < layersOf(config); layer++) {
    const attention = attend(config, model, layer, xs, positions, options.caches?.[layer], options.keyBias?.(layer));
    xs = xs.map((x, t) => model.finish(layer, x, attention.mixed[t]!));
    if (options.edit) xs = options.edit(xs, layer, positions);
    result.hidden.push(xs);
    result.caches.push(attention.cache);

    options.prune?.stages.forEach((stage, index) => {
      if (stage.afterLayer !== layer) return;
      const scores = [...Array.from(options.prune!.score(xs, positions, index))];
      const indices = select(scores, stage);
      xs = indices.map((i) => xs[i]!);
      positions = indices.map((i) => positions[i]!);
      result.scores.push(scores);
      result.kept.push(positions);
    });
  }

  const headed = options.allLogits ? xs : xs.slice(-1);
  const logits = headed.map((x) => model.logits(x));
  return { ...result, logits: logits.at(-1)!, allLogits: options.allLogits ? logits : null, positions };
}

/** Continues from caches: `ids` stand at `positions`, which come after every cached token. */
export function decode(config: HfConfig, weights: Weights, ids: readonly number[], positions: readonly number[], caches: readonly LayerCache[]): ForwardResult {
  return forward(config, weights, ids, { positions, caches });
}

/** A cache without the tokens whose original position is not in `kept`. */
export function evict(cache: LayerCache, kept: readonly number[], headDim: number): LayerCache {
  const n = cache.positions.length;
  const stays = cache.positions.map((position) => kept.includes(position));
  const filter = (tensor: Float64Array) => tensor.filter((_, i) => stays[Math.floor(i / headDim) % n]);
  return { keys: filter(cache.keys), values: filter(cache.values), positions: cache.positions.filter((_, i) => stays[i]) };
}

/** Indices that a stage keeps, ascending: the first `head`, the last `tail`, and the best of the rest, earlier first. */
export function select(scores: readonly number[], { keep, head, tail }: Omit<ReferenceStage, "afterLayer">): number[] {
  const n = scores.length;
  const forced = (i: number) => i < head || i >= n - tail;
  const ranked = [...scores.keys()].sort((a, b) => Number(forced(b)) - Number(forced(a)) || scores[b]! - scores[a]! || a - b);
  return ranked.slice(0, keep).sort((a, b) => a - b);
}

/** Each token's heads `[H * h]` mixed from the values in view. */
function attend(config: HfConfig, model: Architecture, layer: number, xs: Vector[], positions: number[], past?: LayerCache, bias?: ArrayLike<number>): { mixed: Vector[]; cache: LayerCache } {
  const heads = config.num_attention_heads;
  const kvHeads = kvHeadsOf(config);
  const h = headDimOf(config);
  const window = windowOf(config, layer);
  const projected = xs.map((x, t) => model.project(layer, x, positions[t]!));
  const cache = appended(past, projected.map(({ keys }) => keys), projected.map(({ values }) => values), positions, kvHeads, h);
  const n = cache.positions.length;
  const mixed = projected.map(({ queries }, t) => {
    const y = new Float64Array(heads * h);
    const visible = [...cache.positions.keys()].filter((j) => {
      const distance = positions[t]! - cache.positions[j]!;
      return distance >= 0 && distance < window;
    });
    for (let i = 0; i < heads; i++) {
      const group = Math.floor(i / (heads / kvHeads));
      const row = (tensor: Float64Array, j: number) => tensor.subarray((group * n + j) * h, (group * n + j + 1) * h);
      const shares = softmax(visible.map((j) => model.score(dot(queries[i]!, row(cache.keys, j)), i, cache.positions[j]!) + (bias?.[j] ?? 0)));
      visible.forEach((j, v) => {
        for (let f = 0; f < h; f++) y[i * h + f]! += shares[v]! * row(cache.values, j)[f]!;
      });
    }
    return y;
  });
  return { mixed, cache };
}

function appended(past: LayerCache | undefined, keys: Vector[][], values: Vector[][], positions: number[], kvHeads: number, h: number): LayerCache {
  const before = past?.positions.length ?? 0;
  const n = before + positions.length;
  const joined = (old: Float64Array | undefined, added: Vector[][]) => {
    const tensor = new Float64Array(kvHeads * n * h);
    for (let g = 0; g < kvHeads; g++) {
      if (old) tensor.set(old.subarray(g * before * h, (g + 1) * before * h), g * n * h);
      added.forEach((token, t) => tensor.set(token[g]!, (g * n + before + t) * h));
    }
    return tensor;
  };
  return { keys: joined(past?.keys, keys), values: joined(past?.values, values), positions: [...(past?.positions ?? []), ...positions] };
}
