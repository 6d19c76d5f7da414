import { join } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import type { Configuration } from "../../evaluate/configuration.js";
import type { EvaluationRow } from "../../evaluate/rows.js";
import { checkItems, chosenItems, type EvaluationTask } from "../../evaluate/task.js";
import { stagePositions } from "../../methods/plan/stages.js";
import type { Model } from "../../runtime/model.js";
import { shellCommand } from "../../shell-command.js";
import { interruptSignal } from "../interrupt.js";
import { addDtypeOption, addKvDtypeOption, addModelOptions, loadModel, nonNegativeInteger, number, presetNames, type ModelOptions } from "../options.js";

/** Options of every task that compares configurations. */
export interface TaskOptions extends ModelOptions {
  config: string[];
  scorer?: string[];
  kvPolicy?: ("evict" | "retain")[];
  fraction: number;
  items?: string[];
  worse: number;
  output?: string;
  json?: boolean;
  queue?: string;
  queueName?: string;
  retryFailed?: boolean;
}

/** Without `attention` and `window`: what one early block looks at chose no better than chance on a pretrained model (lib/methods/README.md), and most presets prune after one. */
export const allScorers = ["learned", "norm", "recency", "random"];

export function addTaskOptions(command: Command): Command {
  return addKvDtypeOption(addDtypeOption(addModelOptions(command)))
    .option("--config <preset...>", `what is pruned: ${presetNames}`, ["sdtp"])
    .option("--scorer <name...>", `${allScorers.join(", ")}, window, attention, last-query, learned:FILE, random:SEED (default: the first four, without learned where the model has no modules)`)
    .option("--kv-policy <policy...>", "evict, retain or both (default: each preset's)", kvPolicies)
    .option("--fraction <f>", "share of the prompts, spread evenly", number, 1)
    .option("--items <name...>", "of all prompts these alone, as rows name them: 4096/0/7, or with the task ruler-vt:4096/0/7")
    .option("--output <file>", "results, JSON lines: rows are added, and those there are not measured again (default: results/evaluate/TASK.jsonl)")
    .option("--worse <n>", "list the prompts that lost most against the unpruned model, this many a configuration", nonNegativeInteger, 0)
    .option("--json", "print the summary as JSON")
    .option("--queue <url>", "let the workers of a queue measure (sdtp worker --help): redis://HOST, rediss://HOST")
    .option("--queue-name <name>", "queues of other names have nothing to do with each other (default: sdtp)")
    .option("--retry-failed", "with --queue: try slices again that failed before");
}

/** Where rows go, for a job that does it. */
export const rowsOf = { results: ({ output }: TaskOptions) => output ?? join("results", "evaluate") };

/** Measures, prints the summary and gives all rows. */
export async function compare(options: TaskOptions, make: (model: Model) => Promise<EvaluationTask | EvaluationTask[]>): Promise<EvaluationRow[]> {
  if (options.queue === undefined) {
    const [name] = [options.queueName !== undefined && `queue name: ${options.queueName}`, options.retryFailed && "retry failed: given"].filter(Boolean);
    if (name) throw new Error(`${name} (is of no use without --queue)`);
  }
  const [{ configurations }, { fractionOf }, { evaluate }, { summarise, worst }, { evaluationTable }, { toMarkdown }, { progressBar }, { jobReport }] = await Promise.all([
    import("../../evaluate/configuration.js"), import("../../evaluate/task.js"), import("../../evaluate/run.js"),
    import("../../evaluate/summary.js"), import("../../report/evaluation.js"), import("../../report/formats/markdown.js"), import("../progress.js"), import("../../jobs/report.js"),
  ]);
  const signal = interruptSignal();
  const policies = options.kvPolicy && { kvPolicies: options.kvPolicy };
  // Names are checked before a model is loaded.
  configurations({ presets: options.config, scorers: options.scorer ?? [], ...policies });
  const model = await loadModel(options, signal);
  const bar = progressBar();
  const say = (message: string) => {
    bar.clear();
    process.stderr.write(`${message}\n`);
  };
  try {
    const chosen = configurations({ presets: options.config, scorers: options.scorer ?? (await usualScorers(model)), ...policies });
    warnOfEarly(chosen, model.config.layers, say);
    const whole = [await make(model)].flat().map((task) => ({ ...task, items: fractionOf(task.items, options.fraction) }));
    const tasks = options.items === undefined ? whole : chosenItems(whole, options.items);
    checkItems(model, tasks);
    const total = tasks.reduce((sum, { items }) => sum + items.length, 0) * chosen.length;
    const all: EvaluationRow[] = [];
    const job = jobReport();
    job?.noRows();
    bar.update(0, `${total} prompts and configurations`, null);
    const summaries = [];
    const fileOf = (task: EvaluationTask) => options.output ?? join("results", "evaluate", `${task.name}.jsonl`);
    const queued = options.queue === undefined ? undefined : await (await import("../../queue/evaluate.js")).queueEvaluate(model, tasks, chosen, {
      url: options.queue, queueName: options.queueName, file: fileOf, threads: options.threads, retryFailed: options.retryFailed ?? false, signal,
      alone: ({ name }, items) => aloneCommand(process.argv.slice(2), name, items.map(({ id }) => id)), onMessage: say,
      onFailed: ({ label, error, command }) => say(`failed: ${label}: ${error}${command === null ? "" : `\n  alone: ${command}`}`),
      onProgress: (share, label) => bar.update(share, label),
    });
    for (const [index, task] of tasks.entries()) {
      const before = all.length;
      const rows = queued?.[index] ?? await evaluate(model, task, chosen, {
        file: fileOf(task), signal, onRow: (row, { done, of, secondsLeft }) => {
          job?.row(row);
          bar.update((before + done) / total, `${task.name}: ${row.item}, ${done} of ${of}`, secondsLeft === null ? null : (secondsLeft * (total - before - done)) / Math.max(1, of - done));
        },
      });
      if (queued) for (const row of rows) job?.row(row);
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
  } catch (error) {
    bar.stop();
    if (signal.aborted && options.queue !== undefined) process.stderr.write(`the jobs stay in the queue; to go on: ${shellCommand(["sdtp", ...process.argv.slice(2)])}\n`);
    throw error;
  } finally {
    bar.stop();
    await model.release();
  }
}

/** The command that measures some prompts of a task alone, without a queue. */
export function aloneCommand(words: readonly string[], task: string, items: readonly string[]): string {
  const [withValue, without] = [["--queue", "--queue-name"], ["--retry-failed", "--json"]];
  const kept: string[] = [];
  let dropping = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (withValue.includes(word)) i++;
    else if (word === "--items") dropping = true;
    else if (dropping && !word.startsWith("-")) continue;
    else {
      dropping = false;
      if (!without.includes(word) && ![...withValue, "--items"].some((name) => word.startsWith(`${name}=`))) kept.push(word);
    }
  }
  return shellCommand(["sdtp", ...kept, "--items", ...items.map((item) => `${task}:${item}`)]);
}

/** Scorers by one block's attention choose badly after an early block: said once, for a third of the blocks. */
function warnOfEarly(chosen: readonly Configuration[], layers: number, say: (message: string) => void): void {
  const early = chosen.filter(({ preset, scorer }) => scorer !== null && /^(window|attention)\b/.test(scorer) && stagePositions(preset, layers).some((block) => 3 * (block + 1) <= layers));
  if (early.length === 0) return;
  const [scorers, presets] = [new Set(early.map(({ scorer }) => scorer!)), new Set(early.map(({ preset }) => preset.name))];
  say(`${[...scorers].join(", ")}: by what an early block looks at (${[...presets].join(", ")}), which chose no better than chance on a pretrained model; after a late block (as in --config 22:0.5/30) it chose well`);
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
