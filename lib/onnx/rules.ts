import type { GraphBuilder } from "./builder.js";
import type { Dim, Node, Value } from "./graph.js";

/**
 * The gradient of each input of a node, from the gradients of its outputs (null: zero).
 * `wanted(i)` tells whether input i's gradient will be used.
 */
type Rule = (g: GraphBuilder, node: Node, gradients: (Value | null)[], wanted: (input: number) => boolean) => (Value | null)[];

const numberAttribute = (node: Node, name: string, otherwise: number): number => {
  const attribute = node.attributes[name];
  return attribute && (attribute.kind === "int" || attribute.kind === "float") ? attribute.value : otherwise;
};

/** A rule for one differentiable input (the first); others get none. */
const unary = (rule: (g: GraphBuilder, gradient: Value, x: Value, y: Value, node: Node) => Value): Rule =>
  (g, node, [gradient]) => node.inputs.map((_, i) => (i === 0 ? rule(g, gradient!, node.inputs[0]!, node.outputs[0]!, node) : null));

/** A rule for two broadcast operands. */
const binary = (
  left: (g: GraphBuilder, gradient: Value, a: Value, b: Value, y: Value) => Value,
  right: (g: GraphBuilder, gradient: Value, a: Value, b: Value, y: Value) => Value,
): Rule => (g, node, [gradient], wanted) => {
  const [a, b, y] = [node.inputs[0]!, node.inputs[1]!, node.outputs[0]!];
  return [
    wanted(0) ? sumTo(g, left(g, gradient!, a, b, y), a.shape) : null,
    wanted(1) ? sumTo(g, right(g, gradient!, a, b, y), b.shape) : null,
  ];
};

/** Undoes broadcasting: sums `x` over the axes along which `shape` was repeated. */
export function sumTo(g: GraphBuilder, x: Value, shape: readonly Dim[]): Value {
  const extra = x.rank - shape.length;
  const leading = Array.from({ length: extra }, (_, axis) => axis);
  const repeated = shape.flatMap((dim, axis) => (dim === 1 && x.shape[axis + extra] !== 1 ? [axis + extra] : []));
  if (leading.length + repeated.length === 0) return x;
  if (repeated.length === 0) return g.reduceSum(x, leading);
  const summed = g.reduceSum(x, [...leading, ...repeated], true);
  return leading.length ? g.squeeze(summed, leading) : summed;
}

/** All axes but the last folded into one, for products with a matrix of weights. */
function rows(g: GraphBuilder, x: Value): Value {
  if (x.rank === 2) return x;
  const sizes = x.shape.slice(0, -1);
  const count = sizes.every((dim) => typeof dim === "number") ? (sizes as number[]).reduce((a, b) => a * b, 1) : sizes.join("*");
  return g.reshape(x, [count, x.shape[x.rank - 1]!]);
}

const product: Rule = (g, node, [gradient], wanted) => {
  const [a, b, dy] = [node.inputs[0]!, node.inputs[1]!, gradient!];
  const transA = numberAttribute(node, "transA", 0) === 1;
  const transB = numberAttribute(node, "transB", 0) === 1;
  const alpha = numberAttribute(node, "alpha", 1);
  const da = () => (transA
    ? g.matmul(b, dy, { transA: transB, transB: true, alpha })
    : g.matmul(dy, b, { transB: !transB, alpha }));
  const db = () => {
    // Weights shared by all leading axes: one product over the folded rows instead of one an axis and a sum.
    const [x, d] = b.rank === 2 && a.rank > 2 && !transA ? [rows(g, a), rows(g, dy)] : [a, dy];
    return transB
      ? g.matmul(d, x, { transA: true, transB: transA, alpha })
      : g.matmul(x, d, { transA: !transA, alpha });
  };
  return [wanted(0) ? sumTo(g, da(), a.shape) : null, wanted(1) ? sumTo(g, db(), b.shape) : null];
};

const reduction = (scale: boolean): Rule => unary((g, gradient, x, y, node) => {
  const keepDims = numberAttribute(node, "keepdims", 1) === 1;
  const kept = keepDims ? gradient : g.reshape(gradient, keptShape(x.shape, y.shape, axesOf(g, node, x.rank)));
  const spread = g.expand(kept, x.shape);
  if (!scale) return spread;
  const counts = axesOf(g, node, x.rank).map((axis) => x.shape[axis]!);
  if (counts.every((dim) => typeof dim === "number")) return g.div(spread, (counts as number[]).reduce((a, b) => a * b, 1));
  return counts.reduce((result: Value, dim) => g.div(result, g.cast(g.squeeze(g.dim(dim), [0]), x.dtype)), spread);
});

function keptShape(input: readonly Dim[], _output: readonly Dim[], axes: readonly number[]): Dim[] {
  return input.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
}

/** The axes of a reduction, which the builder always gives as an inline constant. */
function axesOf(g: GraphBuilder, node: Node, rank: number): number[] {
  return inlineIntegers(g, node, 1).map((axis) => (axis + rank) % rank);
}

/** Input `index` of a node, which the builder gave as an inline int64 constant. */
function inlineIntegers(g: GraphBuilder, node: Node, index: number): number[] {
  const initializer = g.initializers.find(({ value }) => value === node.inputs[index]);
  if (initializer?.data.kind !== "inline") throw new Error(`gradient: ${node.op} whose input ${index} is not constant`);
  const { bytes } = initializer.data;
  return [...new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8)].map(Number);
}

const inlineInteger = (g: GraphBuilder, node: Node, index: number): number => inlineIntegers(g, node, index)[0]!;

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const INVERSE_SQRT_2PI = 1 / Math.sqrt(2 * Math.PI);

export const rules: Readonly<Record<string, Rule>> = {
  Add: binary((_, d) => d, (_, d) => d),
  Sub: binary((_, d) => d, (g, d) => g.neg(d)),
  Mul: binary((g, d, _, b) => g.mul(d, b), (g, d, a) => g.mul(d, a)),
  Div: binary((g, d, _, b) => g.div(d, b), (g, d, _, b, y) => g.neg(g.div(g.mul(d, y), b))),
  Neg: unary((g, d) => g.neg(d)),
  Abs: unary((g, d, x) => g.mul(d, g.sign(x))),
  Exp: unary((g, d, _, y) => g.mul(d, y)),
  Log: unary((g, d, x) => g.div(d, x)),
  Sqrt: unary((g, d, _, y) => g.div(g.mul(d, 0.5), y)),
  Sigmoid: unary((g, d, _, y) => g.mul(d, g.mul(y, g.sub(1, y)))),
  Softplus: unary((g, d, x) => g.mul(d, g.sigmoid(x))),
  Tanh: unary((g, d, _, y) => g.mul(d, g.sub(1, g.mul(y, y)))),
  Identity: unary((_, d) => d),
  Cast: unary((g, d, x) => g.cast(d, x.dtype)),

  Where: (g, node, [d], wanted) => {
    const [condition, a, b] = [node.inputs[0]!, node.inputs[1]!, node.inputs[2]!];
    return [
      null,
      wanted(1) ? sumTo(g, g.where(condition, d!, 0), a.shape) : null,
      wanted(2) ? sumTo(g, g.where(condition, 0, d!), b.shape) : null,
    ];
  },

  /** GELU, exact: x Φ(x); or approximate: x (1 + tanh u) / 2, u = √(2/π) (x + 0.044715 x³). */
  Gelu: unary((g, d, x, _, node) => {
    const approximate = node.attributes["approximate"];
    if (approximate?.kind === "string" && approximate.value === "tanh") {
      const square = g.mul(x, x);
      const t = g.tanh(g.mul(g.mul(x, SQRT_2_OVER_PI), g.add(g.mul(square, 0.044715), 1)));
      const slope = g.mul(g.add(g.mul(square, 3 * 0.044715), 1), SQRT_2_OVER_PI);
      const inner = g.mul(g.mul(x, slope), g.sub(1, g.mul(t, t)));
      return g.mul(d, g.mul(g.add(g.add(t, 1), inner), 0.5));
    }
    const cdf = g.mul(g.add(g.erf(g.mul(x, Math.SQRT1_2)), 1), 0.5);
    const pdf = g.mul(g.exp(g.mul(g.mul(x, x), -0.5)), INVERSE_SQRT_2PI);
    return g.mul(d, g.add(cdf, g.mul(x, pdf)));
  }),

  /** SiLU (alpha 1): σ(x) + y (1 - σ(x)), with y = x σ(x) at hand. */
  QuickGelu: unary((g, d, x, y) => {
    const sigmoid = g.sigmoid(x);
    return g.mul(d, g.add(sigmoid, g.sub(y, g.mul(y, sigmoid))));
  }),

  MatMul: product,
  FusedMatMul: product,

  Softmax: unary((g, d, _, y) => {
    const weighted = g.mul(y, d);
    return g.sub(weighted, g.mul(y, g.reduceSum(weighted, [-1], true)));
  }),
  LogSoftmax: unary((g, d, _, y) => g.sub(d, g.mul(g.exp(y), g.reduceSum(d, [-1], true)))),

  /** y = x s w with s = (mean(x²) + eps)^-½: dx = s (dy w - x s² mean(dy w x)). */
  SimplifiedLayerNormalization: (g, node, [d], wanted) => {
    const [x, weight] = [node.inputs[0]!, node.inputs[1]!];
    const inverse = node.outputs[1]!;
    const scaled = g.mul(d!, weight);
    const dx = () => {
      const mean = g.reduceMean(g.mul(scaled, x), [-1], true);
      return g.mul(inverse, g.sub(scaled, g.mul(x, g.mul(g.mul(inverse, inverse), mean))));
    };
    return [
      wanted(0) ? dx() : null,
      wanted(1) ? sumTo(g, g.mul(d!, g.mul(x, inverse)), weight.shape) : null,
    ];
  },

  /** y = n w + b with n = (x - mean) s: dx = s (e - mean(e) - n mean(e n)), e = dy w. */
  LayerNormalization: (g, node, [d], wanted) => {
    const [x, weight, bias] = [node.inputs[0]!, node.inputs[1]!, node.inputs[2]];
    const [, mean, inverse] = node.outputs as [Value, Value, Value];
    const normed = g.mul(g.sub(x, mean), inverse);
    const dx = () => {
      const scaled = g.mul(d!, weight);
      const along = g.mul(normed, g.reduceMean(g.mul(scaled, normed), [-1], true));
      return g.mul(inverse, g.sub(g.sub(scaled, g.reduceMean(scaled, [-1], true)), along));
    };
    return [wanted(0) ? dx() : null, wanted(1) ? sumTo(g, g.mul(d!, normed), weight.shape) : null, ...(bias ? [wanted(2) ? sumTo(g, d!, bias.shape) : null] : [])];
  },

  /** A rotation, scaled perhaps: its transpose is the one by the negative angle. */
  RotaryEmbedding: (g, node, [d]) => {
    const turned = numberAttribute(node, "rotary_embedding_dim", 0);
    const layout = { interleaved: numberAttribute(node, "interleaved", 0) === 1, partial: turned ? { turned, heads: numberAttribute(node, "num_heads", 0) } : null };
    return [g.rotary(d!, node.inputs[2]!, g.neg(node.inputs[3]!), layout, node.inputs[1]!), null, null, null];
  },

  Reshape: unary((g, d, x) => g.reshape(d, x.shape)),
  Squeeze: unary((g, d, x) => g.reshape(d, x.shape)),
  Unsqueeze: unary((g, d, x) => g.reshape(d, x.shape)),
  Expand: unary((g, d, x) => sumTo(g, d, x.shape)),
  Transpose: unary((g, d, _x, _y, node) => {
    const perm = node.attributes["perm"];
    if (perm?.kind !== "ints") throw new Error("gradient: Transpose without perm");
    return g.transpose(d, perm.value.map((_, axis) => perm.value.indexOf(axis)));
  }),

  /** Contiguous slices of an axis of known length: what was cut off gets zeros. */
  Slice: unary((g, d, x, y, node) => {
    const axis = inlineInteger(g, node, 3);
    const [length, extent] = [x.shape[axis]!, y.shape[axis]!];
    const start = inlineInteger(g, node, 1);
    if (typeof length !== "number" || typeof extent !== "number") throw new Error(`gradient: Slice of an axis of unknown length ${length}`);
    const from = start < 0 ? start + length : start;
    return g.pad(d, axis, from, length - from - extent);
  }),
  Concat: (g, node, [d], wanted) => {
    const axis = numberAttribute(node, "axis", 0);
    let start = 0;
    return node.inputs.map((input, i) => {
      const extent = input!.shape[axis]!;
      if (typeof extent !== "number") throw new Error(`gradient: Concat of an axis of unknown length ${extent}`);
      start += extent;
      return wanted(i) ? g.slice(d!, axis, start - extent, start) : null;
    });
  },

  ReduceSum: reduction(false),
  ReduceMean: reduction(true),

  /** Rows that were read get their gradients added up (axis 0 only: embeddings and kept tokens). */
  Gather: (g, node, [d]) => {
    const [x, indices] = [node.inputs[0]!, node.inputs[1]!];
    const axis = numberAttribute(node, "axis", 0);
    if (indices.rank === 1 && axis > 0) {
      // The same indices for all leading axes: spread them to the updates' shape.
      const shape = d!.shape.map((_, i) => (i === axis ? d!.shape[axis]! : 1));
      return [g.scatterAdd(zerosLike(g, x), g.expand(g.reshape(indices, shape), d!.shape), d!, axis), null];
    }
    if (axis !== 0) throw new Error(`gradient: Gather along axis ${axis} with indices of rank ${indices.rank}`);
    const width = x.shape[1]!;
    const flat = rows(g, d!);
    const index = g.reshape(indices, [flat.shape[0]!, 1]);
    return [g.scatterAdd(zerosLike(g, x), g.expand(index, [flat.shape[0]!, width]), flat, 0), null];
  },

  GatherElements: (g, node, [d]) => {
    const [x, indices] = [node.inputs[0]!, node.inputs[1]!];
    return [g.scatterAdd(zerosLike(g, x), indices, d!, numberAttribute(node, "axis", 0)), null];
  },
};

function zerosLike(g: GraphBuilder, x: Value): Value {
  return g.expand(g.scalar("float32", 0), x.shape);
}
