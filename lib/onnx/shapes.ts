import type { Dim } from "./graph.js";

/** Shape of an elementwise operation, by ONNX's (numpy's) broadcasting rules. */
export function broadcast(a: readonly Dim[], b: readonly Dim[], what = "operands"): Dim[] {
  const rank = Math.max(a.length, b.length);
  const result: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const x = a[axis - (rank - a.length)] ?? 1;
    const y = b[axis - (rank - b.length)] ?? 1;
    if (x === y || y === 1) result.push(x);
    else if (x === 1) result.push(y);
    else if (typeof x === "number" && typeof y === "number") {
      throw new Error(`${what}: shapes ${format(a)} and ${format(b)} do not broadcast`);
    } else result.push(typeof x === "number" ? x : y);
  }
  return result;
}

/** A negative axis counted from the end. */
export function normalizeAxis(axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normal < 0 || normal >= rank) throw new Error(`axis: ${axis} (rank is ${rank})`);
  return normal;
}

/** Shape after reducing `axes`. */
export function reduced(shape: readonly Dim[], axes: readonly number[], keepDims: boolean): Dim[] {
  const drop = new Set(axes.map((axis) => normalizeAxis(axis, shape.length)));
  return keepDims ? shape.map((dim, axis) => (drop.has(axis) ? 1 : dim)) : shape.filter((_, axis) => !drop.has(axis));
}

export function format(shape: readonly Dim[]): string {
  return `[${shape.join(", ")}]`;
}
