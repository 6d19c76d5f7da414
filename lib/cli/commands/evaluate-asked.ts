import { InvalidArgumentError, Option, type Command } from "commander";
import { queryKinds, turnKinds, type Asking, type QueryKind, type TurnKind } from "../../evaluate/asked.js";
import { infiniteTaskNames, type InfiniteTaskName } from "../../evaluate/infinitebench.js";
import { rulerTaskNames } from "../../evaluate/ruler/names.js";
import type { Model } from "../../runtime/model.js";
import { detachable } from "../detach.js";
import { nonNegativeInteger, positiveInteger } from "../options.js";
import { addTaskOptions, compare, rowsOf, type TaskOptions } from "./evaluate-compare.js";

export interface AskingOptions extends TaskOptions {
  chat?: boolean;
  query: QueryKind;
}

interface MadeOptions extends AskingOptions {
  tasks: string[];
  lengths: string[];
  samples: number;
  seed: number[];
}

const defaultSeeds = [0];

/** How prompts are put: for every task that asks something. */
export function addAskingOptions(command: Command): Command {
  return addTaskOptions(command)
    .addOption(new Option("--query <kind>", "aware: the question ends the prompt and scorers see it; agnostic: the context is pruned alone, the question is appended to the pruned cache").choices(queryKinds).default("aware"))
    .option("--chat", "put prompts as a user's message (default: where the model has a chat template)")
    .option("--no-chat", "put prompts as they are");
}

export const chatOf = async (model: Model, { chat }: Pick<AskingOptions, "chat">) => (chat === false ? null : chat ? model.checkpoint.chatTemplate() : (await import("../../checkpoint/chat-template.js")).optionalChatTemplate(model.checkpoint));

async function askingOf(model: Model, options: AskingOptions): Promise<Omit<Asking, "stopTokens">> {
  return { tokenizer: await model.tokenizer(), chat: await chatOf(model, options), query: options.query };
}

function addMadeOptions(command: Command, names: readonly string[], lengths: string[]): Command {
  return addAskingOptions(command)
    .option("--tasks <name...>", `all, ${names.join(", ")}`, ["all"])
    .option("--lengths <n...>", "tokens of prompt and answer together", lengths)
    .option("--samples <n>", "prompts for each length and seed", positiveInteger, 20)
    .option("--seed <n...>", "seeds of the prompts", seeds, defaultSeeds);
}

/** `sdtp evaluate ruler|infinitebench|prompts`. */
export function registerAsked(evaluate: Command): void {
  detachable(addMadeOptions(evaluate.command("ruler").description("RULER's thirteen tasks, made at any length, with its grading"), rulerTaskNames, ["4096"])
    .option("--text <file>", "prose to hide needles in (default: the package's own)"), rowsOf, ruler);
  detachable(addTurnsOption(addMadeOptions(evaluate.command("infinitebench").description("InfiniteBench's retrieval tasks, made at any length; with --questions several turns over one context, as SCBench has them"), infiniteTaskNames, ["4096"]))
    .option("--questions <n>", "questions put to one context (kv_retrieval)", positiveInteger, 1), rowsOf, infinitebench);
  detachable(addTurnsOption(addAskingOptions(evaluate.command("prompts").description("prompts in JSON lines as RULER, kvpress, lm-eval, SCBench and LongBench v2 write them, or of any layout with --template")))
    .argument("<file...>", "JSON lines; or longbench-v2, which sdtp fetch --dataset brought")
    .option("--template <text>", "the prompt, {field} standing for a line's fields; what goes before {question} (or {input}) is the context")
    .option("--metric <name>", "string_match_all, string_match_part, exact, starts_with, f1, rouge_l, classification, code_similarity, count, passage (default: the file's own way)")
    .option("--max-length <n>", "tokens of prompt and answer at most, cut in the middle (default: the model's positions)", positiveInteger)
    .option("--max-new-tokens <n>", "tokens to generate (default: what lines say, else 128)", positiveInteger), rowsOf, prompts);
}

const addTurnsOption = (command: Command): Command =>
  command.addOption(new Option("--turns <kind>", "several questions to one context: each after the one before and its right answer, or each anew to the same prefilled context (default: anew where --query is agnostic)").choices(turnKinds));

async function ruler(options: MadeOptions & { text?: string }): Promise<void> {
  const [{ rulerTasks }, { parseLengths }, { shippedProse }, { readText }] = await Promise.all([
    import("../../evaluate/ruler/tasks.js"), import("../../bench/lengths.js"), import("../../bench/prose.js"), import("../../files.js"),
  ]);
  const given = named(options.tasks, rulerTaskNames, "ruler task");
  const tasks = options.tasks.includes("all") ? await withData(given) : given;
  const text = options.text === undefined ? await shippedProse() : await readText("text", options.text);
  await compare(options, async (model) => rulerTasks({
    tasks, lengths: parseLengths(options.lengths), samples: options.samples, seeds: options.seed, text, asking: await askingOf(model, options), config: model.config,
  }));
}

async function infinitebench(options: MadeOptions & { questions: number; turns?: TurnKind }): Promise<void> {
  const [{ infiniteTasks }, { parseLengths }] = await Promise.all([import("../../evaluate/infinitebench.js"), import("../../bench/lengths.js")]);
  const { questions, turns } = options;
  // Asked several times, only the task with several things to ask for is meant by all.
  const all = questions > 1 ? (["kv_retrieval"] as const) : infiniteTaskNames;
  const tasks = named(options.tasks, infiniteTaskNames, "infinitebench task", all) as InfiniteTaskName[];
  await compare(options, async (model) => infiniteTasks({
    tasks, lengths: parseLengths(options.lengths), samples: options.samples, seeds: options.seed, questions, asking: { ...(await askingOf(model, options)), ...(turns && { turns }) }, config: model.config,
  }));
}

async function prompts(given: string[], options: AskingOptions & { turns?: TurnKind; template?: string; metric?: string; maxLength?: number; maxNewTokens?: number }): Promise<void> {
  const [{ promptFileTasks }, { localDataset }] = await Promise.all([import("../../evaluate/prompts-file.js"), import("../../evaluate/data/fetch.js")]);
  const files = (await Promise.all(given.map(async (file) => (file === "longbench-v2" ? (await localDataset(file)).files.map((each) => each.file) : [file])))).flat();
  const { turns, template, metric, maxLength, maxNewTokens } = options;
  await compare(options, async (model) => promptFileTasks(files, {
    asking: { ...(await askingOf(model, options)), ...(turns && { turns }) }, config: model.config,
    ...(template !== undefined && { template: template.replaceAll("\\n", "\n") }), ...(metric !== undefined && { metric }), ...(maxLength !== undefined && { maxLength }), ...(maxNewTokens !== undefined && { maxNewTokens }),
  }));
}

/** All tasks but those whose data set is not on this machine, which is said. */
async function withData(tasks: readonly string[]): Promise<string[]> {
  const [{ localDataset }, { questionTasks }] = await Promise.all([import("../../evaluate/data/fetch.js"), import("../../evaluate/ruler/names.js")]);
  const there = await Promise.all(tasks.map(async (name) => {
    const dataset = questionTasks[name];
    if (dataset === undefined) return true;
    return localDataset(dataset).then(() => true, (error: Error) => {
      process.stderr.write(`${name}: left out (${error.message})\n`);
      return false;
    });
  }));
  return tasks.filter((_, i) => there[i]);
}

/** Names given with spaces or commas; `all`: those of `all`. @throws on one that is not known */
function named(given: readonly string[], known: readonly string[], noun: string, all = known): string[] {
  const names = given.flatMap((part) => part.split(",")).map((name) => name.trim()).filter((name) => name !== "");
  const unknown = names.find((name) => name !== "all" && !known.includes(name));
  if (unknown !== undefined) throw new Error(`${noun}: ${unknown} (known: all, ${known.join(", ")})`);
  return names.includes("all") ? [...all] : [...new Set(names)];
}

function seeds(text: string, before: number[]): number[] {
  const given = text.split(",").map((part) => {
    try {
      return nonNegativeInteger(part);
    } catch {
      throw new InvalidArgumentError("must be integers, 0 or more");
    }
  });
  // The default goes with the first that is given.
  return before.length === 1 && before === defaultSeeds ? given : [...before, ...given];
}
