import { Option, type Command } from "commander";
import type { SaliencyTarget } from "../../decoder/saliency.js";
import { saliencyTargets } from "../../decoder/saliency.js";
import { rulerTaskNames } from "../../evaluate/ruler/names.js";
import { detachable } from "../detach.js";
import { interruptSignal } from "../interrupt.js";
import { positiveInteger, presetNames } from "../options.js";
import { addDataOptions, examplesOf, progress, type DataOptions } from "./train-pruning.js";

interface TargetsOptions extends DataOptions {
  targets: SaliencyTarget[];
  folder: string;
  epochs: number;
  batch: number;
  config: string[];
  kvPolicy: "retain" | "evict";
  tasks: string[];
  lengths: string[];
  samples: number;
  query: "aware" | "agnostic";
}

/** `sdtp train targets`. */
export function register(train: Command): void {
  detachable(addDataOptions(train.command("targets").description("what modules are to be trained to say: modules for each of several targets on the same prompts, and what RULER's tasks make of each; an interrupted run goes on"))
    .addOption(new Option("--targets <kind...>", "targets, as train saliency takes them").choices(saliencyTargets).default(["gradnorm", "abs", "attention", "reconstruction"]))
    .option("--chat", "put prompts as a user's message, by the model's chat template (default: where it has one)")
    .option("--no-chat", "put prompts as they are")
    .option("--folder <folder>", "saliency, modules and results", "results/training/targets")
    .option("--epochs <n>", "times through the prompts", positiveInteger, 6)
    .option("--batch <n>", "sequences a step", positiveInteger, 4)
    .option("--config <preset...>", `what is pruned: ${presetNames}`, ["keep07", "sdtp"])
    .addOption(new Option("--kv-policy <policy>", "in training and evaluation: see train pruner").choices(["retain", "evict"]).default("evict"))
    .option("--tasks <name...>", `of RULER: ${rulerTaskNames.join(", ")}`, ["niah_single_2"])
    .option("--lengths <n...>", "tokens of an evaluation's prompt and answer", ["512"])
    .option("--samples <n>", "evaluation prompts for each length", positiveInteger, 8)
    .addOption(new Option("--query <kind>", "see evaluate ruler").choices(["aware", "agnostic"]).default("agnostic")), { results: ({ folder }: TargetsOptions) => folder }, targets);
}

async function targets(options: TargetsOptions): Promise<void> {
  const [{ targetModules }, { Model }, { optionalChatTemplate }, { openCheckpoint }, { stageBlocks }, { configurations }, { evaluate }, { rulerTasks }, { summarise }, { evaluationTable }, { toMarkdown }, { parseLengths }, { shippedProse }, { join }] = await Promise.all([
    import("../../evaluate/targets.js"), import("../../runtime/model.js"), import("../../checkpoint/chat-template.js"), import("../../checkpoint/open.js"), import("../../train/stages.js"), import("../../evaluate/configuration.js"), import("../../evaluate/run.js"), import("../../evaluate/ruler/tasks.js"),
    import("../../evaluate/summary.js"), import("../../report/evaluation.js"), import("../../report/formats/markdown.js"), import("../../bench/lengths.js"), import("../../bench/prose.js"), import("node:path"),
  ]);
  const signal = interruptSignal();
  const { folder, epochs, batch, kvPolicy, threads, seed, query } = options;
  const checkpoint = await openCheckpoint(options.model, { dtype: "stored" });
  const blocks = stageBlocks(options.config, checkpoint.config.layers);
  const tokenizer = await checkpoint.tokenizer();
  const chat = options.chat === false ? null : options.chat ? await checkpoint.chatTemplate() : await optionalChatTemplate(checkpoint);
  // Before anything is spent: what is wrong with the evaluation's names and lengths.
  const tasks = await rulerTasks({ tasks: options.tasks, lengths: parseLengths(options.lengths), samples: options.samples, seeds: [seed], text: await shippedProse(), asking: { tokenizer, chat, query }, config: checkpoint.config });
  const made = await targetModules({
    checkpoint, targets: options.targets, examples: await examplesOf(options, checkpoint), blocks, folder, threads, signal,
    recipe: { kvPolicy, epochs, batch, seed },
    onExample: (target, report) => progress(report.done, report.of, `${target}: saliency  ${report.seconds.toFixed(1)} s`, `${target}: saliency`, report),
    onStep: (target, report) => progress(report.step, report.steps, `${target}: modules  loss ${report.loss.toFixed(3)}`, `${target}: modules`, report),
  });
  for (const { target, saliencySeconds, agreement } of made) {
    const mean = agreement.reduce((sum, { spearman }) => sum + spearman, 0) / agreement.length;
    console.log(`${target}: ${agreement.length > 0 ? `rank correlation with it on what was held out ${mean.toFixed(3)}, the mean over blocks` : "nothing held out"}${saliencySeconds > 0 ? `; measured in ${saliencySeconds.toFixed(0)} s` : ""}`);
  }
  const model = new Model(checkpoint, threads === undefined ? {} : { threads });
  try {
    const chosen = configurations({ presets: options.config, scorers: [...made.map(({ file }) => `learned:${file}`), "recency"], kvPolicies: [kvPolicy] });
    for (const task of tasks) {
      const rows = await evaluate(model, task, chosen, { file: join(folder, `${task.name}.jsonl`), signal, onRow: (row, { done, of }) => progress(done, of, `${task.name}: ${row.item}`, task.name, row) });
      console.log(toMarkdown(evaluationTable(model, task, summarise(rows, task.metric))));
    }
  } finally {
    await model.release();
  }
}
