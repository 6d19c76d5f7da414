import type { Tensor } from "onnxruntime-node";
import { Tensor as HostTensor } from "onnxruntime-node";
import type { ModelConfig } from "../checkpoint/types.js";
import { HostCache } from "./host-cache.js";
import { isMaskedForOne } from "../decoder/decode-loop.js";
import { hold, letGo } from "./lease.js";
import { HeldLayer, LayeredCache, lookFed, stepFed, type CopyOptions, type FedCache, type HeldPositions, type KvLayer } from "./kv-cache.js";
import { readBack } from "./read-back.js";
import type { LoadedGraph, Outputs } from "./session.js";

let alive = 0;

/** Tensors in buffers of the device that caches hold now, in the whole process. */
export const deviceTensors = (): number => alive;

/** Keys and values of one layer in buffers of the device, `[1, kvHeads, length, headDim]`, freed when no cache has them any more. */
class SharedKv {
  private owners = 1;

  constructor(
    readonly key: Tensor,
    readonly value: Tensor,
    private readonly session: LoadedGraph,
  ) {
    hold(session);
    alive += 2;
  }

  share(): this {
    this.owners++;
    return this;
  }

  release(): void {
    if (--this.owners > 0) return;
    this.key.dispose();
    this.value.dispose();
    alive -= 2;
    letGo(this.session);
  }
}

/** One layer of a cache on a device: its keys and values never change, they are replaced by grown ones. */
class DeviceLayer extends HeldLayer implements KvLayer {
  readonly dtype: "float32" | "float16";
  readonly home = "webgpu";
  readonly ragged = false;

  constructor(
    readonly index: number,
    readonly kv: SharedKv,
    readonly held: HeldPositions,
  ) {
    super();
    this.dtype = kv.key.type as "float32" | "float16";
    const length = kv.key.dims[2];
    for (const positions of held instanceof Int32Array ? [held] : held) {
      if (length !== positions.length) throw new Error(`layer ${index}: the graph returned ${length} keys for ${positions.length} tokens`);
    }
  }

  get kvHeads(): number {
    return this.kv.key.dims[1]!;
  }

  get headDim(): number {
    return this.kv.key.dims[3]!;
  }

  get length(): number {
    return this.headPositions(0).length;
  }

  get bytes(): number {
    return 2 * this.kvHeads * this.length * this.headDim * (this.dtype === "float16" ? 2 : 4);
  }

  key(): Float32Array {
    return this.elsewhere("keys");
  }

  value(): Float32Array {
    return this.elsewhere("values");
  }

  private elsewhere(what: string): never {
    throw new Error(`layer ${this.index}: its ${what} are on the device (await run.toHost() gives a run whose cache can be read)`);
  }
}

/**
 * The key/value cache of a model in WebGPU buffers, from prefill to the last token. Each layer holds exactly its tokens.
 * Clones share buffers. To be disposed of; what is forgotten is freed when JavaScript collects it, which can be late.
 */
export class DeviceCache extends LayeredCache<DeviceLayer> implements FedCache {
  readonly home = "webgpu";
  private held: readonly DeviceLayer[];
  private disposed = false;

  private constructor(layers: readonly DeviceLayer[]) {
    super();
    this.held = layers;
  }

  /** From the keys and values that a prefill graph left on the device. @param positions of the tokens in each layer */
  static fromPrefill(config: ModelConfig, session: LoadedGraph, results: Outputs, positions: readonly HeldPositions[]): DeviceCache {
    if (positions.length !== config.layers) throw new Error(`cache: positions of ${positions.length} layers (the model has ${config.layers})`);
    return new DeviceCache(positions.map((layer, index) => new DeviceLayer(index, kvOf(session, results, index), layer)));
  }

  get layers(): readonly DeviceLayer[] {
    return this.held;
  }

  clone({ drop = 0 }: CopyOptions = {}): DeviceCache {
    this.requireAlive();
    if (drop > 0) throw new Error(`cache: a copy without its last ${drop} tokens (not of one on a device)`);
    return new DeviceCache(this.held.map(({ index, kv, held }) => new DeviceLayer(index, kv.share(), held)));
  }

  async toHost(): Promise<HostCache> {
    this.requireAlive();
    const [first] = this.held;
    const host = HostCache.empty({ kvHeads: first?.kvHeads ?? 0, headDim: first?.headDim ?? 0 }, this.lengths, first?.dtype === "float16" ? "fp16" : "fp32");
    for (const { index, kv, length, held } of this.held) {
      const read = { key: await readBack(kv.key), value: await readBack(kv.value) };
      if (held instanceof Int32Array) host.layer(index).append(read, length, held);
      else host.layer(index).fillByHead(read, held);
    }
    return host;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const { kv } of this.held) kv.release();
  }

  keeping(): Promise<never> {
    return Promise.reject(new Error("cache: cut down on the device (must be in this process's memory: --device cpu)"));
  }

  look(graph: LoadedGraph, feeds: Readonly<Record<string, Tensor>>, config: ModelConfig, positions: readonly number[]): Promise<Outputs> {
    return lookFed(this, graph, feeds, config, positions);
  }

  step(graph: LoadedGraph, feeds: Readonly<Record<string, Tensor>>, config: ModelConfig, positions: readonly number[]): Promise<Outputs> {
    return stepFed(this, graph, feeds, config, positions);
  }

  feeds(config: ModelConfig, positions: readonly number[]): Record<string, Tensor> {
    this.requireAlive();
    const feeds: Record<string, Tensor> = {};
    for (const { index, kv, positions: held } of this.held) {
      feeds[`past_key.${index}`] = kv.key;
      feeds[`past_value.${index}`] = kv.value;
      if (isMasked(config, positions.length)) feeds[`slots.${index}`] = slots(held, positions);
    }
    return feeds;
  }

  accept(session: LoadedGraph, results: Outputs, positions: readonly number[]): void {
    const before = this.held;
    const grown = (held: Int32Array) => {
      const longer = new Int32Array(held.length + positions.length);
      longer.set(held);
      longer.set(positions, held.length);
      return longer;
    };
    this.held = before.map(({ index, held }) => new DeviceLayer(index, kvOf(session, results, index), held instanceof Int32Array ? grown(held) : held.map(grown)));
    for (const { kv } of before) kv.release();
  }

  private requireAlive(): void {
    if (this.disposed) throw new Error("cache: it was disposed of, its memory on the device is gone");
  }
}

/** Whether the scores of new tokens depend on positions: those of one token without window and ALiBi do not. */
export function isMasked(config: ModelConfig, count: number): boolean {
  return count > 1 || isMaskedForOne(config);
}

function kvOf(session: LoadedGraph, results: Outputs, layer: number): SharedKv {
  return new SharedKv(results[`key.${layer}`]!, results[`value.${layer}`]!, session);
}

/** Positions of the tokens held and then of the new ones, `[length + m]`. */
function slots(held: Int32Array, positions: readonly number[]): HostTensor {
  const values = new BigInt64Array(held.length + positions.length);
  held.forEach((position, slot) => (values[slot] = BigInt(position)));
  positions.forEach((position, i) => (values[held.length + i] = BigInt(position)));
  return new HostTensor("int64", values, [values.length]);
}
