import type { Checkpoint } from "../checkpoint/types.js";
import { bytesToWiden, widened } from "../checkpoint/widen.js";
import type { Home } from "./home.js";
import { memoryLimit } from "./memory.js";
import type { LoadOptions } from "./settings.js";

/**
 * A checkpoint as graphs refer to it. Where they hold one copy of what they multiply as it lies in files, weights that the CPU would first have to widen
 * lie there widened.
 */
export async function formOfGraphs(checkpoint: Checkpoint, home: Home, options: LoadOptions): Promise<Checkpoint> {
  const bytes = home.oneCopy?.() === true && options.accuracy !== "float16" ? bytesToWiden(checkpoint) : 0;
  // Of a model that memory does not hold nothing is made: its first prompt is refused.
  if (bytes === 0 || bytes > (options.memoryLimit ?? memoryLimit())) return checkpoint;
  return widened(checkpoint, options).catch((error: unknown) => {
    if (options.signal?.aborted) throw error;
    // No place for the file: each graph widens them for itself, and the plan of memory counts that.
    return checkpoint;
  });
}
