import { Tensor } from "onnxruntime-node";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import { layerWindow } from "../checkpoint/sliding-window.js";
import type { ModelConfig } from "../checkpoint/types.js";
import { heldLength, isRagged, LayeredCache, lookFed, stepFed, type CopyOptions, type HeldPositions, type HostKv, type HostLayer } from "./kv-cache.js";
import type { StoredHead } from "./kv-store.js";
import { LayerCache, type LayerKv } from "./layer-cache.js";
import { rowsOf } from "./present.js";
import { RaggedLayer } from "./ragged-layer.js";
import type { LoadedGraph, Outputs } from "./session.js";

/** An input of `inPlaceGraph` alone. */
const LENGTHS = "lengths";

/** The key/value cache of a model in host memory. */
export class HostCache extends LayeredCache<LayerCache | RaggedLayer> implements HostKv {
  readonly home = "host";

  /** @param first the model's layer that the first of these is */
  private constructor(readonly layers: readonly (LayerCache | RaggedLayer)[], private readonly first = 0) {
    super();
  }

  /** The layers `from` … `to` as a cache of their own, over the same arrays: what is added here is added there. */
  part(from: number, to: number): HostCache {
    return new HostCache(this.layers.slice(from, to + 1), this.first + from);
  }

  /** @param capacities tokens to make room for, by layer */
  static empty(config: Pick<ModelConfig, "kvHeads" | "headDim">, capacities: readonly number[], kvDtype: KvDtype = "fp32"): HostCache {
    return new HostCache(capacities.map((capacity) => new LayerCache(config.kvHeads, config.headDim, capacity, kvDtype)));
  }

  /** Empty layers for tokens at these positions, with room for `reserve` more. */
  static holding(config: Pick<ModelConfig, "kvHeads" | "headDim">, held: readonly HeldPositions[], reserve: number, kvDtype: KvDtype = "fp32"): HostCache {
    // One graph serves all layers: where heads differ in one, each head has arrays of its own in all.
    const ragged = held.some(isRagged);
    return new HostCache(held.map((positions) => {
      if (!ragged) return new LayerCache(config.kvHeads, config.headDim, heldLength(positions) + reserve, kvDtype);
      return new RaggedLayer(Array.from({ length: config.kvHeads }, (_, head) => new LayerCache(1, config.headDim, (positions instanceof Int32Array ? positions : positions[head]!).length + reserve, kvDtype)));
    }));
  }

  /**
   * From the keys and values that a prefill graph returned.
   * @param present positions of the tokens of each layer as the graph returned them
   * @param kept positions of those that stay in every layer; null: all that are present
   * @param reserve tokens to make room for beyond them
   */
  static fromPrefill(config: ModelConfig, results: Outputs, present: readonly HeldPositions[], kept: Int32Array | null, reserve: number, kvDtype: KvDtype = "fp32"): HostCache {
    const cache = HostCache.holding(config, kept ? present.map(() => kept) : present, reserve, kvDtype);
    cache.layers.forEach((layer, index) => {
      const key = results[`key.${index}`]!;
      const kv = layerKv(results, index);
      const positions = present[index]!;
      if (!(positions instanceof Int32Array)) {
        const returned = key.dims[1]! * key.dims[2]!;
        const due = positions.reduce((sum, { length }) => sum + length, 0);
        if (returned !== due) throw new Error(`layer ${index}: the graph returned ${returned} keys for heads that keep ${positions.map(({ length }) => length).join(", ")}`);
        layer.fillByHead(kv, positions);
        return;
      }
      if (key.dims[2] !== positions.length) throw new Error(`layer ${index}: the graph returned ${key.dims[2]} keys for ${positions.length} tokens`);
      if (kept && kept.length < positions.length) layer.append(kv, positions.length, kept, rowsOf(kept, positions));
      else layer.append(kv, positions.length, positions);
    });
    return cache;
  }

  async keeping(held: readonly HeldPositions[], reserve: number): Promise<HostCache> {
    const { kvHeads, headDim, kvDtype } = this.layer(0);
    const cache = HostCache.holding({ kvHeads, headDim }, held, reserve, kvDtype);
    this.layers.forEach((layer, index) => {
      const own = held[index]!;
      const rows = Array.from({ length: kvHeads }, (_, head) => rowsOf(own instanceof Int32Array ? own : own[head]!, layer.headPositions(head)));
      cache.layer(index).restore(own, { key: picked(layer, "key", rows), value: picked(layer, "value", rows) });
    });
    return cache;
  }

  clone(options?: CopyOptions): HostCache {
    return new HostCache(this.layers.map((layer) => layer.clone(options)));
  }

  /** Forgets the last `count` tokens of every layer. */
  drop(count: number): void {
    for (const layer of this.layers) layer.drop(count);
  }

  /** Puts every layer's tokens into the order of their positions. Not of heads that hold other tokens each. */
  sort(): void {
    for (const layer of this.layers) if (layer instanceof LayerCache) layer.sort();
  }

  async toHost(): Promise<HostCache> {
    return this;
  }

  dispose(): void {}

  look(graph: LoadedGraph, feeds: Readonly<Record<string, Tensor>>, config: ModelConfig, positions: readonly number[]): Promise<Outputs> {
    return lookFed(this, graph, feeds, config, positions);
  }

  step(graph: LoadedGraph, feeds: Readonly<Record<string, Tensor>>, config: ModelConfig, positions: readonly number[], signal?: AbortSignal): Promise<Outputs> {
    return graph.inputNames.includes(LENGTHS) ? this.stepInPlace(graph, feeds, positions, signal) : stepFed(this, graph, feeds, config, positions, signal);
  }

  /** `step` with a graph that puts keys and values where they belong itself. */
  private async stepInPlace(graph: LoadedGraph, others: Readonly<Record<string, Tensor>>, positions: readonly number[], signal: AbortSignal | undefined): Promise<Outputs> {
    const count = positions.length;
    const lengths = this.layers.flatMap((layer) => (layer instanceof LayerCache ? [layer.length] : layer.headLengths));
    const feeds: Record<string, Tensor> = { ...others, [LENGTHS]: new Tensor("int32", Int32Array.from(lengths, (length) => length + count), [lengths.length]) };
    const into: Record<string, Tensor> = {};
    this.layers.forEach((layer, index) => {
      const { past, present } = layer.growing(String(index), count);
      Object.assign(feeds, past);
      Object.assign(into, present);
    });
    try {
      const results = await graph.run(Object.fromEntries(graph.inputNames.map((name) => [name, feeds[name]!])), graph.outputNames, { into, signal });
      for (const layer of this.layers) layer.grew(positions);
      return results;
    } catch (error) {
      for (const layer of this.layers) layer.forget(count);
      throw error;
    }
  }

  feeds(config: ModelConfig, positions: readonly number[]): Record<string, Tensor> {
    const count = positions.length;
    const self = (window: number | null) => new Tensor("float32", selfBias(positions, window), [count, count]);
    const feeds: Record<string, Tensor> = { self_bias: self(config.slidingWindow) };
    if (config.fullLayers.length > 0) feeds["self_bias.unlimited"] = self(null);
    this.layers.forEach((layer, index) => Object.assign(feeds, layer.namedFeeds(String(index), positions, layerWindow(config, this.first + index), config.positions === "alibi")));
    return feeds;
  }

  accept(_session: LoadedGraph, results: Outputs, positions: readonly number[]): void {
    this.layers.forEach((layer, index) => {
      layer.append(layerKv(results, index), positions.length, positions);
    });
  }
}

/** What a graph gave as keys and values of a layer. */
export function layerKv(results: Outputs, layer: number): LayerKv {
  return { key: results[`key.${layer}`]!.data as Float32Array | Uint16Array, value: results[`value.${layer}`]!.data as Float32Array | Uint16Array };
}

/** Of each head the keys or values at `rows`, as they are held, head after head. */
function picked(layer: HostLayer, part: "key" | "value", rows: readonly Int32Array[]): StoredHead {
  const width = layer.headDim;
  const count = rows.reduce((sum, { length }) => sum + length, 0);
  const { elements, scales } = layer.stored(part, 0);
  const all = new (elements.constructor as Float32ArrayConstructor)(count * width);
  const allScales = scales && new Float32Array(count);
  let slot = 0;
  rows.forEach((own, head) => {
    const stored = layer.stored(part, head);
    for (const row of own) {
      all.set(stored.elements.subarray(row * width, (row + 1) * width), slot * width);
      if (allScales) allScales[slot] = stored.scales![row]!;
      slot++;
    }
  });
  return { elements: all as StoredHead["elements"], scales: allScales };
}

/** `[count, count]`: new token i sees new token j where j <= i, within the window. */
function selfBias(positions: readonly number[], window: number | null): Float32Array {
  const count = positions.length;
  const bias = new Float32Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) if (j > i || (window !== null && positions[i]! - positions[j]! >= window)) bias[i * count + j] = -Infinity;
  }
  return bias;
}
