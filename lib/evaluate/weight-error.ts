import { requiredTensors } from "../checkpoint/required.js";
import type { Checkpoint } from "../checkpoint/types.js";
import { weightValues } from "../checkpoint/values.js";

/** Elements of each matrix that are compared: the first ones. */
const ELEMENTS = 2 ** 20;

/**
 * How far held weights are from those of the checkpoint's own files: the root of the mean square difference as a share of that of the
 * weights, over (the first million elements of) all matrices that are held otherwise; over all their elements where that was counted when they were made.
 * @returns null where they are held as they are stored
 */
export async function weightError({ original, near, config, tensors }: Checkpoint): Promise<number | null> {
  if (near) return near.error;
  if (!original?.tensors) return null;
  let [difference, size] = [0, 0];
  for (const { name, shape } of requiredTensors(config)) {
    const [held, stored] = [tensors.get(name), original.tensors.get(name)];
    if (shape.length !== 2 || !held || !stored || held === stored) continue;
    const columns = shape[1]!;
    const elements = Math.max(1, Math.floor(ELEMENTS / columns)) * columns;
    const first = async (values: AsyncGenerator<Float32Array>) => {
      for await (const piece of values) return piece.slice(0, elements);
      return new Float32Array(0);
    };
    const [a, b] = [await first(weightValues(held, elements)), await first(weightValues(stored, elements))];
    for (let i = 0; i < a.length; i++) {
      difference += (a[i]! - b[i]!) ** 2;
      size += b[i]! ** 2;
    }
  }
  return size === 0 ? 0 : Math.sqrt(difference / size);
}
