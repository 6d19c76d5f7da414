import type { Tensor } from "onnxruntime-node";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import { union, type CopyOptions, type HeldPositions, type HostLayer } from "./kv-cache.js";
import type { StoredHead } from "./kv-store.js";
import type { LayerCache, LayerKv } from "./layer-cache.js";

/** One layer whose heads hold different numbers of tokens: each in arrays of its own, no slot more. */
export class RaggedLayer implements HostLayer {
  readonly home = "host";
  readonly uniform = false;
  readonly ragged = true;

  /** @param heads each a layer of one head */
  constructor(private readonly heads: readonly LayerCache[]) {}

  get kvHeads(): number {
    return this.heads.length;
  }

  get headDim(): number {
    return this.heads[0]!.headDim;
  }

  get dtype(): LayerCache["dtype"] {
    return this.heads[0]!.dtype;
  }

  get kvDtype(): KvDtype {
    return this.heads[0]!.kvDtype;
  }

  get length(): number {
    return this.heads.reduce((sum, { length }) => sum + length, 0) / this.kvHeads;
  }

  get positions(): Int32Array {
    return union(this.heads.map(({ positions }) => positions));
  }

  headPositions(head: number): Int32Array {
    return this.head(head).positions;
  }

  get bytes(): number {
    return this.heads.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  key(head: number): Float32Array {
    return this.head(head).key(0);
  }

  value(head: number): Float32Array {
    return this.head(head).value(0);
  }

  stored(part: "key" | "value", head: number): StoredHead {
    return this.head(head).stored(part, 0);
  }

  /** Adds `count` tokens to every head. @param kv `[1, kvHeads, count, headDim]` */
  append({ key, value }: LayerKv, count: number, positions: ArrayLike<number>, rows: Int32Array | null = null): void {
    const size = count * this.headDim;
    this.heads.forEach((head, h) => head.append({ key: key.subarray(h * size, (h + 1) * size), value: value.subarray(h * size, (h + 1) * size) }, count, positions, rows));
  }

  /** Fills empty heads. @param kv head after head, `[sum of lengths, headDim]` */
  fillByHead({ key, value }: LayerKv, positions: readonly Int32Array[]): void {
    let start = 0;
    this.heads.forEach((head, h) => {
      const end = start + positions[h]!.length * this.headDim;
      head.append({ key: key.subarray(start, end), value: value.subarray(start, end) }, positions[h]!.length, positions[h]!);
      start = end;
    });
  }

  /** Fills empty heads with what `stored` gave, head after head. */
  restore(positions: HeldPositions, held: Readonly<Record<"key" | "value", StoredHead>>): void {
    let start = 0;
    this.heads.forEach((head, h) => {
      const own = positions instanceof Int32Array ? positions : positions[h]!;
      const end = start + own.length;
      const part = ({ elements, scales }: StoredHead): StoredHead => ({ elements: elements.subarray(start * this.headDim, end * this.headDim), scales: scales && scales.subarray(start, end) });
      head.restore(own, { key: part(held.key), value: part(held.value) });
      start = end;
    });
  }

  drop(count: number): void {
    for (const head of this.heads) head.drop(count);
  }

  reserve(extra: number): void {
    for (const head of this.heads) head.reserve(extra);
  }

  namedFeeds(name: string, queryPositions: readonly number[], window: number | null, alibi: boolean): Record<string, Tensor> {
    return Object.assign({}, ...this.heads.map((head, h) => head.namedFeeds(`${name}.${h}`, queryPositions, window, alibi))) as Record<string, Tensor>;
  }

  growing(name: string, count: number): ReturnType<LayerCache["growing"]> {
    const all = this.heads.map((head, h) => head.growing(`${name}.${h}`, count));
    return { past: Object.assign({}, ...all.map(({ past }) => past)) as Record<string, Tensor>, present: Object.assign({}, ...all.map(({ present }) => present)) as Record<string, Tensor> };
  }

  grew(positions: readonly number[]): void {
    for (const head of this.heads) head.grew(positions);
  }

  forget(count: number): void {
    for (const head of this.heads) head.forget(count);
  }

  /** Tokens that each head holds. */
  get headLengths(): number[] {
    return this.heads.map(({ length }) => length);
  }

  clone(options?: CopyOptions): RaggedLayer {
    return new RaggedLayer(this.heads.map((head) => head.clone(options)));
  }

  private head(index: number): LayerCache {
    const head = this.heads[index];
    if (!head) throw new Error(`head: ${index} (must be 0 … ${this.kvHeads - 1})`);
    return head;
  }
}
