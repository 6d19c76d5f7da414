import type { KvLayer } from "../runtime/kv-cache.js";
import type { Run } from "../runtime/run.js";
import { requireComparable, sharedSlots } from "./shared.js";

/** How far one layer's keys and values have moved from the other run's, over the prompt tokens that both hold. */
export interface LayerDrift {
  readonly layer: number;
  /** Tokens compared; where heads hold other tokens each, the mean over heads. */
  readonly tokens: number;
  /** Mean over tokens and heads of the cosine between the two vectors; NaN with no token to compare. */
  readonly keyCosine: number;
  readonly valueCosine: number;
  /** Euclidean norm of the difference over that of the other run's, all tokens and heads together. */
  readonly keyRelativeL2: number;
  readonly valueRelativeL2: number;
}

/**
 * Drift of a run's cache against the unpruned run's, by layer.
 * @param against another run of the same prompt; default: the unpruned one, computed when needed
 * @throws on runs of different prompts or models
 */
export async function kvDrift(run: Run, { against }: { against?: Run } = {}): Promise<LayerDrift[]> {
  const other = against ?? (await run.unpruned());
  requireComparable(run, other);
  const [here, there] = [await run.kv.toHost(), await other.kv.toHost()];
  return here.layers.map((layer, index) => {
    const base = there.layer(index);
    const slots = Array.from({ length: layer.kvHeads }, (_, head) => sharedSlots(layer, base, run.ids.length, head));
    const tokens = slots.reduce((sum, { length }) => sum + length, 0) / layer.kvHeads;
    const key = compare(layer, base, "key", slots);
    const value = compare(layer, base, "value", slots);
    return { layer: index, tokens, keyCosine: key.cosine, valueCosine: value.cosine, keyRelativeL2: key.relativeL2, valueRelativeL2: value.relativeL2 };
  });
}

function compare(a: KvLayer, b: KvLayer, part: "key" | "value", slots: readonly (readonly { a: number; b: number }[])[]) {
  const { headDim, kvHeads } = a;
  let [cosines, difference, size, pairs] = [0, 0, 0, 0];
  for (let head = 0; head < kvHeads; head++) {
    const [x, y] = [a[part](head), b[part](head)];
    for (const slot of slots[head]!) {
      let [xx, yy, xy, dd] = [0, 0, 0, 0];
      for (let i = 0; i < headDim; i++) {
        const [u, v] = [x[slot.a * headDim + i]!, y[slot.b * headDim + i]!];
        xx += u * u;
        yy += v * v;
        xy += u * v;
        dd += (u - v) * (u - v);
      }
      pairs++;
      cosines += xy / Math.sqrt(xx * yy);
      difference += dd;
      size += yy;
    }
  }
  return { cosine: cosines / pairs, relativeL2: Math.sqrt(difference / size) };
}
