import { Graph, type Attribute, type Dim, type Dtype, type Value } from "./graph.js";
import { broadcast, format, normalizeAxis, reduced } from "./shapes.js";

const int = (value: number): Attribute => ({ kind: "int", value });
const float = (value: number): Attribute => ({ kind: "float", value });
const ints = (value: readonly number[]): Attribute => ({ kind: "ints", value });

const typedArrays = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

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

/** Which elements of a head a rotary embedding turns with which. */
export interface RotaryLayout {
  /** 2i with 2i + 1; default: i with i + r / 2 ("rotate half"), r being the number of elements that are turned. */
  readonly interleaved?: boolean;
  /** Only the first `turned` elements of each of the `heads`; default: all. */
  readonly partial?: { readonly heads: number; readonly turned: number } | null;
}

type ConstantDtype = keyof typeof typedArrays;

/** How experts are chosen and what they compute. */
export interface ExpertSettings {
  /** Experts that a token goes to. */
  readonly perToken: number;
  /** `gate sigmoid(alpha gate) (up + 1)`, clamped to `limit`; null: `silu(gate) up`. */
  readonly gate: { readonly alpha: number; readonly limit: number } | null;
}

/** A score that no other one leaves any weight. */
const NO_WEIGHT = -1e30;

/** Largest finite float32. */
const FLOAT_MAX = 3.4028234663852886e38;

/**
 * The operators that models are written in. Every method adds nodes and returns the resulting value;
 * shapes follow ONNX's rules. Plain numbers become scalar constants of the other operand's type.
 */
export class GraphBuilder extends Graph {
  private readonly scalars = new Map<string, Value>();
  private readonly dims = new Map<string, Value>();
  private readonly even = new Map<string, Value>();
  private readonly views = new Map<string, Value>();
  private readonly sums = new Map<string, Value>();

  /**
   * @param products `fused`: transposing and scaling products are ONNX Runtime's FusedMatMul, which only the CPU and CUDA
   * have; elsewhere ONNX Runtime would take every one of them back to the CPU. `standard`: the same in standard ONNX
   * @param fusedExperts mixtures of experts are ONNX Runtime's own operators: on the CPU
   */
  constructor(name?: string, private readonly products: "fused" | "standard" = "fused", readonly fusedExperts = products === "fused", prefix = "") {
    super(name, prefix);
  }

  /**
   * A value that is computed by one of two graphs, each of which sees the values of this one. Both give the same dtype and shape.
   * @param condition bool, one element @param name not used before
   */
  choose(condition: Value, name: string, then: (g: GraphBuilder) => Value, otherwise: (g: GraphBuilder) => Value): Value {
    const [first, second] = ([["then", then], ["else", otherwise]] as const).map(([branch, compute]) => {
      const g = new GraphBuilder(`${name}.${branch}`, this.products, this.fusedExperts, `${name}.${branch}/`);
      g.output(compute(g), `${name}.${branch}`);
      return g;
    });
    const { dtype, shape } = first!.outputs[0]!.value;
    return this.node("If", [condition], [{ dtype, shape }], { then_branch: { kind: "graph", value: first! }, else_branch: { kind: "graph", value: second! } })[0]!;
  }

  // ---- constants -----------------------------------------------------------------------------------

  /** A tensor of constants. Without `shape`: a vector. */
  constant(dtype: ConstantDtype, values: readonly number[] | ArrayLike<number>, shape: readonly number[] = [values.length]): Value {
    const Typed = typedArrays[dtype];
    const array =
      Typed === BigInt64Array
        ? BigInt64Array.from(values as ArrayLike<number>, (value) => BigInt(value))
        : (Typed as Float32ArrayConstructor).from(values as ArrayLike<number>);
    if (shape.reduce((a, b) => a * b, 1) !== array.length) {
      throw new Error(`constant: ${array.length} values for shape ${format(shape)}`);
    }
    return this.inline("constant", dtype, shape, new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }

  /** A scalar constant; equal ones are shared. */
  scalar(dtype: ConstantDtype, value: number): Value {
    const key = `${dtype}:${Object.is(value, -0) ? "-0" : value}`;
    let scalar = this.scalars.get(key);
    if (!scalar) this.scalars.set(key, (scalar = this.constant(dtype, [value], [])));
    return scalar;
  }

  /** An int64 vector `[dims.length]` with the run-time values of `dims`. */
  shapeVector(dims: readonly Dim[]): Value {
    if (dims.every((dim) => typeof dim === "number")) return this.constant("int64", dims as number[]);
    return this.concat(dims.map((dim) => this.dim(dim)), 0);
  }

  /** The run-time value of a dimension as an int64 vector of one element. */
  dim(dim: Dim): Value {
    if (typeof dim === "number") return this.constant("int64", [dim]);
    const known = this.symbols.get(dim);
    if (!known) throw new Error(`dimension: ${dim} (no value of this graph has it)`);
    let value = this.dims.get(dim);
    if (!value) {
      [value] = this.node("Shape", [known.value], [{ dtype: "int64", shape: [1] }], { start: int(known.axis), end: int(known.axis + 1) });
      this.dims.set(dim, value!);
    }
    return value!;
  }

  // ---- elementwise ---------------------------------------------------------------------------------

  add(a: Value | number, b: Value | number): Value { return this.binary("Add", a, b); }
  sub(a: Value | number, b: Value | number): Value { return this.binary("Sub", a, b); }
  mul(a: Value | number, b: Value | number): Value { return this.binary("Mul", a, b); }
  div(a: Value | number, b: Value | number): Value { return this.binary("Div", a, b); }
  pow(a: Value, exponent: number): Value { return this.binary("Pow", a, exponent); }
  min(a: Value | number, b: Value | number): Value { return this.binary("Min", a, b); }
  max(a: Value | number, b: Value | number): Value { return this.binary("Max", a, b); }
  less(a: Value | number, b: Value | number): Value { return this.binary("Less", a, b, "bool"); }
  lessOrEqual(a: Value | number, b: Value | number): Value { return this.binary("LessOrEqual", a, b, "bool"); }
  greater(a: Value | number, b: Value | number): Value { return this.binary("Greater", a, b, "bool"); }
  greaterOrEqual(a: Value | number, b: Value | number): Value { return this.binary("GreaterOrEqual", a, b, "bool"); }
  equal(a: Value | number, b: Value | number): Value { return this.binary("Equal", a, b, "bool"); }
  and(a: Value, b: Value): Value { return this.binary("And", a, b, "bool"); }
  or(a: Value, b: Value): Value { return this.binary("Or", a, b, "bool"); }
  not(x: Value): Value { return this.unary("Not", x); }
  neg(x: Value): Value { return this.unary("Neg", x); }
  abs(x: Value): Value { return this.unary("Abs", x); }
  sign(x: Value): Value { return this.unary("Sign", x); }
  exp(x: Value): Value { return this.unary("Exp", x); }
  log(x: Value): Value { return this.unary("Log", x); }
  sqrt(x: Value): Value { return this.unary("Sqrt", x); }
  sigmoid(x: Value): Value { return this.unary("Sigmoid", x); }
  softplus(x: Value): Value { return this.unary("Softplus", x); }
  tanh(x: Value): Value { return this.unary("Tanh", x); }
  erf(x: Value): Value { return this.unary("Erf", x); }
  identity(x: Value): Value { return this.unary("Identity", x); }
  isNaN(x: Value): Value { return this.node("IsNaN", [x], [{ dtype: "bool", shape: x.shape }])[0]!; }
  cast(x: Value, dtype: Dtype): Value {
    if (x.dtype === dtype) return x;
    return this.node("Cast", [x], [{ dtype, shape: x.shape }], { to: int(onnxTypes[dtype]) })[0]!;
  }

  /** Elementwise choice: `condition ? a : b`, broadcasting. */
  where(condition: Value, a: Value | number, b: Value | number): Value {
    const other = typeof a !== "number" ? a : typeof b !== "number" ? b : null;
    const x = this.lift(a, other?.dtype ?? "float32");
    const y = this.lift(b, other?.dtype ?? "float32");
    const shape = broadcast(condition.shape, broadcast(x.shape, y.shape));
    return this.node("Where", [condition, x, y], [{ dtype: x.dtype, shape }])[0]!;
  }

  /** GELU, exact (`erf`) unless `approximate` is "tanh". */
  gelu(x: Value, approximate: "none" | "tanh" = "none"): Value {
    return this.node("Gelu", [x], [{ dtype: x.dtype, shape: x.shape }], { approximate: { kind: "string", value: approximate } })[0]!;
  }

  /** SiLU: `x * sigmoid(x)`. */
  silu(x: Value): Value {
    return this.node("QuickGelu", [x], [{ dtype: x.dtype, shape: x.shape }], { alpha: float(1) }, "com.microsoft")[0]!;
  }

  // ---- products ------------------------------------------------------------------------------------

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
      return this.node("MatMul", [alpha === 1 ? left : this.mul(left, alpha), transB ? this.transpose(b, lastSwapped(b.rank)) : b], output)[0]!;
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
      sums = this.reduceSum(this.reshape(x, [...x.shape.slice(0, -1), blocks, blockSize]), [x.rank]);
      this.sums.set(key, sums);
    }
    return sums;
  }

  /**
   * Mixture of experts on `x` `[n, d]`: each token goes through the `perToken` experts of the highest `logits` `[n, experts]`,
   * whose shares, a softmax over those, add up to 1 (not normalised, ONNX Runtime 1.30 gives zeros where it computes in place). CPU.
   * @param first weight `[experts, 2 f, d]`, rows of gate and up in turn, bias `[experts, 2 f]` @param second weight `[experts, d, f]`, bias `[experts, d]`
   */
  moe(x: Value, logits: Value, first: { weight: Value; bias: Value | null }, second: { weight: Value; bias: Value | null }, settings: ExpertSettings): Value {
    return this.node("MoE", [x, logits, first.weight, first.bias, second.weight, second.bias], [{ dtype: x.dtype, shape: x.shape }], expertAttributes(settings), "com.microsoft")[0]!;
  }

  /** As `moe`, of weights in blocks of quantised elements, unrounded. Quants `[experts, rows, bytes]`, scales `[experts, rows, blocks]`. */
  qmoe(x: Value, logits: Value, first: ExpertBlocks, second: ExpertBlocks, settings: ExpertSettings & Pick<QuantizedMatrix, "bits" | "blockSize">): Value {
    return this.node("QMoE", [x, logits, first.quants, first.scales, first.bias, second.quants, second.scales, second.bias, null, null, null, ...(first.zeroPoints ? [first.zeroPoints, second.zeroPoints] : [])],
      [{ dtype: x.dtype, shape: x.shape }], { ...expertAttributes(settings), expert_weight_bits: int(settings.bits), block_size: int(settings.blockSize) }, "com.microsoft")[0]!;
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
    const [inner, out] = [x.shape[x.rank - 1]!, weight.shape[0]!];
    const leading = x.shape.slice(0, -1).filter((dim) => dim !== 1);
    const rows = leading.length === 1 ? leading[0]! : leading.every((dim) => typeof dim === "number") ? (leading as number[]).reduce((a, b) => a * b, 1) : leading.join("*");
    const y = this.node("Gemm", bias ? [this.reshape(x, [rows, inner]), weight, bias] : [this.reshape(x, [rows, inner]), weight], [{ dtype: x.dtype, shape: [rows, out] }], { transB: int(1) })[0]!;
    return this.reshape(y, [...x.shape.slice(0, -1), out]);
  }

  // ---- normalisation and attention -----------------------------------------------------------------

  softmax(x: Value, axis = -1): Value {
    return this.node("Softmax", [x], [{ dtype: x.dtype, shape: x.shape }], { axis: int(axis) })[0]!;
  }

  logSoftmax(x: Value, axis = -1): Value {
    return this.node("LogSoftmax", [x], [{ dtype: x.dtype, shape: x.shape }], { axis: int(axis) })[0]!;
  }

  /** RMS norm over the last axis: `x / sqrt(mean(x²) + eps) * weight`. */
  rmsNorm(x: Value, weight: Value, eps: number): Value {
    const inverse = [...x.shape.slice(0, -1), 1];
    return this.node("SimplifiedLayerNormalization", [x, weight],
      [{ dtype: x.dtype, shape: x.shape }, { dtype: "float32", shape: inverse }],
      { axis: int(-1), epsilon: float(eps), stash_type: int(1) })[0]!;
  }

  /** Layer norm over the last axis: `(x - mean) / sqrt(variance + eps) * weight (+ bias)`. */
  layerNorm(x: Value, weight: Value, bias: Value | null, eps: number): Value {
    const statistics = { dtype: "float32" as const, shape: [...x.shape.slice(0, -1), 1] };
    return this.node("LayerNormalization", bias ? [x, weight, bias] : [x, weight], [{ dtype: x.dtype, shape: x.shape }, statistics, statistics],
      { axis: int(-1), epsilon: float(eps), stash_type: int(1) })[0]!;
  }

  /**
   * Rotary position embedding of `x` `[b, n, heads * headDim]`.
   * @param cos, sin `[n, r / 2]`: row t belongs to token t, or, with positions, to that position
   * @param positions `[b, n]` int64
   */
  rotary(x: Value, cos: Value, sin: Value, { interleaved = false, partial = null }: RotaryLayout = {}, positions: Value | null = null): Value {
    return this.node("RotaryEmbedding", [x, positions ?? this.scalarVector(0), cos, sin], [{ dtype: x.dtype, shape: x.shape }],
      { interleaved: int(Number(interleaved)), ...(partial && { num_heads: int(partial.heads), rotary_embedding_dim: int(partial.turned) }) }, "com.microsoft")[0]!;
  }

  /**
   * Causal grouped-query attention without materialising the scores, over a whole prompt or, with `past` keys and values
   * `[1, kvHeads, p, headDim]`, over n further tokens.
   * `q` `[1, n, heads * headDim]`, `k`, `v` `[1, n, kvHeads * headDim]` -> output `[1, n, heads * headDim]`,
   * present keys and values `[1, kvHeads, p + n, headDim]`; `present` names that length.
   * On a CPU the keys are taken in tiles with a running softmax, or, with `tiled` false, all scores of the n tokens are held at a time: faster for few queries.
   * `sinks` `[heads]`: a score that every query's softmax has besides, with no value (gpt_oss); never in tiles.
   */
  groupQueryAttention(
    q: Value,
    k: Value,
    v: Value,
    { heads, kvHeads, headDim, scale, softcap = null, window = null, past = null, present, tiled = true, sinks = null }: {
      sinks?: Value | null; heads: number; kvHeads: number; headDim: number; scale: number; softcap?: number | null; window?: number | null; past?: { key: Value; value: Value } | null; present?: Dim; tiled?: boolean;
    },
  ): [Value, Value, Value] {
    const n = q.shape[1]!;
    const empty = past ? null : this.emptyCache(kvHeads, headDim, q.dtype === "float16" ? "float16" : "float32");
    const tokens = past ? this.add(this.dim(n), this.dim(past.key.shape[2]!)) : this.dim(n);
    const total = this.cast(tokens, "int32");
    const last = this.sub(total, 1);
    const cache = { dtype: q.dtype, shape: [1, kvHeads, present ?? (past ? `${past.key.shape[2]}+${n}` : n), headDim] };
    // ONNX Runtime takes no tiles where there are attention sinks: such of no weight change nothing else.
    const sink = sinks ?? (tiled ? null : this.constant("float32", new Float32Array(heads).fill(NO_WEIGHT)));
    const outputs = this.node("GroupQueryAttention", [q, k, v, past?.key ?? empty, past?.value ?? empty, last, this.squeeze(total, [0]), ...(sink ? [null, null, null, null, this.cast(sink, q.dtype)] : [])],
      [{ dtype: q.dtype, shape: q.shape }, cache, cache],
      { num_heads: int(heads), kv_num_heads: int(kvHeads), scale: float(scale), do_rotary: int(0), softcap: float(softcap ?? 0), local_window_size: int(window ?? -1) }, "com.microsoft");
    return [outputs[0]!, outputs[1]!, outputs[2]!];
  }

  private emptyCache(kvHeads: number, headDim: number, dtype: "float32" | "float16"): Value {
    return this.inline("empty_cache", dtype, [1, kvHeads, 0, headDim], new Uint8Array(0));
  }

  // ---- shape and order -----------------------------------------------------------------------------

  /** Reshape to `shape`; symbolic dimensions must be known to the graph. */
  reshape(x: Value, shape: readonly Dim[]): Value {
    // Where several are unknown, those that stay in place are copied (0).
    const several = shape.filter((dim) => typeof dim === "string").length > 1;
    const target = shape.map((dim, axis) => (several && typeof dim === "string" && dim === x.shape[axis] ? 0 : dim));
    const unknown = target.filter((dim) => typeof dim === "string");
    // One unknown dimension is left to ONNX (-1), so that no Shape nodes are needed.
    const vector =
      unknown.length <= 1
        ? this.constant("int64", target.map((dim) => (typeof dim === "string" ? -1 : dim)))
        : this.shapeVector(shape);
    return this.node("Reshape", [x, vector], [{ dtype: x.dtype, shape }])[0]!;
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.node("Transpose", [x], [{ dtype: x.dtype, shape: perm.map((axis) => x.shape[axis]!) }], { perm: ints(perm) })[0]!;
  }

  unsqueeze(x: Value, axes: readonly number[]): Value {
    const shape: Dim[] = [...x.shape];
    for (const axis of [...axes].sort((a, b) => a - b)) shape.splice(axis, 0, 1);
    return this.node("Unsqueeze", [x, this.constant("int64", axes)], [{ dtype: x.dtype, shape }])[0]!;
  }

  squeeze(x: Value, axes: readonly number[]): Value {
    return this.node("Squeeze", [x, this.constant("int64", axes)], [{ dtype: x.dtype, shape: reduced(x.shape, axes, false) }])[0]!;
  }

  concat(values: readonly Value[], axis: number, size?: Dim): Value {
    const first = values[0]!;
    const at = normalizeAxis(axis, first.rank);
    const dims = values.map((value) => value.shape[at]!);
    const total = size ?? (dims.every((dim) => typeof dim === "number") ? (dims as number[]).reduce((a, b) => a + b, 0) : dims.join("+"));
    const shape = first.shape.map((dim, i) => (i === at ? total : dim));
    return this.node("Concat", [...values], [{ dtype: first.dtype, shape }], { axis: int(at) })[0]!;
  }

  /** The last entry along `axis`, which stays, of length 1. */
  last(x: Value, axis: number): Value { return this.slice(x, axis, -1, Number.MAX_SAFE_INTEGER, 1); }

  /** Elements `start … end` (exclusive) of an axis; negative numbers count from the end. `size` names the result's length. */
  slice(x: Value, axis: number, start: number, end: number, size?: Dim): Value {
    const at = normalizeAxis(axis, x.rank);
    const length = x.shape[at]!;
    let extent = size;
    if (extent === undefined) {
      if (typeof length === "number") {
        const from = start < 0 ? start + length : Math.min(start, length);
        const to = end < 0 ? end + length : Math.min(end, length);
        extent = Math.max(0, to - from);
      } else if (start >= 0 === end >= 0) extent = Math.max(0, end - start);
      else throw new Error(`slice: a size is needed for ${start}…${end} of ${length}`);
    }
    const shape = x.shape.map((dim, i) => (i === at ? extent : dim));
    return this.node("Slice", [x, this.constant("int64", [start]), this.constant("int64", [end]), this.constant("int64", [at])],
      [{ dtype: x.dtype, shape }])[0]!;
  }

  /** Zeros added before and after an axis of known length. */
  pad(x: Value, axis: number, before: number, after: number): Value {
    if (before === 0 && after === 0) return x;
    const at = normalizeAxis(axis, x.rank);
    const length = x.shape[at]!;
    if (typeof length !== "number") throw new Error(`pad: axis of unknown length ${length}`);
    const pads = new Array<number>(2 * x.rank).fill(0);
    pads[at] = before;
    pads[x.rank + at] = after;
    const shape = x.shape.map((dim, i) => (i === at ? before + length + after : dim));
    return this.node("Pad", [x, this.constant("int64", pads)], [{ dtype: x.dtype, shape }])[0]!;
  }

  /** The first `size` elements along an axis, and the rest (`rest` of them). */
  splitAt(x: Value, axis: number, size: Dim, rest: Dim): [Value, Value] {
    const at = normalizeAxis(axis, x.rank);
    const part = (length: Dim) => ({ dtype: x.dtype, shape: x.shape.map((dim, i) => (i === at ? length : dim)) });
    const [first, second] = this.node("Split", [x, this.shapeVector([size, rest])], [part(size), part(rest)], { axis: int(at) });
    return [first!, second!];
  }

  /** `parts` pieces along an axis whose lengths differ by at most one (some of them 0 where it is shorter than `parts`); `size(i)` names their lengths. */
  splitEvenly(x: Value, axis: number, parts: number, size: (part: number) => Dim): Value[] {
    const at = normalizeAxis(axis, x.rank);
    const outputs = Array.from({ length: parts }, (_, part) => ({ dtype: x.dtype, shape: x.shape.map((dim, i) => (i === at ? size(part) : dim)) }));
    return this.node("Split", [x, this.evenSizes(x.shape[at]!, parts)], outputs, { axis: int(at) });
  }

  /** Lengths of `parts` even pieces of `n`, int64 `[parts]`. */
  private evenSizes(n: Dim, parts: number): Value {
    const key = `${n}/${parts}`;
    let sizes = this.even.get(key);
    if (!sizes) {
      const cuts = (from: number) => this.div(this.mul(this.constant("int64", Array.from({ length: parts }, (_, part) => from + part)), this.dim(n)), parts);
      this.even.set(key, (sizes = this.sub(cuts(1), cuts(0))));
    }
    return sizes;
  }

  /** Rows of `x` along `axis` at `indices` (any rank). */
  gather(x: Value, indices: Value, axis = 0): Value {
    const at = normalizeAxis(axis, x.rank);
    const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
    return this.node("Gather", [x, indices], [{ dtype: x.dtype, shape }], { axis: int(at) })[0]!;
  }

  /** One element per index along `axis`; `indices` has the rank of `x`. */
  gatherElements(x: Value, indices: Value, axis: number): Value {
    return this.node("GatherElements", [x, indices], [{ dtype: x.dtype, shape: indices.shape }], { axis: int(normalizeAxis(axis, x.rank)) })[0]!;
  }

  /** `x` with `updates` added at `indices` along `axis`. */
  scatterAdd(x: Value, indices: Value, updates: Value, axis: number): Value {
    return this.node("ScatterElements", [x, indices, updates], [{ dtype: x.dtype, shape: x.shape }],
      { axis: int(normalizeAxis(axis, x.rank)), reduction: { kind: "string", value: "add" } })[0]!;
  }

  /** The `k` (int64 vector of one element) largest or smallest along the last axis: values and int64 indices, in order. */
  topK(x: Value, k: Value, size: Dim, { largest = true } = {}): [Value, Value] {
    const shape = [...x.shape.slice(0, -1), size];
    const [values, indices] = this.node("TopK", [x, k], [{ dtype: x.dtype, shape }, { dtype: "int64", shape }],
      { axis: int(-1), largest: int(Number(largest)), sorted: int(1) });
    return [values!, indices!];
  }

  /** Index of the largest element along the last axis (the first of equal ones), int64. */
  argMax(x: Value): Value {
    return this.node("ArgMax", [x], [{ dtype: "int64", shape: x.shape.slice(0, -1) }], { axis: int(-1), keepdims: int(0) })[0]!;
  }

  expand(x: Value, shape: readonly Dim[]): Value {
    return this.node("Expand", [x, this.shapeVector(shape)], [{ dtype: x.dtype, shape: broadcast(x.shape, shape) }])[0]!;
  }

  /** `0, 1, …, n - 1` as int64, where n is a dimension of the graph. */
  range(n: Dim): Value {
    const limit = this.squeeze(this.dim(n), [0]);
    return this.node("Range", [this.scalar("int64", 0), limit, this.scalar("int64", 1)], [{ dtype: "int64", shape: [n] }])[0]!;
  }

  // ---- reductions ----------------------------------------------------------------------------------

  reduceSum(x: Value, axes: readonly number[], keepDims = false): Value { return this.reduce("ReduceSum", x, axes, keepDims); }
  reduceMean(x: Value, axes: readonly number[], keepDims = false): Value { return this.reduce("ReduceMean", x, axes, keepDims); }
  reduceMax(x: Value, axes: readonly number[], keepDims = false): Value { return this.reduce("ReduceMax", x, axes, keepDims); }
  /** Euclidean norm. */
  reduceL2(x: Value, axes: readonly number[], keepDims = false): Value { return this.reduce("ReduceL2", x, axes, keepDims); }

  // ---- differentiation -----------------------------------------------------------------------------

  /**
   * Runs `body` and makes the nodes it adds one step for `gradients`: the result's gradient is
   * handed to `pullback`, which returns the gradient of each of `inputs` (null: none).
   */
  composite(inputs: readonly Value[], body: () => Value, pullback: (gradient: Value) => (Value | null)[]): Value {
    const mark = this.tape.length;
    const output = body();
    this.tape.length = mark;
    this.tape.push({ inputs, outputs: [output], node: null, pullback: ([gradient]) => pullback(gradient!) });
    return output;
  }

  // ---- helpers -------------------------------------------------------------------------------------

  private lift(x: Value | number, dtype: Dtype): Value {
    return typeof x === "number" ? this.scalar(dtype as ConstantDtype, x) : x;
  }

  private scalarVector(value: number): Value {
    const key = `vector:${value}`;
    let vector = this.scalars.get(key);
    if (!vector) this.scalars.set(key, (vector = this.constant("int64", [value])));
    return vector;
  }

  private unary(op: string, x: Value): Value {
    return this.node(op, [x], [{ dtype: x.dtype, shape: x.shape }])[0]!;
  }

  private binary(op: string, a: Value | number, b: Value | number, result?: Dtype): Value {
    const dtype = typeof a !== "number" ? a.dtype : typeof b !== "number" ? b.dtype : "float32";
    const x = this.lift(a, dtype);
    const y = this.lift(b, dtype);
    if (x.dtype !== y.dtype) throw new Error(`${op}: operands are ${x.dtype} and ${y.dtype} (cast one)`);
    return this.node(op, [x, y], [{ dtype: result ?? dtype, shape: broadcast(x.shape, y.shape, op) }])[0]!;
  }

  private reduce(op: string, x: Value, axes: readonly number[], keepDims: boolean): Value {
    return this.node(op, [x, this.constant("int64", axes)], [{ dtype: x.dtype, shape: reduced(x.shape, axes, keepDims) }],
      { keepdims: int(Number(keepDims)) })[0]!;
  }
}

/** Every expert's matrix in blocks. */
export interface ExpertBlocks {
  readonly quants: Value;
  readonly scales: Value;
  readonly zeroPoints: Value | null;
  readonly bias: Value | null;
}

function expertAttributes({ perToken, gate }: ExpertSettings): Record<string, Attribute> {
  return {
    k: int(perToken), normalize_routing_weights: int(1), activation_type: { kind: "string", value: "swiglu" }, swiglu_fusion: int(1),
    activation_alpha: float(gate?.alpha ?? 1), activation_beta: float(gate ? 1 : 0), swiglu_limit: float(gate?.limit ?? FLOAT_MAX),
  };
}

/** ONNX's numbers for element types (TensorProto.DataType). */
export const onnxTypes: Readonly<Record<Dtype, number>> = {
  float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11, bfloat16: 16, float8e4m3fn: 17, float8e5m2: 19,
};

function lastTwo(shape: readonly Dim[], transposed: boolean): [Dim, Dim] {
  if (shape.length < 2) throw new Error(`matmul: shape ${format(shape)} (at least two axes are needed)`);
  const [a, b] = [shape[shape.length - 2]!, shape[shape.length - 1]!];
  return transposed ? [b, a] : [a, b];
}

/** Axes of a tensor with its last two swapped. */
function lastSwapped(rank: number): number[] {
  return Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
}
