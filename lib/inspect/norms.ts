import type { Run } from "../runtime/run.js";
import type { KvLayer } from "../runtime/kv-cache.js";
import { bucketMeans, buckets, type Buckets } from "./buckets.js";

/** Euclidean norms of keys and values by layer and position, the mean over heads. */
export interface KvNorms extends Buckets {
  /** Mean over each column's tokens in the cache; NaN where the layer holds none of them. `[layers][columns]` */
  readonly key: readonly Float32Array[];
  readonly value: readonly Float32Array[];
}

/** @param run with its cache in this process's memory (see `run.toHost`) @param columns at most (default 512) */
export function kvNorms(run: Run, { columns = 512 } = {}): KvNorms {
  const cut = buckets(run.ids.length, columns);
  const norms = (part: "key" | "value") => run.kv.layers.map((layer) => bucketMeans(cut, layer.positions, tokenNorms(layer, part)));
  return { ...cut, key: norms("key"), value: norms("value") };
}

/** Norm of each token's key or value, the mean over the heads that hold it, in the order of `positions`. */
export function tokenNorms(layer: KvLayer, part: "key" | "value"): Float32Array {
  const { kvHeads, headDim, positions, uniform } = layer;
  const norms = new Float32Array(positions.length);
  const heads = new Float32Array(positions.length);
  const place = uniform ? null : new Map([...positions].map((position, i) => [position, i]));
  for (let head = 0; head < kvHeads; head++) {
    const vectors = layer[part](head);
    const own = layer.headPositions(head);
    for (let token = 0; token < own.length; token++) {
      let sum = 0;
      for (let i = token * headDim; i < (token + 1) * headDim; i++) sum += vectors[i]! * vectors[i]!;
      const at = place ? place.get(own[token]!)! : token;
      norms[at]! += Math.sqrt(sum);
      heads[at]!++;
    }
  }
  return norms.map((sum, i) => sum / heads[i]!);
}
