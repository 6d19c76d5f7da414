import { dirname, relative, sep } from "node:path";
import type { Checkpoint, StoredTensor, TensorView } from "../checkpoint/types.js";
import type { GraphBuilder, QuantizedMatrix } from "../onnx/builder.js";
import type { Dtype, Value } from "../onnx/graph.js";
import type { Weights } from "./weights.js";

const dtypes: Partial<Record<StoredTensor["dtype"], Dtype>> = { F32: "float32", F16: "float16", BF16: "bfloat16", F64: "float64", I8: "int8", U8: "uint8", I64: "int64", F8_E4M3: "float8e4m3fn", F8_E5M2: "float8e5m2" };

/**
 * What activations are rounded to where they meet weights. `int8`: where those are quantised, in blocks of 32 with a scale each, as most
 * engines do, or, in products of many rows with weights that have a form for them, to 16 bits a row, in two terms of 8; `float32`: never, which with quantised weights is many times slower for single tokens; `float16`: the graph's activations are such (see `GraphBuilder`), weights and their
 * scales with them: for GPUs with 16-bit numbers; `bfloat16`: by the provider that computes, with most else that it does: the graph
 * is that of `float32`.
 */
export type Accuracy = "int8" | "float32" | "float16" | "bfloat16";

export interface CheckpointWeightsOptions {
  /** Default `int8`. */
  readonly accuracy?: Accuracy;
  /** Widen tables before rows are taken from them, for devices that may have no 16-bit numbers: the whole table is then held in float32. */
  readonly wideTables?: boolean;
  /** Quantised weights become the numbers that they stand for when the graph is loaded, for providers that may not have products with blocks. Default false. */
  readonly wideProducts?: boolean;
  /** Products of many rows take weights in 8 bits by output channel where there is such a form of them and activations may be rounded. Default false. */
  readonly byChannel?: boolean;
}

/**
 * Weights that stay in the checkpoint's own files: each becomes an initializer that refers to its bytes,
 * behind a cast to float32 where it is stored otherwise (ONNX Runtime folds the cast when it loads the graph).
 * Quantised ones are multiplied as they are.
 */
export function checkpointWeights(g: GraphBuilder, checkpoint: Checkpoint, { accuracy = "int8", wideTables = false, wideProducts = false, byChannel = false }: CheckpointWeightsOptions = {}): Weights {
  const folder = weightsFolder(checkpoint);
  const known = new Map<string, Value>();
  const once = (key: string, make: () => Value): Value => {
    let value = known.get(key);
    if (!value) known.set(key, (value = make()));
    return value;
  };
  const initializer = (stored: StoredTensor, shape: readonly number[]) => once(`${stored.file} ${stored.offset} ${shape.join()}`, () => {
    const dtype = dtypes[stored.dtype];
    if (!dtype) throw new Error(`weight ${stored.name}: dtype ${stored.dtype} (must be F32, F16, BF16, F64, F8_E4M3 or F8_E5M2)`);
    const location = relative(folder, stored.file).split(sep).join("/");
    return g.external(stored.name, dtype, shape, location, stored.offset, stored.length);
  });
  const matrix = (stored: StoredTensor, scaleType: Dtype = "float32"): QuantizedMatrix => {
    const { bits, blockSize, scales, zeroPoints, offsets } = stored.quantization!;
    const [rows, columns] = stored.shape as [number, number];
    const factors = initializer(scales, scales.shape);
    return {
      bits, blockSize, shape: [rows, columns],
      quants: initializer(stored, [rows, scales.shape[1]!, (blockSize * bits) / 8]),
      scales: g.cast(factors, scaleType),
      zeroPoints: zeroPoints && initializer(zeroPoints, zeroPoints.shape),
      // The operators count levels from the middle; ONNX Runtime folds this when it loads the graph.
      offsets: offsets && once(`centred ${scaleType} ${stored.name}`, () => g.cast(g.add(initializer(offsets, offsets.shape), g.mul(factors, 2 ** (bits - 1))), scaleType)),
    };
  };
  /** Where the blocks have the inputs in another order: that order, `[in]` int64. */
  const order = ({ quantization }: StoredTensor) => quantization?.order ? initializer(quantization.order, quantization.order.shape) : null;
  const rowsOf = (stored: StoredTensor, indices: Value) => {
    const values = g.gatherNBits(matrix(stored), indices);
    const inputs = order(stored);
    if (!inputs) return values;
    const count = stored.shape[1]!;
    const [, back] = g.topK(inputs, g.constant("int64", [count]), count, { largest: false });
    return g.gather(values, back, -1);
  };
  const floats = (stored: StoredTensor, shape: readonly number[], dtype: Dtype) => {
    const values = initializer(stored, shape);
    if (!stored.scaling) return g.cast(values, dtype);
    const { scale, block } = stored.scaling;
    return g.cast(scaledValue(g, g.cast(values, "float32"), g.cast(initializer(scale, scale.shape), "float32"), block), dtype);
  };
  const dense = (stored: StoredTensor, dtype: Dtype = "float32") => once(`${dtype} ${stored.name}`, () => {
    if (stored.view) return viewedValue(g, floats(stored, stored.view.stored, dtype), stored.view, stored.shape);
    if (!stored.quantization) return floats(stored, stored.shape, dtype);
    const rows = stored.shape[0]!;
    return rowsOf(stored, g.constant("int64", Array.from({ length: rows }, (_, row) => row)));
  });
  const blocksProduct = (stored: StoredTensor, x: Value, scaleType: Dtype, accuracy: "float32" | "int8") => {
    const inputs = order(stored);
    return g.linearNBits(inputs ? g.gather(x, inputs, -1) : x, matrix(stored, scaleType), accuracy);
  };
  const quantisedProduct = (stored: StoredTensor, x: Value, accuracy: "float32" | "int8"): Value => {
    const channels = stored.quantization!.byChannel;
    // Of one row blocks are faster, and nearer to the weights.
    if (!byChannel || !channels || accuracy !== "int8" || x.shape.at(-2) === 1) return blocksProduct(stored, x, "float32", accuracy);
    return g.linearByChannel(x, { weights: initializer(channels.weights, channels.weights.shape), scales: initializer(channels.scales, channels.scales.shape) });
  };
  const lookUp = (name: string): StoredTensor => {
    const stored = checkpoint.tensors.get(name);
    if (!stored) throw new Error(`${checkpoint.folder}: tensor ${name} is missing`);
    return stored;
  };
  return {
    has: (name) => checkpoint.tensors.has(name),
    find: (name) => (checkpoint.tensors.has(name) ? dense(lookUp(name)) : null),
    product(name, x) {
      const stored = lookUp(name);
      if (x.dtype === "float16") return stored.quantization ? blocksProduct(stored, x, "float16", "float32") : g.linear(x, dense(stored, "float16"));
      if (!stored.quantization || wideProducts) return g.linear(x, dense(stored));
      // Its gradient, for x alone, is the product with what the weight stands for.
      return g.composite([x], () => quantisedProduct(stored, x, accuracy === "int8" ? accuracy : "float32"), (gradient) => [g.matmul(gradient, dense(stored))]);
    },
    blocks(name) {
      const stored = lookUp(name);
      return stored.quantization && !stored.quantization.order ? matrix(stored) : null;
    },
    raw(name, shape) {
      const stored = lookUp(name);
      return stored.view || stored.quantization || stored.scaling ? null : initializer(stored, shape);
    },
    rows(name, indices) {
      const stored = lookUp(name);
      if (stored.quantization) return rowsOf(stored, indices);
      // One with the head's, where it is one weight.
      if (g.floats === "float16") return g.gather(dense(stored, "float16"), indices);
      if (stored.view || stored.scaling || wideTables) return g.gather(dense(stored), indices);
      // Cast after the rows are taken: the whole table is not held twice.
      return g.cast(g.gather(initializer(stored, stored.shape), indices), "float32");
    },
  };
}

/** What a view takes of a constant; ONNX Runtime folds it when it loads the graph. */
function viewedValue(g: GraphBuilder, value: Value, { slice, perm }: TensorView, shape: readonly number[]): Value {
  const part = slice ? g.slice(value, slice.axis, slice.from, slice.to) : value;
  const turned = perm ? g.transpose(part, perm) : part;
  return turned.shape.join() === shape.join() ? turned : g.reshape(turned, shape);
}

/** A matrix `[out, in]` times its scales, one for each block; ONNX Runtime folds it when it loads the graph. */
function scaledValue(g: GraphBuilder, value: Value, scale: Value, [height, width]: readonly [number, number]): Value {
  const [out, inputs] = value.shape as [number, number];
  const [down, across] = [Math.ceil(out / height), Math.ceil(inputs / width)];
  const scales = g.reshape(scale, [down, across]);
  if (down * height === out && across * width === inputs) {
    const blocks = g.reshape(value, [down, height, across, width]);
    return g.reshape(g.mul(blocks, g.reshape(scales, [down, 1, across, 1])), [out, inputs]);
  }
  const index = (count: number, size: number) => g.constant("int64", Array.from({ length: count }, (_, i) => Math.floor(i / size)));
  return g.mul(value, g.gather(g.gather(scales, index(out, height)), index(inputs, width), 1));
}

/** The folder that ONNX Runtime must take as the root of external data: the nearest one that holds all files. */
export function weightsFolder(checkpoint: Checkpoint): string {
  const folders = [...new Set([...checkpoint.tensors.values()].map(({ file }) => dirname(file)))];
  let common = (folders[0] ?? checkpoint.folder).split(sep);
  for (const folder of folders) {
    const parts = folder.split(sep);
    let shared = 0;
    while (shared < common.length && common[shared] === parts[shared]) shared++;
    common = common.slice(0, shared);
  }
  return common.join(sep) || sep;
}
