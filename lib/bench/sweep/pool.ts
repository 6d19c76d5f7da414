import type { Placement } from "../placement.js";
import type { Cell } from "./cells.js";
import type { StoredCell } from "./store.js";

export interface PoolOptions {
  readonly placements: readonly Placement[];
  readonly signal: AbortSignal | undefined;
  /** Measures and keeps one. */
  readonly measure: (cell: Cell, placement: Placement, signal: AbortSignal) => Promise<StoredCell>;
  /** Whether there is time to begin this one. */
  readonly inTime: (cell: Cell) => boolean;
}

/**
 * Cells measured on several devices at once, one at a time on each, given in their own order; null for one that the time
 * did not allow. What is in flight is dropped where the caller asks for no more.
 * @throws as soon as measuring or keeping one throws
 */
export async function* pool(cells: readonly Cell[], { placements, signal, measure, inTime }: PoolOptions): AsyncGenerator<StoredCell | null, void, undefined> {
  const halt = new AbortController();
  const stop = signal ? AbortSignal.any([signal, halt.signal]) : halt.signal;
  const left = [...cells];
  const results = new Map<Cell, StoredCell | null>();
  let wake = () => {};
  let failure: { readonly error: unknown } | undefined;
  const work = Promise.all(placements.map(async (placement) => {
    for (;;) {
      stop.throwIfAborted();
      const index = left.findIndex(({ group }) => group.subject.device === placement.device);
      if (index < 0) return;
      const [cell] = left.splice(index, 1) as [Cell];
      results.set(cell, inTime(cell) ? await measure(cell, placement, stop) : null);
      wake();
    }
  })).catch((error: unknown) => {
    failure = { error };
    halt.abort();
    wake();
  });
  try {
    for (const cell of cells) {
      while (!results.has(cell)) {
        if (failure) throw failure.error;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      yield results.get(cell)!;
    }
    await work;
    if (failure) throw failure.error;
  } finally {
    halt.abort();
    await work;
  }
}
