import { openCheckpoint, type OpenOptions } from "../checkpoint/open.js";
import type { Checkpoint } from "../checkpoint/types.js";

/** As `openCheckpoint`; int4 is rounded by the model's inputs, which takes runs of it. */
export function openModel(name: string, options: OpenOptions & { readonly threads?: number | undefined } = {}): Promise<Checkpoint> {
  const { threads, ...rest } = options;
  return openCheckpoint(name, { ...rest, round: async (folder, checkpoint, tensors, format, valuesOf, more) => (await import("./gptq/convert.js")).roundInto(folder, checkpoint, tensors, format, valuesOf, { ...more, threads }) });
}
