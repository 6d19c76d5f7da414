import type { Command } from "commander";
import { interruptSignal } from "../interrupt.js";
import { number, positiveInteger } from "../options.js";
import { register as registerPruning } from "./train-pruning.js";
import { register as registerTargets } from "./train-targets.js";

/** `sdtp train model|saliency|pruner|prompts|targets`. */
export function register(program: Command): void {
  const train = program.command("train").description("train pruning modules for a model, or the embedded model itself");
  train
    .command("model")
    .description("train the embedded model from random weights; goes on from the folder's last saved state")
    .option("--folder <folder>", "the run's state, log and resulting model folder", "results/training/tiny")
    .option("--tokens <n>", "tokens to see in all; the learning rate reaches zero there", number, 60e6)
    .option("--max-minutes <n>", "stop and save after this time", number)
    .option("--threads <n>", "threads", positiveInteger, 2)
    .action(trainModel);
  registerPruning(train);
  registerTargets(train);
}

async function trainModel(options: { folder: string; tokens: number; maxMinutes?: number; threads: number }): Promise<void> {
  const [{ trainModel }, { tinyConfig }, { tinyRecipe }] = await Promise.all([
    import("../../train/model.js"), import("../../train/tiny.js"), import("../../train/recipe.js"),
  ]);
  const signal = interruptSignal();
  const state = await trainModel({
    config: tinyConfig,
    recipe: tinyRecipe,
    tokens: options.tokens,
    folder: options.folder,
    threads: options.threads,
    signal,
    ...(options.maxMinutes !== undefined ? { maxSeconds: options.maxMinutes * 60 } : {}),
    onStep(report) {
      const { step, tokens, loss, gflops, length, seconds, heldOut } = report;
      if (step % 10 !== 0 && !heldOut) return;
      const quality = heldOut
        ? `  held out: ${heldOut.bitsPerByte.toFixed(3)} bits per byte, retrieval ${(100 * heldOut.retrieval).toFixed(0)} % at ${heldOut.retrievalLength}`
        : "";
      process.stderr.write(
        `step ${step}  ${(tokens / 1e6).toFixed(2)}M tokens  length ${length}  loss ${loss.toFixed(3)}  ${gflops.toFixed(0)} GFLOP/s  ${Math.round(seconds)} s${quality}\n`,
      );
    },
  });
  process.stderr.write(`saved after ${state.step} steps, ${state.tokens} tokens: ${options.folder} (the same command goes on from here)\n`);
  if (signal.aborted) process.exitCode = 130;
}
