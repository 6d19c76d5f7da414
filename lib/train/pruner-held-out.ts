import type { Checkpoint } from "../checkpoint/types.js";
import { checkpointWeights, weightsFolder } from "../decoder/checkpoint-weights.js";
import { prunerScoringGraph } from "../decoder/pruner-training.js";
import { GraphBuilder } from "../onnx/builder.js";
import type { ModuleInputs } from "../methods/module.js";
import { createSession } from "../runtime/session.js";
import { spearman, topOverlap } from "./agreement.js";
import { parameterFeeds } from "./feeds.js";
import { scoringFeeds, type PrunerExample } from "./pruner-feeds.js";
import type { PrunerState } from "./pruner-state.js";

/** How well scores agree with true saliency after a block: means over examples, prompt tokens only. */
export interface BlockAgreement {
  readonly block: number;
  /** Rank correlation, -1 … 1. */
  readonly spearman: number;
  /** Of the tenth of the tokens with the highest saliency, the share that is in the tenth with the highest scores. */
  readonly topTenth: number;
}

/** Agreement of trained modules with saliency on examples that they were not trained on, in the unmasked model. */
export async function scoreHeldOut(
  checkpoint: Checkpoint,
  state: PrunerState,
  blocks: readonly number[],
  inputs: ModuleInputs,
  examples: readonly PrunerExample[],
  threads?: number,
): Promise<BlockAgreement[]> {
  if (examples.length === 0) return [];
  const g = new GraphBuilder("pruner scores");
  prunerScoringGraph(g, checkpointWeights(g, checkpoint), { config: checkpoint.config, blocks, inputs });
  const session = await createSession(g, { threads, folder: weightsFolder(checkpoint) });
  const sums = blocks.map((block) => ({ block, spearman: 0, topTenth: 0 }));
  for (const example of examples) {
    const results = await session.run({ ...parameterFeeds(state), ...scoringFeeds(checkpoint.config, example, inputs) });
    for (const sum of sums) {
      const { correlation, overlap } = agree(results[`logits.${sum.block}`]!.data as Float32Array, example.targets.get(sum.block)!, example.promptLength);
      sum.spearman += correlation / examples.length;
      sum.topTenth += overlap / examples.length;
    }
  }
  await session.release();
  return sums;
}

/** Agreement of scores `[n]` with saliency `[n]` over the prompt's tokens. */
export function agree(scores: Float32Array, saliency: Float32Array, promptLength: number): { correlation: number; overlap: number } {
  const [a, b] = [scores.subarray(0, promptLength), saliency.subarray(0, promptLength)];
  return { correlation: spearman(a, b), overlap: topOverlap(a, b, Math.max(1, Math.floor(promptLength / 10))) };
}
