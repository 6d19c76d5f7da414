import { ambientSignal } from "../ambient-signal.js";
import { bootstrap, type Interval } from "../bench/statistics.js";
import type { Model } from "../runtime/model.js";
import { resolveScorer } from "../runtime/scorers.js";
import { agree } from "../train/pruner-held-out.js";
import type { SaliencyFile } from "../train/saliency-file.js";
import { mean } from "./forced.js";

/** How well one scorer's scores agree with true saliency after one block, over examples. */
export interface Agreement {
  readonly scorer: string;
  readonly block: number;
  readonly examples: number;
  /** Mean rank correlation over the prompt's tokens, with its 95 % bootstrap interval. */
  readonly spearman: number;
  readonly spearmanInterval: Interval;
  /** Mean share of the most salient tenth of the tokens that is in the tenth with the highest scores. */
  readonly topTenth: number;
  readonly topTenthInterval: Interval;
}

export interface AgreementOptions {
  readonly saliency: SaliencyFile;
  readonly scorers: readonly string[];
  readonly signal?: AbortSignal;
  readonly onExample?: (done: number, of: number) => void;
}

/**
 * Every scorer against measured saliency, on prompts that nothing is pruned from. Scorers see the prompt only, as in use;
 * saliency comes from the response.
 * @throws where the saliency is another model's
 */
export async function scorerAgreement(model: Model, { saliency, scorers, signal = ambientSignal(), onExample }: AgreementOptions): Promise<Agreement[]> {
  const { blocks, model: measuredOn } = saliency.settings;
  const { hash, near, original } = model.checkpoint;
  // Held near their size in the file, weights are another model's by hash, but the one that saliency was measured on without loss.
  if (measuredOn !== (await hash()) && !(near && measuredOn === (await original!.hash()))) throw new Error("saliency file: measured on another model (measure it on this one: sdtp train saliency)");
  const preset = { name: "whole", baseDepth: model.config.layers, stages: blocks.map((afterBlock) => ({ afterBlock, ratio: 1 })) };
  const found = new Map(scorers.flatMap((scorer) => blocks.map((block) => [`${scorer} ${block}`, { correlation: [] as number[], overlap: [] as number[] }])));
  for (let index = 0; index < saliency.length; index++) {
    const { ids, promptLength } = saliency.example(index);
    const values = await saliency.values(index);
    const magnitudes = values.map((row) => row.map(Math.abs));
    for (const name of scorers) {
      signal?.throwIfAborted();
      const run = await model.prefill(ids.slice(0, promptLength), { preset, scorer: await resolveScorer(name, model.checkpoint), scores: true });
      run.stages.forEach(({ scores }, s) => {
        const { correlation, overlap } = agree(scores!, magnitudes[s]!, promptLength);
        const lists = found.get(`${name} ${blocks[s]}`)!;
        lists.correlation.push(correlation);
        lists.overlap.push(overlap);
      });
    }
    onExample?.(index + 1, saliency.length);
  }
  return scorers.flatMap((scorer) => blocks.map((block) => {
    const { correlation, overlap } = found.get(`${scorer} ${block}`)!;
    return {
      scorer, block, examples: saliency.length,
      spearman: mean(correlation), spearmanInterval: bootstrap(correlation, mean),
      topTenth: mean(overlap), topTenthInterval: bootstrap(overlap, mean),
    };
  }));
}
