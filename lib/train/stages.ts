import { resolveMethod } from "../methods/resolve.js";
import { presets } from "../methods/sdtp.js";
import { stagePositions } from "../methods/plan/stages.js";

/**
 * The blocks after which the stages of any of the presets stand in a model of `depth` blocks, ascending, without the
 * last block: saliency after it is zero, and a stage there reuses the scores of the one before.
 * @param names preset names, or `all`, every shipped preset
 * @throws on an unknown name, or where no stage is left
 */
export function stageBlocks(names: readonly string[], depth: number): number[] {
  const all = names.flatMap((name) => (name === "all" ? Object.keys(presets) : [name]));
  const blocks = new Set(all.flatMap((name) => stagePositions(resolveMethod(name), depth)));
  blocks.delete(depth - 1);
  blocks.delete(-1);
  if (blocks.size === 0) throw new Error(`preset: ${names.join(", ")} (has no stage before the last of ${depth} blocks)`);
  return [...blocks].sort((a, b) => a - b);
}
