import type { Run } from "../runtime/run.js";
import { buckets, type Buckets } from "./buckets.js";

/** Which of the prompt's tokens each layer's cache holds. */
export interface RetentionMap extends Buckets {
  /** Share of each column's tokens that the layer holds, 0 to 1, the mean over heads. `[layers][columns]` */
  readonly share: readonly Float32Array[];
  /** Prompt tokens held by each layer. */
  readonly lengths: readonly number[];
}

/** @param columns at most; a longer prompt is drawn with several tokens a column (default 512) */
export function retentionMap(run: Run, { columns = 512 } = {}): RetentionMap {
  const cut = buckets(run.ids.length, columns);
  const lengths: number[] = [];
  const share = run.kv.layers.map((layer) => {
    const held = new Float32Array(cut.columns);
    let length = 0;
    const heads = layer.uniform ? 1 : layer.kvHeads;
    for (let head = 0; head < heads; head++) {
      for (const position of layer.headPositions(head)) {
        if (position >= cut.n) continue;
        held[Math.floor(position / cut.width)]! += 1 / heads;
        length += 1 / heads;
      }
    }
    lengths.push(Math.round(length));
    return held.map((count, column) => count / Math.min(cut.width, cut.n - column * cut.width));
  });
  return { ...cut, share, lengths };
}
