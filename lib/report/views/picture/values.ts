/** Values of a trace as plain arrays. */

const typed: Readonly<Record<string, new (buffer: ArrayBuffer) => ArrayLike<number | bigint>>> = {
  f8: Float64Array, f4: Float32Array, i1: Int8Array, u1: Uint8Array, u1c: Uint8ClampedArray, i2: Int16Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array, i8: BigInt64Array, u8: BigUint64Array,
};

/** Any list as an array, nothing as an empty one. */
export const list = (values: unknown): unknown[] => Array.from((values ?? []) as ArrayLike<unknown>);

export const isList = (value: unknown): boolean => Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

/** A list of numbers; what is none is NaN. */
export const numbers = (values: unknown): number[] => list(values).map((value) => (value === null || value === undefined || value === "" ? NaN : Number(value)));

/** The smallest and the largest finite number; `[Infinity, -Infinity]` where there is none. */
export const extent = (values: readonly number[]): [number, number] => values.reduce(([low, high], value) => (Number.isFinite(value) ? [Math.min(low, value), Math.max(high, value)] : [low, high]), [Infinity, -Infinity] as [number, number]);

/** A trace, or part of one, with arrays as Plotly for Python writes them (`{dtype, bdata, shape}`) as arrays. */
export function decoded(value: unknown): unknown {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || value instanceof Date) return value;
  if (Array.isArray(value)) return value.some((each) => typeof each === "object" && each !== null) ? value.map(decoded) : value;
  const { dtype, bdata, shape } = value as { dtype?: unknown; bdata?: unknown; shape?: unknown };
  const Kind = typeof dtype === "string" && typeof bdata === "string" ? typed[dtype.replace(/^[<|]/, "")] : undefined;
  if (!Kind) return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, decoded(each)]));
  const flat = Array.from(new Kind(Uint8Array.from(Buffer.from(bdata as string, "base64")).buffer), Number);
  const [, columns] = String(shape ?? "").split(",").map(Number);
  return columns ? Array.from({ length: flat.length / columns }, (_, row) => flat.slice(row * columns, (row + 1) * columns)) : flat;
}
