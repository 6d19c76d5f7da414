import { join } from "node:path";
import type { Checkpoint } from "../checkpoint/types.js";
import type { SaliencyTarget } from "../decoder/saliency.js";
import type { Example } from "../train/examples.js";
import { trainPruner, type PrunerRecipe, type PrunerStep } from "../train/pruner.js";
import type { BlockAgreement } from "../train/pruner-held-out.js";
import { measureSaliency } from "../train/saliency-run.js";

export interface TargetModulesOptions {
  readonly checkpoint: Checkpoint;
  readonly targets: readonly SaliencyTarget[];
  /** The same for all. */
  readonly examples: readonly Example[];
  readonly blocks: readonly number[];
  readonly recipe: Partial<PrunerRecipe>;
  /** A folder each in it; what is there is gone on with. */
  readonly folder: string;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal;
  readonly onExample?: (target: SaliencyTarget, report: { done: number; of: number; seconds: number }) => void;
  readonly onStep?: (target: SaliencyTarget, report: PrunerStep) => void;
}

/** Modules that were trained to say one target's saliency. */
export interface TargetModules {
  readonly target: SaliencyTarget;
  readonly file: string;
  /** Seconds that measuring took here; 0 where it was measured before. */
  readonly saliencySeconds: number;
  /** With that very target, on the examples held out. */
  readonly agreement: readonly BlockAgreement[];
}

/** Trains modules for each of several targets on the same examples by the same recipe, one after the other: what is then compared differs in nothing else. */
export async function targetModules({ checkpoint, targets, examples, blocks, recipe, folder, threads, signal, onExample, onStep }: TargetModulesOptions): Promise<TargetModules[]> {
  const made: TargetModules[] = [];
  // Without masks, modules are trained on hidden states alone.
  const losses = recipe.losses ?? { crossEntropy: 0, mse: 1, ranking: 1 };
  for (const target of targets) {
    const own = join(folder, target);
    let saliencySeconds = 0;
    const saliency = await measureSaliency({
      checkpoint, examples, blocks, target, out: join(own, "saliency.safetensors"), states: losses.crossEntropy === 0, threads, ...(signal && { signal }),
      onExample: (report) => {
        saliencySeconds += report.seconds;
        onExample?.(target, report);
      },
    });
    const file = join(own, "pruner.safetensors");
    const agreement = await trainPruner({ checkpoint, saliency, folder: own, out: file, recipe: { ...recipe, losses }, threads, ...(signal && { signal }), ...(onStep && { onStep: (report) => onStep(target, report) }) });
    made.push({ target, file, saliencySeconds, agreement });
  }
  return made;
}
