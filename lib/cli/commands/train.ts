import type { Command } from "commander";
import { extrapolated } from "../../report/duration.js";
import { detachable } from "../detach.js";
import { interruptSignal } from "../interrupt.js";
import { number, positiveInteger } from "../options.js";
import { register as registerPruning } from "./train-pruning.js";
import { register as registerTargets } from "./train-targets.js";

/** `sdtp train model|saliency|pruner|prompts|targets`. */
export function register(program: Command): void {
  const train = program.command("train").description("train pruning modules for a model, or the embedded model itself");
  detachable(train
    .command("model")
    .description("train the embedded model from random weights; goes on from the folder's last saved state")
    .option("--folder <folder>", "the run's state, log and resulting model folder", "results/training/tiny")
    .option("--tokens <n>", "tokens to see in all; the learning rate reaches zero there", number, 60e6)
    .option("--max-minutes <n>", "stop and save after this time", number)
    .option("--threads <n>", "threads", positiveInteger, 2), { results: ({ folder }: ModelTrainingOptions) => folder }, trainModel);
  registerPruning(train);
  registerTargets(train);
}

interface ModelTrainingOptions {
  folder: string;
  tokens: number;
  maxMinutes?: number;
  threads: number;
}

async function trainModel(options: ModelTrainingOptions): Promise<void> {
  const [{ trainModel }, { tinyConfig }, { tinyRecipe }, { jobReport }] = await Promise.all([
    import("../../train/model.js"), import("../../train/tiny.js"), import("../../train/recipe.js"), import("../../jobs/report.js"),
  ]);
  const signal = interruptSignal();
  const job = jobReport();
  let first: { tokens: number; at: number } | undefined;
  job?.progress(0, "tokenizer and corpus", null);
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
      // What an earlier attempt did took none of this one's time.
      first ??= { tokens, at: performance.now() };
      job?.step("model", step, report);
      job?.progress(Math.min(1, tokens / options.tokens), `step ${step}, loss ${loss.toFixed(3)}`, extrapolated((tokens - first.tokens) / Math.max(1, options.tokens - first.tokens), (performance.now() - first.at) / 1e3));
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
  if (state.tokens < options.tokens) job?.leaves(`the time was up: ${state.tokens} of ${options.tokens} tokens were seen`);
  if (signal.aborted) process.exitCode = 130;
}
