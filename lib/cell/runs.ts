import type { Run } from "../runtime/run.js";

/**
 * A run as `run.save` wrote it: every view and comparison works on it; it cannot be continued, since it has no model.
 * @throws on a file that is no saved run, is of another version, or lacks something, which is named
 * @example
 * const before = await sdtp.loadRun("before.safetensors");
 * sdtp.retention(before)
 */
export async function loadRun(file: string): Promise<Run> {
  return (await import("../runtime/load-run.js")).loadRun(file);
}
