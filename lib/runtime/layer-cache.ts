import { Tensor } from "onnxruntime-node";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import { union, type CopyOptions, type HeldPositions, type HostLayer } from "./kv-cache.js";
import { KvStore, type StoredHead } from "./kv-store.js";

/** Keys and values of one layer as ONNX Runtime returns them, `[1, kvHeads, n, headDim]`: float32, or the bits of float16. */
export interface LayerKv {
  readonly key: Float32Array | Uint16Array;
  readonly value: Float32Array | Uint16Array;
}

/** A layer's arrays as inputs of the decode graph. */
export interface CacheFeeds {
  /** `past_key`, `past_value`, and their scales where they have any. */
  readonly kv: Readonly<Record<string, Tensor>>;
  /** Added to the scores: 0 where a slot may be seen, -inf elsewhere. */
  readonly bias: Tensor;
  /** Original position of each slot's token. */
  readonly slots: Tensor;
}

/**
 * Capacities are multiples of this many tokens. A product over a cache goes over its free slots too, and in which order it adds up depends on how many
 * there are: caches of the same tokens that were asked for no room beyond them have as many, however they came about, and give the same numbers.
 */
const STEP = 64;
const capacityOf = (tokens: number) => Math.ceil(tokens / STEP) * STEP;

/**
 * One layer's keys and values in memory, `[kvHeads, capacity, headDim]`, of which the first `length` slots are
 * filled. ONNX Runtime reads these arrays in place: it copies outputs, but not inputs.
 */
export class LayerCache implements HostLayer {
  /** Element type of the keys and values. */
  readonly dtype: "float32" | "float16" | "int8";
  /** Where they live: in this process's memory. */
  readonly home = "host";
  readonly ragged = false;
  private keys: KvStore;
  private values: KvStore;
  private slots: Int32Array;
  /** Positions of each head's slots where heads hold other tokens each. */
  private own: Int32Array[] | null = null;
  private mask: Float32Array;
  private tensors: CacheFeeds | null = null;
  /** Keys and values alone, as graphs take them that grow them. */
  private whole: Readonly<Record<"key" | "value", Tensor>> | null = null;
  private visibleFrom = 0;
  private filled = 0;
  private capacity: number;

  /** @param room tokens to make room for */
  constructor(
    readonly kvHeads: number,
    readonly headDim: number,
    room: number,
    readonly kvDtype: KvDtype = "fp32",
  ) {
    const capacity = (this.capacity = capacityOf(room));
    this.dtype = ({ fp32: "float32", fp16: "float16", int8: "int8" } as const)[kvDtype];
    this.keys = new KvStore(kvDtype, kvHeads, headDim, capacity);
    this.values = new KvStore(kvDtype, kvHeads, headDim, capacity);
    this.slots = new Int32Array(capacity);
    this.mask = new Float32Array(capacity).fill(-Infinity);
  }

  /** Number of tokens that each head holds. */
  get length(): number {
    return this.filled;
  }

  get uniform(): boolean {
    return this.own === null;
  }

  get positions(): Int32Array {
    return this.own ? union(this.own.map((slots) => slots.subarray(0, this.filled))) : this.slots.subarray(0, this.filled);
  }

  headPositions(head: number): Int32Array {
    this.storeOf("key", head);
    return (this.own?.[head] ?? this.slots).subarray(0, this.filled);
  }

  /** Bytes of the keys and values held (not of the room kept for more). */
  get bytes(): number {
    return this.filled * (this.keys.tokenBytes + this.values.tokenBytes);
  }

  /** Keys of one head, `[length, headDim]`: without copying where they are held in float32, else widened. */
  key(head: number): Float32Array {
    return this.storeOf("key", head).read(head, this.filled);
  }

  /** Values of one head, `[length, headDim]`, as `key` gives keys. */
  value(head: number): Float32Array {
    return this.storeOf("value", head).read(head, this.filled);
  }

  /** Keys or values of one head as they are held, without copying. */
  stored(part: "key" | "value", head: number): StoredHead {
    return this.storeOf(part, head).stored(head, this.filled);
  }

  private storeOf(part: "key" | "value", head: number): KvStore {
    if (!Number.isInteger(head) || head < 0 || head >= this.kvHeads) throw new Error(`head: ${head} (must be 0 … ${this.kvHeads - 1})`);
    return part === "key" ? this.keys : this.values;
  }

  /**
   * Adds the tokens of `kv` (which holds `count`) at the rows `rows`, or all of them.
   * @param positions original positions of the tokens added
   */
  append(kv: LayerKv, count: number, positions: ArrayLike<number>, rows: Int32Array | null = null): void {
    const added = rows?.length ?? count;
    this.reserve(added);
    const width = this.headDim;
    for (const [from, to] of [[kv.key, this.keys], [kv.value, this.values]] as const) {
      for (let head = 0; head < this.kvHeads; head++) {
        const source = head * count * width;
        if (!rows) to.write(head, this.filled, from.subarray(source, source + count * width));
        else rows.forEach((row, i) => to.write(head, this.filled + i, from.subarray(source + row * width, source + (row + 1) * width)));
      }
    }
    this.grow(positions, added);
  }

  /** Arrays with room for `count` tokens more, for a graph that puts those behind the ones held (see `inPlaceGraph`), by its names. @param name of the layer there */
  growing(name: string, count: number): { readonly past: Record<string, Tensor>; readonly present: Record<string, Tensor> } {
    this.reserve(count);
    this.whole ??= { key: this.keys.tensor(), value: this.values.tensor() };
    const { key, value } = this.whole;
    return { past: { [`past_key.${name}`]: key, [`past_value.${name}`]: value }, present: { [`key.${name}`]: key, [`value.${name}`]: value } };
  }

  /** Takes over the tokens that such a graph has put there. @param positions original positions */
  grew(positions: readonly number[]): void {
    this.grow(positions, positions.length);
  }

  /** What a graph put there that failed is nobody's: slots out of sight must hold finite numbers (see `drop`). */
  forget(count: number): void {
    this.clear(this.filled, count);
  }

  private grow(positions: ArrayLike<number>, added: number): void {
    for (const slots of this.own ?? [this.slots]) slots.set(positions as ArrayLike<number>, this.filled);
    this.mask.fill(0, this.filled, this.filled + added);
    this.filled += added;
  }

  /** From an empty layer on, each head holds tokens of its own, equally many. @param kv `[1, kvHeads, length, headDim]` */
  fillByHead(kv: LayerKv, positions: readonly Int32Array[]): void {
    const { length } = positions[0]!;
    this.append(kv, length, positions[0]!);
    this.setPositions(positions);
  }

  private setPositions(positions: HeldPositions): void {
    if (positions instanceof Int32Array) {
      this.slots.set(positions);
      return;
    }
    this.own = positions.map((held) => {
      const slots = new Int32Array(this.capacity);
      slots.set(held);
      return slots;
    });
  }

  /**
   * Fills an empty layer with what `stored` gave, bit for bit.
   * @param held elements `[kvHeads, length, headDim]` and scales `[kvHeads, length]` of keys and of values
   */
  restore(positions: HeldPositions, held: Readonly<Record<"key" | "value", StoredHead>>): void {
    const { length } = positions instanceof Int32Array ? positions : positions[0]!;
    this.reserve(length);
    for (let head = 0; head < this.kvHeads; head++) {
      const part = ({ elements, scales }: StoredHead) => ({
        elements: elements.subarray(head * length * this.headDim, (head + 1) * length * this.headDim),
        scales: scales && scales.subarray(head * length, (head + 1) * length),
      });
      this.keys.restore(head, part(held.key));
      this.values.restore(head, part(held.value));
    }
    this.setPositions(positions);
    this.mask.fill(0, 0, length);
    this.filled = length;
  }

  /** Keeps of each head the tokens in the slots `rows`, ascending, equally many of each. */
  select(rows: readonly Int32Array[]): void {
    const { length } = rows[0]!;
    const positions = rows.map((own, head) => Int32Array.from(own, (row) => this.headPositions(head)[row]!));
    rows.forEach((own, head) => {
      this.keys.compact(head, own);
      this.values.compact(head, own);
    });
    this.setPositions(positions);
    this.mask.fill(-Infinity, length, this.filled);
    this.filled = length;
    this.visibleFrom = 0;
  }

  /** Puts the tokens of all heads into the order of their positions, where they are not. */
  sort(): void {
    const before = this.positions;
    if (before.every((position, slot) => slot === 0 || position > before[slot - 1]!)) return;
    const rows = Int32Array.from(before.keys()).sort((a, b) => before[a]! - before[b]!);
    const sorted = rows.map((row) => before[row]!);
    for (const store of [this.keys, this.values]) for (let head = 0; head < this.kvHeads; head++) store.rearrange(head, rows);
    this.setPositions(sorted);
  }

  /** Forgets the last `count` tokens. */
  drop(count: number): void {
    this.filled -= count;
    this.clear(this.filled, count);
    this.mask.fill(-Infinity, this.filled, this.filled + count);
    this.visibleFrom = Math.min(this.visibleFrom, this.filled);
  }

  private clear(from: number, count: number): void {
    // Slots out of sight still meet a weight of zero, and zero times what is not finite is not a number.
    const nothing = new Float32Array(count * this.headDim);
    for (const store of [this.keys, this.values]) for (let head = 0; head < this.kvHeads; head++) store.write(head, from, nothing);
  }

  /** Makes room for `extra` tokens beyond those held. */
  reserve(extra: number): void {
    const needed = this.filled + extra;
    if (needed <= this.capacity) return;
    const capacity = capacityOf(needed);
    this.keys.grow(capacity, this.filled);
    this.values.grow(capacity, this.filled);
    const longer = (slots: Int32Array) => {
      const grown = new Int32Array(capacity);
      grown.set(slots);
      return grown;
    };
    this.slots = longer(this.slots);
    this.own = this.own && this.own.map(longer);
    const mask = new Float32Array(capacity).fill(-Infinity);
    mask.set(this.mask.subarray(0, this.filled));
    this.mask = mask;
    this.capacity = capacity;
    this.tensors = this.whole = null;
  }

  /**
   * The arrays as inputs of the decode graph, for queries at `queryPositions`.
   * With a sliding window, slots out of a query's reach are masked.
   */
  feeds(queryPositions: readonly number[], window: number | null): CacheFeeds {
    // A graph cannot take an axis of length 0 here: the mask has something to be added to.
    if (this.capacity === 0) this.reserve(1);
    this.tensors ??= {
      kv: { ...this.keys.feeds("past_key"), ...this.values.feeds("past_value") },
      bias: new Tensor("float32", this.mask, [1, this.capacity]),
      slots: new Tensor("int32", this.slots, [this.capacity]),
    };
    if (window === null) return this.tensors;
    if (queryPositions.length === 1) {
      const oldest = queryPositions[0]! - window;
      for (; this.visibleFrom < this.filled && this.slots[this.visibleFrom]! <= oldest; this.visibleFrom++) this.mask[this.visibleFrom] = -Infinity;
      return this.tensors;
    }
    const count = queryPositions.length;
    const bias = new Float32Array(count * this.capacity).fill(-Infinity);
    for (let row = 0; row < count; row++) {
      const oldest = queryPositions[row]! - window;
      for (let slot = 0; slot < this.filled; slot++) if (this.slots[slot]! > oldest) bias[row * this.capacity + slot] = 0;
    }
    return { ...this.tensors, bias: new Tensor("float32", bias, [count, this.capacity]) };
  }

  /** The same by the names of the decode graph's inputs. @param name of the layer there */
  namedFeeds(name: string, queryPositions: readonly number[], window: number | null, alibi: boolean): Record<string, Tensor> {
    const { kv, bias, slots } = this.feeds(queryPositions, window);
    return { ...Object.fromEntries(Object.entries(kv).map(([part, tensor]) => [`${part}.${name}`, tensor])), [`bias.${name}`]: bias, ...(alibi && { [`slots.${name}`]: slots }) };
  }

  /** An independent copy, without the last `drop` tokens and with room for `room` more; default: as much as here. */
  clone({ drop = 0, room }: CopyOptions = {}): LayerCache {
    const filled = this.filled - drop;
    const capacity = room === undefined ? this.capacity : capacityOf(filled + room);
    const copy = new LayerCache(this.kvHeads, this.headDim, 0, this.kvDtype);
    copy.keys = this.keys.clone(capacity, filled);
    copy.values = this.values.clone(capacity, filled);
    copy.capacity = capacity;
    const held = (slots: Int32Array) => {
      const own = new Int32Array(capacity);
      own.set(slots.subarray(0, filled));
      return own;
    };
    copy.slots = held(this.slots);
    copy.own = this.own && this.own.map(held);
    // What a window had left behind is found again from its start.
    copy.mask = new Float32Array(capacity).fill(-Infinity).fill(0, 0, filled);
    copy.filled = filled;
    return copy;
  }
}
