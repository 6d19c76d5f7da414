import { join } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import type { EvaluationRow } from "../../evaluate/rows.js";
import { checkItems, type EvaluationTask } from "../../evaluate/task.js";
import type { Model } from "../../runtime/model.js";
import type { QualityJob } from "../../queue/jobs.js";
import { shellCommand } from "../../shell-command.js";
import { interruptSignal } from "../interrupt.js";
import { addDtypeOption, addKvDtypeOption, addModelOptions, loadModel, nonNegativeInteger, number, presetNames, type ModelOptions } from "../options.js";

/** Options of every task that compares configurations. */
export interface TaskOptions extends ModelOptions {
  config: string[];
  scorer?: string[];
  kvPolicy?: ("evict" | "retain")[];
  fraction: number;
  worse: number;
  output?: string;
  json?: boolean;
  queue?: string;
  queueName?: string;
  retryFailed?: boolean;
}

/** How a task was made of a text, where the workers of a queue can make it too. */
export interface Remade {
  readonly task: QualityJob["task"];
  readonly text: string;
}

/** Without `attention`: over one block's heads averaged and unsmoothed, after an early stage it was no better than chance on a pretrained model. */
export const allScorers = ["learned", "window", "norm", "recency", "random"];

export function addTaskOptions(command: Command): Command {
  return addKvDtypeOption(addDtypeOption(addModelOptions(command)))
    .option("--config <preset...>", `what is pruned: ${presetNames}`, ["sdtp"])
    .option("--scorer <name...>", `${allScorers.join(", ")}, attention, last-query, learned:FILE, random:SEED (default: the first five, without learned where the model has no modules)`)
    .option("--kv-policy <policy...>", "evict, retain or both (default: each preset's)", kvPolicies)
    .option("--fraction <f>", "share of the prompts, spread evenly", number, 1)
    .option("--output <file>", "results, JSON lines: rows are added, and those there are not measured again (default: results/evaluate/TASK.jsonl)")
    .option("--worse <n>", "list the prompts that lost most against the unpruned model, this many a configuration", nonNegativeInteger, 0)
    .option("--json", "print the summary as JSON")
    .option("--queue <url>", "let the workers of a queue measure (sdtp worker --help): redis://HOST, rediss://HOST; perplexity and retrieval")
    .option("--queue-name <name>", "queues of other names have nothing to do with each other (default: sdtp)")
    .option("--retry-failed", "with --queue: try slices again that failed before");
}

/** Measures, prints the summary and gives all rows. */
export async function compare(options: TaskOptions, make: (model: Model) => Promise<EvaluationTask | EvaluationTask[]>, remade?: Remade): Promise<EvaluationRow[]> {
  if (options.queue !== undefined && !remade) throw new Error("queue: this task is not made on other machines (perplexity and retrieval are)");
  const [{ configurations }, { fractionOf }, { evaluate }, { summarise, worst }, { evaluationTable }, { toMarkdown }, { progressBar }] = await Promise.all([
    import("../../evaluate/configuration.js"), import("../../evaluate/task.js"), import("../../evaluate/run.js"),
    import("../../evaluate/summary.js"), import("../../report/evaluation.js"), import("../../report/formats/markdown.js"), import("../progress.js"),
  ]);
  const signal = interruptSignal();
  const policies = options.kvPolicy && { kvPolicies: options.kvPolicy };
  // Names are checked before a model is loaded.
  configurations({ presets: options.config, scorers: options.scorer ?? [], ...policies });
  const model = await loadModel(options, signal);
  const bar = progressBar();
  try {
    const chosen = configurations({ presets: options.config, scorers: options.scorer ?? (await usualScorers(model)), ...policies });
    const tasks = [await make(model)].flat().map((task) => ({ ...task, items: fractionOf(task.items, options.fraction) }));
    checkItems(model, tasks);
    const total = tasks.reduce((sum, { items }) => sum + items.length, 0) * chosen.length;
    const all: EvaluationRow[] = [];
    const summaries = [];
    for (const task of tasks) {
      const file = options.output ?? join("results", "evaluate", `${task.name}.jsonl`);
      const before = all.length;
      if (options.queue !== undefined) {
        const { queueEvaluate } = await import("../../queue/evaluate.js");
        await queueEvaluate(model, task, chosen, {
          ...remade!, url: options.queue, queueName: options.queueName, file, dtype: options.dtype, threads: options.threads, command: shellCommand(["sdtp", ...process.argv.slice(2)]), retryFailed: options.retryFailed ?? false, signal,
          onMessage: (message) => {
            bar.clear();
            process.stderr.write(`${message}\n`);
          },
          onProgress: (done, of, label) => bar.update(done / of, `${Math.floor(done)} of ${of} slices: ${label}`),
        });
      }
      const rows = await evaluate(model, task, chosen, {
        file, signal, onRow: (row, { done, of, secondsLeft }) => bar.update((before + done) / total, `${task.name}: ${row.item}, ${done} of ${of}`, secondsLeft === null ? null : (secondsLeft * (total - before - done)) / Math.max(1, of - done)),
      });
      all.push(...rows);
      const summary = summarise(rows, task.metric);
      const lost = options.worse > 0 ? worst(rows, task, options.worse) : [];
      summaries.push({ task: task.name, settings: task.settings, metric: task.metric, better: task.better, configurations: summary, ...(lost.length > 0 && { worse: lost }) });
      bar.clear();
      if (options.json) continue;
      console.log(toMarkdown(evaluationTable(model, task, summary)));
      for (const { label, item, was, is, output } of lost) console.log(`${label}: ${item}: ${was.toFixed(3)} -> ${is.toFixed(3)}${output === undefined ? "" : `  ${JSON.stringify(output.slice(0, 100))}`}`);
    }
    bar.stop();
    if (options.json) console.log(JSON.stringify({ model: model.name, device: model.device, model_hash: await model.checkpoint.hash(), tasks: summaries }, null, 2));
    return all;
  } finally {
    bar.stop();
    await model.release();
  }
}

/** All scorers that the model has; said where modules are missing. */
async function usualScorers({ checkpoint }: Model): Promise<string[]> {
  const { prunerFile } = await import("../../runtime/pruners.js");
  if ((await prunerFile(checkpoint)) !== null) return allScorers;
  process.stderr.write("learned: left out (there are no pruning modules for this model; train them: sdtp train pruner; or give --scorer learned:FILE)\n");
  return allScorers.filter((name) => name !== "learned");
}

function kvPolicies(text: string, before: ("evict" | "retain")[] = []): ("evict" | "retain")[] {
  if (text === "both") return ["retain", "evict"];
  if (text !== "evict" && text !== "retain") throw new InvalidArgumentError("must be evict, retain or both");
  return [...before, text];
}
