import type { Tensor } from "onnxruntime-node";
import type { ModelConfig } from "../../checkpoint/types.js";
import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import { HostCache } from "../host-cache.js";
import type { BatchPart, BatchRoom } from "../batch.js";
import { heldLength, HeldLayer, isRagged, LayeredCache, type CopyOptions, type HeldPositions, type KvCache, type KvLayer } from "../kv-cache.js";
import type { LoadedGraph, Outputs } from "../session.js";
import type { WorkerThread } from "./client.js";
import { received, sent, type Handle } from "./protocol.js";

/** What all caches of one model have in common. */
export interface WorkerModel {
  readonly thread: WorkerThread;
  readonly graphHandle: (graph: LoadedGraph) => Handle;
  readonly config: ModelConfig;
  readonly kvDtype: KvDtype;
}

const dtypes = { fp32: "float32", fp16: "float16", int8: "int8" } as const;

/** One layer of a cache in the worker: here is known how long it is and where its tokens stood. */
class WorkerLayer extends HeldLayer implements KvLayer {
  readonly home = "worker";

  constructor(
    private readonly index: number,
    private readonly model: WorkerModel,
    readonly held: HeldPositions,
    private readonly tokenBytes: number,
  ) {
    super();
  }

  get ragged(): boolean {
    return isRagged(this.held);
  }

  get kvHeads(): number {
    return this.model.config.kvHeads;
  }

  get headDim(): number {
    return this.model.config.headDim;
  }

  get dtype(): string {
    return dtypes[this.model.kvDtype];
  }

  get length(): number {
    return heldLength(this.held);
  }

  get bytes(): number {
    return Math.round(this.length * this.tokenBytes);
  }

  key(): Float32Array {
    return this.elsewhere("keys");
  }

  value(): Float32Array {
    return this.elsewhere("values");
  }

  private elsewhere(what: string): never {
    throw new Error(`layer ${this.index}: its ${what} are in the worker thread (await run.toHost() gives a run whose cache can be read)`);
  }
}

/** The key/value cache of a model that runs in a worker thread. What is forgotten here is freed there. */
export class WorkerCache extends LayeredCache<WorkerLayer> implements KvCache {
  readonly home = "worker";
  private held: readonly WorkerLayer[];
  private disposed = false;

  constructor(
    private readonly model: WorkerModel,
    private readonly handle: Handle,
    positions: readonly HeldPositions[],
    private readonly tokenBytes: readonly number[],
  ) {
    super();
    this.held = this.layersAt(positions);
    model.thread.tie(this, handle);
  }

  get layers(): readonly WorkerLayer[] {
    return this.held;
  }

  clone(options: CopyOptions = {}): WorkerCache {
    this.requireAlive();
    const { drop = 0 } = options;
    const copy = this.model.thread.handle();
    // Requests are done in turn: whoever uses the copy finds it made, or hears there why it is not.
    this.model.thread.ask({ op: "clone", cache: this.handle, copy, options }).catch(() => {});
    const left = (positions: Int32Array) => positions.slice(0, positions.length - drop);
    return new WorkerCache(this.model, copy, this.held.map(({ held }) => (held instanceof Int32Array ? left(held) : held.map(left))), this.tokenBytes);
  }

  async toHost(): Promise<HostCache> {
    this.requireAlive();
    const { thread, config, kvDtype } = this.model;
    const positions = this.held.map(({ held }) => held);
    const layers = await thread.ask({ op: "read", cache: this.handle });
    const host = HostCache.holding(config, positions, 0, kvDtype);
    layers.forEach((layer, index) => host.layer(index).restore(positions[index]!, layer));
    return host;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.model.thread.free(this.handle, this).catch(() => {});
  }

  async keeping(held: readonly HeldPositions[], reserve: number): Promise<WorkerCache> {
    this.requireAlive();
    const cache = this.model.thread.handle();
    await this.model.thread.ask({ op: "keep", cache: this.handle, kept: cache, held, reserve });
    return new WorkerCache(this.model, cache, held, this.tokenBytes);
  }

  async look(graph: LoadedGraph, feeds: Readonly<Record<string, Tensor>>, config: ModelConfig, positions: readonly number[]): Promise<Outputs> {
    this.requireAlive();
    const { thread, graphHandle } = this.model;
    return received(await thread.ask({ op: "look", graph: graphHandle(graph), cache: this.handle, feeds: sent(feeds), config, positions }));
  }

  async step(graph: LoadedGraph, feeds: Readonly<Record<string, Tensor>>, config: ModelConfig, positions: readonly number[]): Promise<Outputs> {
    this.requireAlive();
    const { thread, graphHandle } = this.model;
    const results = await thread.ask({ op: "step", graph: graphHandle(graph), cache: this.handle, feeds: sent(feeds), config, positions });
    this.grow(positions);
    return received(results);
  }

  /** As `step`, for sequences that are computed together. All are caches of this model. */
  static async together(model: WorkerModel, graph: LoadedGraph, feeds: Readonly<Record<string, Tensor>>, parts: readonly BatchPart<WorkerCache>[], room: BatchRoom): Promise<Outputs> {
    for (const { cache } of parts) cache.requireAlive();
    const { thread, graphHandle, config } = model;
    const results = await thread.ask({ op: "together", graph: graphHandle(graph), parts: parts.map(({ cache, positions }) => ({ cache: cache.handle, positions })), feeds: sent(feeds), config, room });
    for (const { cache, positions } of parts) cache.grow(positions);
    return received(results);
  }

  private grow(positions: readonly number[]): void {
    this.held = this.layersAt(this.held.map(({ held }) => (held instanceof Int32Array ? joined(held, positions) : held.map((before) => joined(before, positions)))));
  }

  private layersAt(positions: readonly HeldPositions[]): WorkerLayer[] {
    return positions.map((at, index) => new WorkerLayer(index, this.model, at, this.tokenBytes[index]!));
  }

  private requireAlive(): void {
    if (this.disposed) throw new Error("cache: it was disposed of, its memory in the worker thread is gone");
  }
}

function joined(before: Int32Array, more: readonly number[]): Int32Array {
  const all = new Int32Array(before.length + more.length);
  all.set(before);
  all.set(more, before.length);
  return all;
}
