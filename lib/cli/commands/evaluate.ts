import { InvalidArgumentError, Option, type Command } from "commander";
import { queryKinds, type QueryKind } from "../../evaluate/asked.js";
import { detachable } from "../detach.js";
import { interruptSignal } from "../interrupt.js";
import { addAskingOptions, chatOf, registerAsked, type AskingOptions } from "./evaluate-asked.js";
import { addTaskOptions, allScorers, compare, rowsOf, type TaskOptions } from "./evaluate-compare.js";
import { addDtypeOption, addKvDtypeOption, addModelOptions, loadModel, nonNegativeInteger, number, positiveInteger, type ModelOptions } from "../options.js";

interface TextOptions extends TaskOptions {
  text?: string;
  lengths: string[];
  samples: number;
}

/** `sdtp evaluate perplexity|retrieval|longbench|ruler|infinitebench|prompts|agreement`. */
export function register(program: Command): void {
  const command = program.command("evaluate").description("what pruning costs: the same prompts for every configuration, with the unpruned model beside them");
  detachable(addTextOptions(addTaskOptions(command.command("perplexity").description("loss of a continuation after a pruned prompt")))
    .option("--continuation <n>", "tokens of the continuation", positiveInteger, 128), rowsOf, perplexity);
  detachable(addTextOptions(addTaskOptions(command.command("retrieval").description("pass keys hidden at a grid of depths and lengths, graded wholly right")))
    .option("--depths <list>", "places of the key, 0 (start) to 1 (end), parted by commas", depthList, [0, 0.25, 0.5, 0.75, 1])
    .option("--keys <n>", "keys in a prompt", positiveInteger, 4)
    .addOption(new Option("--query <kind>", "aware: the question ends the prompt; agnostic: prefill without a question, then ask for every key").choices(queryKinds).default("aware"))
    .addOption(new Option("--ask <when>", "as --query: prompt is aware, after is agnostic").choices(["prompt", "after"]).hideHelp())
    .option("--seed <n>", "seed of the prompts", nonNegativeInteger, 0)
    .option("--html <file>", "write the heat maps as a page"), rowsOf, retrieval);
  detachable(addAskingOptions(command.command("longbench").description("data files in LongBench's layouts, with its prompts, lengths and metrics; the chat template where LongBench uses one"))
    .argument("<file...>", "JSON lines: input, context, answers, …; or input and answers alone; or longbench:hotpotqa, longbench-e:hotpotqa and the like of data that sdtp fetch brought")
    .option("--dataset <name>", "which of LongBench's data sets the files are (default: each line's dataset, or the file's name)")
    .option("--max-length <n>", "tokens of a prompt at most, cut in the middle (default: what the model's positions leave)", positiveInteger)
    .option("--max-new-tokens <n>", "tokens to generate (default: the data set's)", positiveInteger), rowsOf, longbench);
  registerAsked(command);
  addKvDtypeOption(addDtypeOption(addModelOptions(command.command("agreement").description("how well scorers agree with measured saliency, by block"))))
    .requiredOption("--saliency <file>", "a file that sdtp train saliency wrote, of data that no module was trained on")
    .option("--scorer <name...>", "scorers", allScorers)
    .option("--json", "print JSON")
    .action(agreement);
}

function addTextOptions(command: Command): Command {
  return command
    .option("--text <file>", "prose that the model was not trained on (default: the package's own, held out from the embedded model's training)")
    .option("--lengths <n...>", "prompt lengths in tokens", ["1024"])
    .option("--samples <n>", "prompts for each length (and depth)", positiveInteger, 16);
}

async function perplexity(options: TextOptions & { continuation: number }): Promise<void> {
  const [{ perplexityTask }, { parseLengths }] = await Promise.all([import("../../evaluate/perplexity.js"), import("../../bench/lengths.js")]);
  const text = await proseText(options.text);
  await compare(options, async (model) => perplexityTask(await model.tokenizer(), { lengths: parseLengths(options.lengths), continuation: options.continuation, samples: options.samples, text }));
}

async function retrieval(options: TextOptions & { depths: number[]; keys: number; query: QueryKind; ask?: "prompt" | "after"; seed: number; html?: string }): Promise<void> {
  const [{ retrievalTask }, { parseLengths }, { heatMaps, heatMapPage, heatMapText }, { writeOutput }] = await Promise.all([
    import("../../evaluate/retrieval.js"), import("../../bench/lengths.js"), import("../../evaluate/heat-map.js"), import("../../files.js"),
  ]);
  const { depths, keys, seed, samples, query } = options;
  const ask = options.ask ?? (query === "agnostic" ? "after" : "prompt");
  const text = await proseText(options.text);
  const rows = await compare(options, async (model) => retrievalTask(await model.tokenizer(), { lengths: parseLengths(options.lengths), depths, keys, samples, ask, seed, text }));
  const maps = heatMaps(rows);
  if (!options.json) for (const map of maps) console.log(`${heatMapText(map)}\n`);
  if (options.html !== undefined) await writeOutput(options.html, heatMapPage("Retrieval: share of keys wholly right, by depth and prompt length", maps));
}

async function longbench(given: string[], options: AskingOptions & { dataset?: string; maxLength?: number; maxNewTokens?: number }): Promise<void> {
  const { longbenchTasks } = await import("../../evaluate/longbench/task.js");
  const { dataset, maxLength, maxNewTokens, query } = options;
  const files = await Promise.all(given.map(longbenchFile));
  await compare(options, async (model) => longbenchTasks(await model.tokenizer(), model.config, files, {
    chat: await chatOf(model, options), query,
    ...(dataset !== undefined && { dataset }), ...(maxLength !== undefined && { maxLength }), ...(maxNewTokens !== undefined && { maxNewTokens }),
  }));
}

/** The file of `longbench:NAME`, which `sdtp fetch --dataset longbench` brought; others are paths. */
async function longbenchFile(given: string): Promise<string> {
  const match = /^(longbench(?:-e)?):(.+)$/.exec(given);
  if (!match) return given;
  const { localDataset } = await import("../../evaluate/data/fetch.js");
  const { files } = await localDataset(match[1]!);
  const found = files.find(({ name }) => name === match[2] || name === `${match[2]}_e`);
  if (!found) throw new Error(`data set: ${given} (${match[1]} has ${files.map(({ name }) => name).join(", ")})`);
  return found.file;
}

async function agreement(options: ModelOptions & { saliency: string; scorer: string[]; json?: boolean }): Promise<void> {
  const [{ SaliencyFile }, { scorerAgreement }, { progressBar }] = await Promise.all([
    import("../../train/saliency-file.js"), import("../../evaluate/agreement.js"), import("../progress.js"),
  ]);
  const signal = interruptSignal();
  const model = await loadModel(options, signal);
  const bar = progressBar();
  try {
    const found = await scorerAgreement(model, {
      saliency: await SaliencyFile.open(options.saliency), scorers: options.scorer, signal, onExample: (done, of) => bar.update(done / of, "agreement"),
    });
    bar.stop();
    if (options.json) console.log(JSON.stringify(found, null, 2));
    else for (const { scorer, block, spearman, spearmanInterval, topTenth } of found) {
      console.log(`${scorer}, block ${block}: rank correlation ${spearman.toFixed(3)} (${spearmanInterval.low.toFixed(3)} … ${spearmanInterval.high.toFixed(3)}), overlap of the highest tenths ${(100 * topTenth).toFixed(0)} %`);
    }
  } finally {
    bar.stop();
    await model.release();
  }
}

async function proseText(file: string | undefined): Promise<string> {
  return file === undefined ? (await import("../../bench/prose.js")).shippedProse() : (await import("../../files.js")).readText("text", file);
}

function depthList(text: string): number[] {
  return text.split(",").map((part) => {
    const depth = number(part);
    if (depth < 0 || depth > 1) throw new InvalidArgumentError("must be numbers from 0 to 1, parted by commas");
    return depth;
  });
}
