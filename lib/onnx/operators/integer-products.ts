import type { Dim, Value } from "../graph.js";
import { int } from "./attributes.js";
import { Products } from "./products.js";

/** A matrix `[out, in]` in 8 bits with a scale for each output. */
export interface ChannelMatrix {
  /** int8 initializer `[in, out]`. */
  readonly weights: Value;
  /** `[out]` */
  readonly scales: Value;
}

/** Rows of activations in two terms of 8 bits: `scale * (high + low / 254)`, `high` and `low` counted from 128. */
interface RoundedRows {
  /** uint8 `[rows, in]` */
  readonly high: Value;
  readonly low: Value;
  /** `[rows, 1]` */
  readonly scale: Value;
}

/** Zero among unsigned elements. */
const MIDDLE = 128;
/** Largest magnitude of an element beside it. */
const LARGEST = 127;
/** What an element of the second term is of one of the first: what the first leaves, at most half of it, then falls on all of its levels. */
const FINER = 2 * LARGEST;

/** Products of 8-bit integers, which processors have units for (AMX, VNNI), exact sums included. CPU. */
export class IntegerProducts extends Products {
  private readonly rounded = new Map<Value, RoundedRows>();
  private readonly middles = new Map<Dim, Value>();

  /**
   * `x · weightᵀ` with `x` `[…, in]` rounded row by row to 16 bits, in two terms of 8 that are multiplied one after the other. A row's numbers do not
   * depend on other rows. One term alone would not do: where single activations are a hundred times the others, as in language models, too little is left
   * of those (arXiv:2208.07339).
   */
  linearByChannel(x: Value, weight: ChannelMatrix): Value {
    const out = weight.weights.shape[1]!;
    const { high, low, scale } = this.roundedRows(x);
    const sum = this.add(this.integerProduct(high, weight, 1), this.integerProduct(low, weight, 1 / FINER));
    return this.reshape(this.mul(sum, scale), [...x.shape.slice(0, -1), out]);
  }

  private integerProduct(rows: Value, { weights, scales }: ChannelMatrix, factor: number): Value {
    return this.node("MatMulIntegerToFloat", [rows, weights, this.scalar("float32", factor), scales, this.scalar("uint8", MIDDLE)],
      [{ dtype: "float32", shape: [rows.shape[0]!, weights.shape[1]!] }], {}, "com.microsoft")[0]!;
  }

  /** Made once for all products of `x`. */
  private roundedRows(x: Value): RoundedRows {
    let rows = this.rounded.get(x);
    if (!rows) {
      const flat = this.asRows(x);
      const count = flat.shape[0]!;
      const largest = this.max(this.reduceMax(flat, [1]), this.neg(this.reduceMin(flat, [1])));
      // The largest of numbers that are none (NaN) is not always one; their sum is. Without that a row that went wrong would become finite again.
      const wrong = this.mul(this.reduceSum(flat, [1]), 0);
      const scale = this.add(this.add(this.mul(largest, 1 / LARGEST), wrong), 1e-30);
      const high = this.quantizeRows(flat, scale);
      const left = this.sub(flat, this.node("DequantizeLinear", [high, scale, this.middle(count)], [{ dtype: "float32", shape: flat.shape }], { axis: int(0) })[0]!);
      const low = this.quantizeRows(left, this.mul(scale, 1 / FINER));
      this.rounded.set(x, (rows = { high, low, scale: this.reshape(scale, [count, 1]) }));
    }
    return rows;
  }

  /** `[rows, in]` in steps of each row's own `scale` `[rows]`. */
  private quantizeRows(rows: Value, scale: Value): Value {
    return this.node("QuantizeLinear", [rows, scale, this.middle(rows.shape[0]!)], [{ dtype: "uint8", shape: rows.shape }], { axis: int(0) })[0]!;
  }

  /** The middle for each of `count` rows. */
  private middle(count: Dim): Value {
    let middle = this.middles.get(count);
    if (!middle) this.middles.set(count, (middle = this.expand(this.scalar("uint8", MIDDLE), [count])));
    return middle;
  }
}
