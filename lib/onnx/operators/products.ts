import type { Dim, Value } from "../graph.js";
import { broadcast, format } from "../shapes.js";
import { Arrange } from "./arrange.js";
import { float, int } from "./attributes.js";

/** A matrix `[out, in]` in blocks of quantised elements along its rows, as MatMulNBits takes it. */
export interface QuantizedMatrix {
  readonly bits: 4 | 8;
  readonly blockSize: number;
  /** Of what it stands for. */
  readonly shape: readonly [number, number];
  /** uint8 initializer of `out * blocks * blockSize * bits / 8` elements. */
  readonly quants: Value;
  /** `[out, blocks]` */
  readonly scales: Value;
  /** uint8 `[out, ceil(blocks * bits / 8)]`; null: in the middle. */
  readonly zeroPoints: Value | null;
  /** `[out, blocks]`, added to every element of a block; null or absent: nothing. */
  readonly offsets?: Value | null;
}

/** Products of matrices, of quantised ones too. */
export class Products extends Arrange {
  private readonly views = new Map<string, Value>();
  private readonly sums = new Map<string, Value>();

  /**
   * @param products `fused`: transposing and scaling products are ONNX Runtime's FusedMatMul, which only the CPU and CUDA
   * have; elsewhere ONNX Runtime would take every one of them back to the CPU. `standard`: the same in standard ONNX
   */
  constructor(name?: string, protected readonly products: "fused" | "standard" = "fused", prefix = "") {
    super(name, prefix);
  }

  /** `alpha * op(a) · op(b)` over the last two axes, leading axes broadcast; `transA`/`transB` transpose the last two. */
  matmul(a: Value, b: Value, { transA = false, transB = false, alpha = 1 } = {}): Value {
    const [m, k] = lastTwo(a.shape, transA);
    const [k2, n] = lastTwo(b.shape, transB);
    if (typeof k === "number" && typeof k2 === "number" && k !== k2) {
      throw new Error(`matmul: inner sizes of ${format(a.shape)} and ${format(b.shape)} differ (${k}, ${k2})`);
    }
    const shape = [...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2), "matmul"), m, n];
    const output = [{ dtype: a.dtype, shape }];
    if (!transA && !transB && alpha === 1) return this.node("MatMul", [a, b], output)[0]!;
    if (this.products === "standard") {
      const left = transA ? this.transpose(a, lastSwapped(a.rank)) : a;
      return this.node("MatMul", [alpha === 1 ? left : this.scale(left, alpha), transB ? this.transpose(b, lastSwapped(b.rank)) : b], output)[0]!;
    }
    return this.node("FusedMatMul", [a, b], output,
      { transA: int(Number(transA)), transB: int(Number(transB)), alpha: float(alpha) }, "com.microsoft")[0]!;
  }

  /** `x · weightᵀ (+ bias)` with `weight` stored `[out, in]`, as checkpoints have it. */
  linear(x: Value, weight: Value, bias: Value | null = null): Value {
    if (this.products === "standard") return this.gemm(x, weight, bias);
    const y = this.matmul(x, weight, { transB: true });
    return bias ? this.add(y, bias) : y;
  }

  /** `x · weightᵀ` with the weight in blocks of quantised elements. */
  linearNBits(x: Value, weight: QuantizedMatrix, accuracy: "float32" | "int8"): Value {
    const { bits, blockSize, shape: [rows, columns], quants, scales, zeroPoints, offsets } = weight;
    const elements = this.view(quants, [rows, scales.shape[1] as number, (blockSize * bits) / 8]);
    const y = this.node("MatMulNBits", [x, elements, scales, ...(zeroPoints ? [zeroPoints] : [])], [{ dtype: x.dtype, shape: [...x.shape.slice(0, -1), rows] }],
      { K: int(columns), N: int(rows), bits: int(bits), block_size: int(blockSize), accuracy_level: int(accuracy === "int8" ? 4 : 1) }, "com.microsoft")[0]!;
    // What is added to all elements of a block counts once for the sum of the block's activations.
    return offsets ? this.add(y, this.linear(this.blockSums(x, blockSize), offsets)) : y;
  }

  /** Sums over whole blocks of the last axis, made once for all products of `x`. */
  private blockSums(x: Value, blockSize: number): Value {
    const key = `${x.name} ${blockSize}`;
    let sums = this.sums.get(key);
    if (!sums) {
      const blocks = (x.shape.at(-1) as number) / blockSize;
      sums = this.cast(this.reduceSum(this.cast(this.reshape(x, [...x.shape.slice(0, -1), blocks, blockSize]), "float32"), [x.rank]), x.dtype);
      this.sums.set(key, sums);
    }
    return sums;
  }

  /** Rows of a quantised matrix at `indices` (any rank), dequantised. */
  gatherNBits(weight: QuantizedMatrix, indices: Value): Value {
    const { bits, blockSize, shape: [rows, columns], quants, scales, zeroPoints, offsets } = weight;
    const padded = (scales.shape[1] as number) * blockSize;
    const elements = this.view(quants, [rows, (padded * bits) / 8]);
    const [gathered] = this.node("GatherBlockQuantized", [elements, indices, scales, ...(zeroPoints ? [zeroPoints] : [])],
      [{ dtype: scales.dtype, shape: [...indices.shape, padded] }],
      { bits: int(bits), block_size: int(blockSize), gather_axis: int(0), quantize_axis: int(1) }, "com.microsoft");
    const found = offsets ? this.addToBlocks(gathered!, this.gather(offsets, indices), blockSize) : gathered!;
    return padded === columns ? found : this.slice(found, -1, 0, columns);
  }

  /** `x` `[…, blocks * blockSize]` with `offsets` `[…, blocks]` added to each element of a block. */
  private addToBlocks(x: Value, offsets: Value, blockSize: number): Value {
    const split = this.reshape(x, [...offsets.shape, blockSize]);
    return this.reshape(this.add(split, this.reshape(offsets, [...offsets.shape, 1])), x.shape);
  }

  /** An initializer's bytes under another shape of as many elements; no node is needed, so that it stays constant. */
  private view(value: Value, shape: readonly number[]): Value {
    if (value.shape.join() === shape.join()) return value;
    const key = `${value.name} ${shape.join()}`;
    let view = this.views.get(key);
    if (!view) {
      const { data } = this.initializers.find((initializer) => initializer.value === value)!;
      view = data.kind === "inline" ? this.inline(value.name, value.dtype, shape, data.bytes)
        : this.external(value.name, value.dtype, shape, data.location, data.offset, data.length);
      this.views.set(key, view);
    }
    return view;
  }

  /** `linear` as one Gemm over all rows: the weight stays as it is stored. */
  private gemm(x: Value, weight: Value, bias: Value | null): Value {
    const out = weight.shape[0]!;
    const rows = this.asRows(x);
    const y = this.node("Gemm", bias ? [rows, weight, bias] : [rows, weight], [{ dtype: x.dtype, shape: [rows.shape[0]!, out] }], { transB: int(1) })[0]!;
    return this.reshape(y, [...x.shape.slice(0, -1), out]);
  }

  /** `x` `[…, in]` as a matrix `[rows, in]`. */
  protected asRows(x: Value): Value {
    const leading = x.shape.slice(0, -1).filter((dim) => dim !== 1);
    const rows = leading.length === 1 ? leading[0]! : leading.every((dim) => typeof dim === "number") ? (leading as number[]).reduce((a, b) => a * b, 1) : leading.join("*");
    return this.reshape(x, [rows, x.shape[x.rank - 1]!]);
  }
}

function lastTwo(shape: readonly Dim[], transposed: boolean): [Dim, Dim] {
  if (shape.length < 2) throw new Error(`matmul: shape ${format(shape)} (at least two axes are needed)`);
  const [a, b] = [shape[shape.length - 2]!, shape[shape.length - 1]!];
  return transposed ? [b, a] : [a, b];
}

/** Axes of a tensor with its last two swapped. */
function lastSwapped(rank: number): number[] {
  return Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
}
