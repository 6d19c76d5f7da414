import v8 from "node:v8";
import vm from "node:vm";

/** Bytes of garbage that are tolerated. */
const SLACK = 32 * 2 ** 20;

let collect: (() => void) | undefined;
let kept = Infinity;

/**
 * Collects garbage once enough has come up since the last time. Each cell leaves a whole TypeScript
 * program behind; V8 alone lets them pile up to hundreds of megabytes before it looks. Call where
 * nobody waits: it takes about a tenth of a second.
 */
export function trimHeap(): void {
  const { used_heap_size: used } = v8.getHeapStatistics();
  if (kept !== Infinity && used < kept + SLACK) return;
  collect ??= garbageCollector();
  collect();
  kept = v8.getHeapStatistics().used_heap_size;
}

function garbageCollector(): () => void {
  v8.setFlagsFromString("--expose-gc");
  const collector = vm.runInNewContext("gc") as () => void;
  // Code that is kept is only good for the flags it was made with: they stay as they were.
  v8.setFlagsFromString("--no-expose-gc");
  return collector;
}
