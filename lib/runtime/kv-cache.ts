import type { Tensor } from "onnxruntime-node";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { ModelConfig } from "../checkpoint/types.js";
import type { StoredHead } from "./kv-store.js";
import type { LoadedGraph, Outputs } from "./session.js";

/** Where a cache's keys and values live: in this thread's memory, in buffers of a device, or in the memory of a worker thread. */
export type CacheHome = "host" | "webgpu" | "worker";

/** Original positions of the tokens that a layer holds, ascending: those of all heads, or of each head its own. */
export type HeldPositions = Int32Array | readonly Int32Array[];

/** What a copy of a cache is to hold. */
export interface CopyOptions {
  /** Last tokens that are left out; default 0. */
  readonly drop?: number;
  /** Tokens to make room for beyond those held; default: as much as the cache has room for. */
  readonly room?: number;
}

/** One layer of a cache. */
export interface KvLayer {
  readonly kvHeads: number;
  readonly headDim: number;
  /** Tokens that each head holds; where heads hold different numbers, their mean. */
  readonly length: number;
  /** Original position of each token held, `[length]`; where heads hold other tokens each, of every token that some head holds. */
  readonly positions: Int32Array;
  /** Every head holds the same tokens. */
  readonly uniform: boolean;
  /** Heads hold different numbers of tokens. */
  readonly ragged: boolean;
  /** Original position of each token that one head holds, `[length]`: its keys and values are in this order. */
  headPositions(head: number): Int32Array;
  /** Bytes of the keys and values held (not of the room kept for more). */
  readonly bytes: number;
  /** Element type of the keys and values. */
  readonly dtype: string;
  readonly home: CacheHome;
  /** Keys of one head, `[length, headDim]`. @throws where they are on a device: read them back first (`toHost`) */
  key(head: number): Float32Array;
  /** Values of one head, as `key`. */
  value(head: number): Float32Array;
}

/** One layer of a cache in a table. */
export interface KvRow extends Pick<KvLayer, "length" | "bytes" | "dtype" | "home"> {
  readonly layer: number;
  /** Original positions of the first and last token held; null where there is none. */
  readonly first: number | null;
  readonly last: number | null;
}

/** The key/value cache of a model, wherever it lives. Layers may hold different numbers of tokens. */
export interface KvCache {
  readonly home: CacheHome;
  readonly layers: readonly KvLayer[];
  /** Heads of a layer may hold different numbers of tokens. */
  readonly ragged: boolean;
  /** Tokens held by each layer. */
  readonly lengths: number[];
  /** Bytes held in all layers together. */
  readonly bytes: number;
  /** The cache of one layer. @throws on a layer that the model does not have */
  layer(index: number): KvLayer;
  /** One row a layer: length, positions, bytes, dtype and home. */
  summary(): KvRow[];
  /** An independent cache with the same content, or what `options` leave of it. */
  clone(options?: CopyOptions): KvCache;
  /** The same in this process's memory: a copy read back from the device; a cache that is there already, itself. */
  toHost(): Promise<HostKv>;
  /** Frees the device's memory. Of a cache in this process's memory, nothing: it is collected. */
  dispose(): void;

  /** A cache of these tokens of it alone, in arrays of its own. @param held by layer, parts of what is held @param reserve tokens to make room for beyond them */
  keeping(held: readonly HeldPositions[], reserve: number): Promise<KvCache>;
  /** Runs a graph over the cache for tokens at `positions`, and takes over nothing. @param feeds all inputs beside the cache's own */
  look(graph: LoadedGraph, feeds: Readonly<Record<string, Tensor>>, config: ModelConfig, positions: readonly number[]): Promise<Outputs>;
  /**
   * Runs its home's decode graph for tokens at `positions` and takes over their keys and values.
   * @param feeds all other inputs @param signal ends the run where the device can, the cache as it was before
   */
  step(graph: LoadedGraph, feeds: Readonly<Record<string, Tensor>>, config: ModelConfig, positions: readonly number[], signal?: AbortSignal): Promise<Outputs>;
}

/** A cache that this thread feeds to graphs itself. */
export interface FedCache extends KvCache {
  /** The cache as inputs of its home's decode graph, for queries at `positions`. */
  feeds(config: ModelConfig, positions: readonly number[]): Record<string, Tensor>;
  /** Takes over what that graph returned for tokens at `positions`. */
  accept(graph: LoadedGraph, results: Outputs, positions: readonly number[]): void;
}

/** One layer of a cache in this process's memory. */
export interface HostLayer extends KvLayer {
  /** What keys and values are held in. */
  readonly kvDtype: KvDtype;
  /** Keys or values of one head as they are held, without copying. */
  stored(part: "key" | "value", head: number): StoredHead;
}

/** A cache in this process's memory: it can be read. */
export interface HostKv extends FedCache {
  readonly layers: readonly HostLayer[];
  layer(index: number): HostLayer;
  /** Forgets the last `count` tokens of every layer. */
  drop(count: number): void;
}

/** Whether heads hold different numbers of tokens. */
export function isRagged(held: HeldPositions): boolean {
  return !(held instanceof Int32Array) && held.some(({ length }) => length !== held[0]!.length);
}

/** Tokens that each head holds, or their mean. */
export function heldLength(held: HeldPositions): number {
  return held instanceof Int32Array ? held.length : held.reduce((sum, { length }) => sum + length, 0) / held.length;
}

/** What a layer tells of its tokens from their positions alone. */
export abstract class HeldLayer {
  abstract readonly held: HeldPositions;

  get uniform(): boolean {
    return this.held instanceof Int32Array;
  }

  get positions(): Int32Array {
    return this.held instanceof Int32Array ? this.held : union(this.held);
  }

  headPositions(head: number): Int32Array {
    return this.held instanceof Int32Array ? this.held : this.held[head]!;
  }
}

/** Every position that some head holds, ascending. */
export function union(byHead: readonly Int32Array[]): Int32Array {
  return Int32Array.from(new Set(byHead.flatMap((positions) => [...positions]))).sort();
}

/** `step` of a cache that is fed. */
export async function stepFed(cache: FedCache, graph: LoadedGraph, others: Readonly<Record<string, Tensor>>, config: ModelConfig, positions: readonly number[], signal?: AbortSignal): Promise<Outputs> {
  const results = await lookFed(cache, graph, others, config, positions, signal);
  cache.accept(graph, results, positions);
  return results;
}

/** `look` of a cache that is fed. */
export function lookFed(cache: FedCache, graph: LoadedGraph, others: Readonly<Record<string, Tensor>>, config: ModelConfig, positions: readonly number[], signal?: AbortSignal): Promise<Outputs> {
  const feeds = { ...others, ...cache.feeds(config, positions) };
  return graph.run(Object.fromEntries(graph.inputNames.map((name) => [name, feeds[name]!])), graph.outputNames, { signal });
}

/** What every cache tells from its layers alone. */
export abstract class LayeredCache<Layer extends KvLayer> {
  abstract readonly layers: readonly Layer[];

  get ragged(): boolean {
    return this.layers.some(({ ragged }) => ragged);
  }

  get lengths(): number[] {
    return this.layers.map(({ length }) => length);
  }

  get bytes(): number {
    return this.layers.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** @throws on a layer that is not there */
  layer(index: number): Layer {
    const layer = this.layers[index];
    if (!layer) throw new Error(`layer: ${index} (must be 0 … ${this.layers.length - 1})`);
    return layer;
  }

  summary(): KvRow[] {
    return this.layers.map(({ length, positions, bytes, dtype, home }, layer) => ({
      layer, length, first: positions[0] ?? null, last: positions.at(-1) ?? null, bytes, dtype, home,
    }));
  }
}
