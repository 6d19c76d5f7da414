import { GraphBuilder, type RotaryLayout } from "./builder.js";
import type { Dim, Value } from "./graph.js";

/** The one operator of ONNX Runtime's own that graphs for providers have, since they leave it to the CPU. */
export const SEAM = "ExpandDims";

/**
 * Models in ONNX's own operators, none of ONNX Runtime's, for providers that may have the latter not, or have them wrong: OpenVINO's takes
 * RotaryEmbedding and turns every token by the first one's angles.
 */
export class StandardBuilder extends GraphBuilder {
  constructor(name?: string) {
    super(name, "standard", false);
  }

  /** ONNX leaves open which of equal elements TopK takes: OpenVINO's takes any. All keys here are different. */
  override highest(x: Value, k: Value, size: Dim): Value {
    const n = x.shape.at(-1)!;
    const lowest = this.last(this.topK(x, k, size)[0], -1);
    const [above, equal] = [this.greater(x, lowest), this.equal(x, lowest)];
    const room = this.sub(k, this.reduceSum(this.cast(above, "int64"), [-1], true));
    const taken = this.or(above, this.and(equal, this.lessOrEqual(this.cumSum(this.cast(equal, "int64"), -1), room)));
    const index = this.range(n);
    return this.topK(this.where(taken, this.sub(this.dim(n), index), this.sub(-1, index)), k, size)[1];
  }

  /**
   * By an operator that plugins have not: what stands before and after it are two works of theirs, between which ONNX Runtime is asked whether to go on.
   * The copy is the CPU's.
   */
  override seam(x: Value): Value {
    const [copy] = this.node(SEAM, [x, this.scalar("int32", 0)], [{ dtype: x.dtype, shape: [1, ...x.shape] }], {}, "com.microsoft");
    return this.reshape(copy!, x.shape);
  }

  override silu(x: Value): Value {
    return this.mul(x, this.sigmoid(x));
  }

  override rmsNorm(x: Value, weight: Value, eps: number): Value {
    const variance = this.reduceMean(this.mul(x, x), [-1], true);
    return this.mul(this.div(x, this.sqrt(this.add(variance, eps))), weight);
  }

  override rotary(x: Value, cos: Value, sin: Value, { interleaved = false, partial = null }: RotaryLayout = {}, positions: Value | null = null): Value {
    const half = cos.shape[1] as number;
    const [b, n, width] = x.shape as [Value["shape"][number], Value["shape"][number], number];
    const size = partial ? width / partial.heads : 2 * half;
    const heads = width / size;
    const all = this.reshape(x, [b, n, heads, size]);
    const turned = size === 2 * half ? all : this.slice(all, 3, 0, 2 * half);
    // One row for all heads of a token.
    const rows = (table: Value) => (positions ? this.unsqueeze(this.gather(table, positions), [2]) : this.reshape(table, [1, n, 1, half]));
    const [c, s] = [rows(cos), rows(sin)];
    const pairs = interleaved ? this.reshape(turned, [b, n, heads, half, 2]) : null;
    const [first, second] = pairs
      ? [0, 1].map((i) => this.reshape(this.slice(pairs, 4, i, i + 1), [b, n, heads, half])) as [Value, Value]
      : this.splitAt(turned, 3, half, half);
    const left = this.sub(this.mul(first, c), this.mul(second, s));
    const right = this.add(this.mul(second, c), this.mul(first, s));
    const joined = interleaved
      ? this.reshape(this.concat([this.unsqueeze(left, [4]), this.unsqueeze(right, [4])], 4), [b, n, heads, 2 * half])
      : this.concat([left, right], 3);
    const whole = turned === all ? joined : this.concat([joined, this.slice(all, 3, 2 * half, size)], 3);
    return this.reshape(whole, [b, n, width]);
  }
}
