import { Tensor } from "onnxruntime-node";
import "./float16-tensors.js";
import { decodeFloat16, encodeFloat16 } from "../checkpoint/half.js";
import { kvDtypes, type KvDtype } from "../checkpoint/kv-dtype.js";

/** @throws on another dtype, with those known */
export function requireKvDtype(text: string): KvDtype {
  const dtype = kvDtypes.find((each) => each === text);
  if (!dtype) throw new Error(`KV dtype: ${text} (must be ${kvDtypes.join(", ")})`);
  return dtype;
}

type Elements = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Int8Array<ArrayBuffer>;

/** Keys or values of one head as they are held, not copied. */
export interface StoredHead {
  /** `[length, headDim]`; of fp16 its bits. */
  readonly elements: Elements;
  /** What each token's elements are to be multiplied by, `[length]`; int8 only. */
  readonly scales: Float32Array<ArrayBuffer> | null;
}

/**
 * The keys or the values of one layer, `[kvHeads, capacity, headDim]`, in the dtype they are held in. int8: each head of each
 * token has a scale, its largest magnitude / 127.
 */
export class KvStore {
  private elements: Elements;
  /** `[kvHeads, capacity]`; int8 only. */
  private scales: Float32Array<ArrayBuffer> | null;

  constructor(
    private readonly dtype: KvDtype,
    private readonly kvHeads: number,
    private readonly headDim: number,
    private capacity: number,
  ) {
    this.elements = this.allocate(capacity);
    this.scales = dtype === "int8" ? new Float32Array(kvHeads * capacity) : null;
  }

  /** Bytes of one token. */
  get tokenBytes(): number {
    return this.kvHeads * (this.headDim * this.elements.BYTES_PER_ELEMENT + (this.scales ? 4 : 0));
  }

  /** Puts consecutive tokens of one head into slots from `slot` on. @param given `[tokens, headDim]`, float32 or the bits of float16 */
  write(head: number, slot: number, given: Float32Array | Uint16Array): void {
    const start = (head * this.capacity + slot) * this.headDim;
    if (given instanceof Uint16Array && this.elements instanceof Uint16Array) {
      this.elements.set(given, start);
      return;
    }
    const values = given instanceof Uint16Array ? decodeFloat16(given) : given;
    if (this.elements instanceof Float32Array) this.elements.set(values, start);
    else if (this.elements instanceof Uint16Array) encodeFloat16(values, this.elements.subarray(start, start + values.length));
    else this.quantise(values, start, head * this.capacity + slot);
  }

  /** The first `count` tokens of one head, `[count, headDim]`: in fp32 without copying. */
  read(head: number, count: number): Float32Array {
    const { elements, scales } = this.stored(head, count);
    if (elements instanceof Float32Array) return elements;
    if (elements instanceof Uint16Array) return decodeFloat16(elements);
    return Float32Array.from(elements, (level, i) => level * scales![Math.floor(i / this.headDim)]!);
  }

  /** The first `count` tokens of one head as they are held. */
  stored(head: number, count: number): StoredHead {
    const slot = head * this.capacity;
    return {
      elements: this.elements.subarray(slot * this.headDim, (slot + count) * this.headDim),
      scales: this.scales && this.scales.subarray(slot, slot + count),
    };
  }

  /** Puts what `stored` gave of a head into its first slots. */
  restore(head: number, { elements, scales }: StoredHead): void {
    this.elements.set(elements, head * this.capacity * this.headDim);
    if (scales) this.scales!.set(scales, head * this.capacity);
  }

  /** Moves the tokens of one head at `rows`, ascending, to its first slots. */
  compact(head: number, rows: Int32Array): void {
    const [start, width] = [head * this.capacity, this.headDim];
    rows.forEach((row, slot) => {
      this.elements.copyWithin((start + slot) * width, (start + row) * width, (start + row + 1) * width);
      this.scales?.copyWithin(start + slot, start + row, start + row + 1);
    });
  }

  /** Puts the tokens of one head at `rows`, all of those held, one after the other. */
  rearrange(head: number, rows: Int32Array): void {
    const { elements, scales } = this.stored(head, rows.length);
    const [from, own] = [elements.slice(), scales && scales.slice()];
    rows.forEach((row, slot) => {
      elements.set(from.subarray(row * this.headDim, (row + 1) * this.headDim), slot * this.headDim);
      if (own) scales![slot] = own[row]!;
    });
  }

  /** Makes room for `capacity` tokens, keeping the first `filled`. */
  grow(capacity: number, filled: number): void {
    const elements = this.allocate(capacity);
    const scales = this.scales && new Float32Array(this.kvHeads * capacity);
    for (let head = 0; head < this.kvHeads; head++) {
      const start = head * this.capacity;
      elements.set(this.elements.subarray(start * this.headDim, (start + filled) * this.headDim), head * capacity * this.headDim);
      scales?.set(this.scales!.subarray(start, start + filled), head * capacity);
    }
    [this.elements, this.scales, this.capacity] = [elements, scales, capacity];
  }

  /** The whole in place, `[1, kvHeads, capacity, headDim]`; of fp32. */
  tensor(): Tensor {
    return new Tensor("float32", this.elements as Float32Array, [1, this.kvHeads, this.capacity, this.headDim]);
  }

  /** As inputs of the decode graph, in place: `[1, kvHeads, 1, capacity, headDim]`. */
  feeds(name: string): Record<string, Tensor> {
    const { kvHeads, capacity, headDim, elements } = this;
    const shape = [1, kvHeads, 1, capacity, headDim];
    if (elements instanceof Float32Array) return { [name]: new Tensor("float32", elements, shape) };
    if (elements instanceof Uint16Array) return { [name]: new Tensor("float16", elements, shape) };
    return { [name]: new Tensor("int8", elements, shape), [`${name}_scale`]: new Tensor("float32", this.scales!, [1, kvHeads, 1, 1, capacity]) };
  }

  /** An independent copy of the first `filled` tokens, with room for `capacity`. */
  clone(capacity: number, filled: number): KvStore {
    const copy = new KvStore(this.dtype, this.kvHeads, this.headDim, capacity);
    for (let head = 0; head < this.kvHeads; head++) {
      const { elements, scales } = this.stored(head, filled);
      copy.restore(head, { elements, scales });
    }
    return copy;
  }

  private allocate(capacity: number): Elements {
    const Typed = { fp32: Float32Array, fp16: Uint16Array, int8: Int8Array }[this.dtype];
    return new Typed(this.kvHeads * capacity * this.headDim);
  }

  private quantise(values: Float32Array, start: number, firstScale: number): void {
    const { headDim } = this;
    for (let token = 0; token * headDim < values.length; token++) {
      let most = 0;
      for (let i = token * headDim; i < (token + 1) * headDim; i++) most = Math.max(most, Math.abs(values[i]!));
      const scale = Math.fround(most / 127);
      this.scales![firstScale + token] = scale;
      for (let i = token * headDim; i < (token + 1) * headDim; i++) this.elements[start + i] = scale === 0 ? 0 : Math.round(values[i]! / scale);
    }
  }
}
