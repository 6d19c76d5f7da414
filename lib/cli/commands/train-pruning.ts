import { InvalidArgumentError, Option, type Command } from "commander";
import type { Checkpoint } from "../../checkpoint/types.js";
import type { Example } from "../../train/examples.js";
import { moduleInputs, type ModuleInputs } from "../../methods/module.js";
import { labelKinds, maskKinds, type LabelKind, type MaskKind } from "../../decoder/pruner-training.js";
import { objectives, saliencyTargets, type Objective, type SaliencyTarget } from "../../decoder/saliency.js";
import { promptKinds, type PromptKind } from "../../train/prompts/line.js";
import { lossKinds, type LossKind } from "../../train/example-feeds.js";
import { duration, extrapolated } from "../../report/duration.js";
import { jobReport } from "../../jobs/report.js";
import { detachable } from "../detach.js";
import { interruptSignal } from "../interrupt.js";
import { addCheckpointOptions, nonNegativeInteger, number, positiveInteger, presetNames, type ModelOptions } from "../options.js";

/** Options of all commands that read or make prompts with responses. */
export interface DataOptions extends ModelOptions {
  data?: string[];
  length: number;
  limit?: number;
  prompts: number;
  episodes: number;
  kinds?: PromptKind[];
  prose: "train" | "held-out";
  chat?: boolean;
  seed: number;
}

interface SaliencyOptions extends DataOptions {
  config: string[];
  blocks?: number[] | "all";
  target: SaliencyTarget;
  loss: LossKind;
  objective: Objective;
  states?: boolean;
}

export function addDataOptions(command: Command): Command {
  return addCheckpointOptions(command)
    .option("--data <file...>", "JSON lines with prompt and response (or dolly-15k's fields), or plain text; default: prompts as train prompts makes them")
    .option("--length <n>", "tokens of prompt and response at most; longer ones are cut", positiveInteger, 512)
    .option("--limit <n>", "read this many examples at most", positiveInteger)
    .option("--prompts <n>", "how many prompts to make where there is no --data", positiveInteger, 400)
    .option("--episodes <share>", "share of made prompts that hide facts; the rest is prose", number, 0.5)
    .option("--kinds <list>", `made prompts of these kinds in turn, instead of --episodes, parted by commas: ${promptKinds.join(", ")}`, kindList)
    .addOption(new Option("--prose <part>", "documents that prompts are made of: those the embedded model was trained on, or those held out, to judge modules by").choices(["train", "held-out"]).default("train"))
    .option("--seed <n>", "seed of all that is random", nonNegativeInteger, 0);
}

function addSaliencyOptions(command: Command): Command {
  return addDataOptions(command)
    .option("--chat", "put prompts as a user's message, by the model's chat template (default: where it has one)")
    .option("--no-chat", "put prompts as they are")
    .option("--states", "keep hidden states beside the saliency (FILE.states, 2 bytes a number): with --cross-entropy 0 modules are then trained without running the model again")
    .option("--config <preset...>", `blocks that a stage of these presets stands after: all, ${presetNames}`, ["all"])
    .option("--blocks <list>", "blocks instead of --config: all, or numbers from 0, parted by commas", blockList)
    .addOption(new Option("--target <kind>", "gradnorm: |g|, abs: |x.g|, signed: x.g (the paper's formula), x the hidden state and g the loss's gradient there; attention: what the response pays to a token in later blocks; reconstruction: what the prompt said again pays to it there").choices(saliencyTargets).default("gradnorm"))
    .addOption(new Option("--loss <kind>", "whose next-token loss: that of the response, or of all tokens (the paper's text)").choices(lossKinds).default("response"))
    .addOption(new Option("--objective <kind>", "what of each such token is differentiated: its log-odds, which do not fade where the model is sure, or its cross-entropy (the paper)").choices(objectives).default("log-odds"));
}

export function register(train: Command): void {
  detachable(addSaliencyOptions(train.command("saliency").description("measure the saliency of prompt tokens by gradients; an interrupted run goes on"))
    .requiredOption("--out <file>", "the safetensors file to write"), { results: ({ out }: SaliencyOptions & { out: string }) => out }, saliency);
  detachable(addSaliencyOptions(train.command("pruner").description("train pruning modules for a model; an interrupted run goes on"))
    .option("--folder <folder>", "the run's saliency, state and log", "results/training/pruner")
    .option("--out <file>", "the modules (default: pruner.safetensors in the run's folder)")
    .option("--saliency <file>", "measured already, by train saliency; the data are those in it")
    .addOption(new Option("--inputs <kind>", "what modules see: the hidden state under RMS norm and the distance from the prompt's end, or the hidden state alone (the paper)").choices(moduleInputs).default("placed"))
    .addOption(new Option("--masks <kind>", "what soft masks act on: the attention paid to a token, as pruning does, or its hidden state (the paper)").choices(maskKinds).default("attention"))
    .addOption(new Option("--labels <kind>", "what the cross-entropy is against: the predictions of the model without masks, or the text (the paper)").choices(labelKinds).default("model"))
    .addOption(new Option("--kv-policy <policy>", "what scores say: how much a token is needed after the stage's own block (retain), or anywhere, as evicting takes it from every block's cache (evict)").choices(["retain", "evict"]).default("retain"))
    .option("--cross-entropy <weight>", "weight of the response's cross-entropy under soft masks; 0: no masks", number, 1)
    .option("--mse <weight>", "weight of the squared error against normalised saliency; 0: off", number, 1)
    .option("--ranking <weight>", "weight of the pairwise ranking loss (all pairs of up to 256 tokens, else as many at random); 0: off", number, 1)
    .option("--learning-rate <rate>", "peak learning rate of Adam", number, 2e-3)
    .option("--batch <n>", "sequences a step", positiveInteger, 4)
    .option("--epochs <n>", "times through the data", positiveInteger, 2)
    .option("--held-out <share>", "share of the examples kept for the agreement reported at the end", number, 0.1)
    .option("--half", "write the modules in float16"), { results: ({ folder }: PrunerOptions) => folder }, pruner);
  addDataOptions(train.command("prompts").description("write prompts with responses as JSON lines: facts hidden in prose and asked for, prose and its continuation"))
    .requiredOption("--out <file>", "the file to write")
    .action(prompts);
}

async function saliency(options: SaliencyOptions & { out: string }): Promise<void> {
  const signal = interruptSignal();
  const { saliencySparsity } = await import("../../train/saliency-map.js");
  const file = await measure(options, options.out, signal);
  process.stderr.write(`${options.out}: ${file.length} examples, blocks ${file.settings.blocks.join(", ")}\n`);
  for (const { block, share } of await saliencySparsity(file)) {
    console.log(`block ${block}: ${(100 * share).toFixed(1)} % of the prompt's tokens have less than 1 % of the largest saliency`);
  }
}

interface PrunerOptions extends SaliencyOptions {
  folder: string;
  out?: string;
  saliency?: string;
  inputs: ModuleInputs;
  masks: MaskKind;
  labels: LabelKind;
  kvPolicy: "retain" | "evict";
  crossEntropy: number;
  mse: number;
  ranking: number;
  learningRate: number;
  batch: number;
  epochs: number;
  heldOut: number;
  half?: boolean;
}

async function pruner(options: PrunerOptions): Promise<void> {
  const signal = interruptSignal();
  const [{ openCheckpoint }, { trainPruner }, { SaliencyFile }, { join }] = await Promise.all([
    import("../../checkpoint/open.js"), import("../../train/pruner.js"), import("../../train/saliency-file.js"), import("node:path"),
  ]);
  const checkpoint = await openCheckpoint(options.model, { dtype: "stored" });
  const file = options.saliency ? await SaliencyFile.open(options.saliency) : await measure(options, join(options.folder, "saliency.safetensors"), signal);
  const out = options.out ?? join(options.folder, "pruner.safetensors");
  const { inputs, masks, labels, kvPolicy, crossEntropy, mse, ranking, learningRate, batch, epochs, heldOut, seed } = options;
  const agreement = await trainPruner({
    checkpoint, saliency: file, folder: options.folder, out, signal, threads: options.threads, ...(options.half && { half: true }),
    recipe: { inputs, masks, labels, kvPolicy, losses: { crossEntropy, mse, ranking }, learningRate, batch, epochs, heldOut, seed },
    onStep(report) {
      const { step, steps, loss, crossEntropy, mse, ranking, seconds } = report;
      const part = (name: string, value: number | null) => (value === null ? "" : `  ${name} ${value.toFixed(3)}`);
      progress(step, steps, `loss ${loss.toFixed(3)}${part("cross-entropy", crossEntropy)}${part("mse", mse)}${part("ranking", ranking)}  ${seconds.toFixed(1)} s`, "modules", report);
    },
  });
  for (const { block, spearman, topTenth } of agreement) {
    console.log(`block ${block}: rank correlation with saliency ${spearman.toFixed(3)}, overlap of the highest tenths ${(100 * topTenth).toFixed(0)} %  (held out)`);
  }
  process.stderr.write(`${out}\n`);
}

async function prompts(options: DataOptions & { out: string }): Promise<void> {
  if (options.data) throw new Error("--data: cannot be given here (prompts are made, not read)");
  const [{ openCheckpoint }, { writeWhole }] = await Promise.all([import("../../checkpoint/open.js"), import("../../files.js")]);
  const lines = await makeLines(options, await (await openCheckpoint(options.model, { dtype: "stored" })).tokenizer());
  await writeWhole(options.out, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  process.stderr.write(`${options.out}: ${lines.length} prompts\n`);
}

/** Reads or makes the examples. */
export async function examplesOf(options: DataOptions, checkpoint: Checkpoint): Promise<Example[]> {
  const [{ optionalChatTemplate }, { readExamples, toExample }] = await Promise.all([import("../../checkpoint/chat-template.js"), import("../../train/examples.js")]);
  const tokenizer = await checkpoint.tokenizer();
  const chat = options.chat === false ? null : options.chat ? await checkpoint.chatTemplate() : await optionalChatTemplate(checkpoint);
  const reading = { length: options.length, chat, ...(options.limit !== undefined ? { limit: options.limit } : {}) };
  if (options.data) return readExamples(options.data, tokenizer, reading);
  return (await makeLines(options, tokenizer)).map((line) => toExample(line, tokenizer, options.length, { chat }));
}

/** Measures the saliency of the examples into `out`. */
async function measure(options: SaliencyOptions, out: string, signal: AbortSignal) {
  const [{ openCheckpoint }, { measureSaliency }, { stageBlocks }] = await Promise.all([import("../../checkpoint/open.js"), import("../../train/saliency-run.js"), import("../../train/stages.js")]);
  const checkpoint = await openCheckpoint(options.model, { dtype: "stored" });
  const examples = await examplesOf(options, checkpoint);
  const { layers } = checkpoint.config;
  const every = Array.from({ length: layers - 1 }, (_, block) => block);
  const blocks = options.blocks === undefined ? stageBlocks(options.config, layers) : options.blocks === "all" ? every : options.blocks;
  return measureSaliency({
    checkpoint, examples, blocks, out, signal, target: options.target, loss: options.loss, objective: options.objective, states: options.states === true, threads: options.threads,
    onExample: ({ done, of, loss, seconds }) => progress(done, of, `saliency  loss ${loss.toFixed(3)}  ${seconds.toFixed(1)} s`, "saliency", { done, of, loss, seconds }),
  });
}

async function makeLines({ length, prompts, episodes, kinds, prose, seed }: DataOptions, tokenizer: import("../../checkpoint/tokenizer.js").Tokenizer) {
  const [{ makePrompts }, { loadCorpus }] = await Promise.all([import("../../train/prompts/make.js"), import("../../train/corpus.js")]);
  const { train, heldOut } = loadCorpus();
  return [...makePrompts({ tokenizer, documents: prose === "train" ? train : heldOut, count: prompts, length, episodes, ...(kinds && { kinds }), seed })];
}

let began: { at: number; done: number } | null = null;

/**
 * One line that is rewritten on a terminal; every tenth on its own elsewhere. With the time left, as what was done in this run tells.
 * @param part of the work
 * @param row what a job tells of it
 */
export function progress(done: number, of: number, text: string, part: string, row: object): void {
  began ??= { at: performance.now(), done: done - 1 };
  const share = (done - began.done) / Math.max(1, of - began.done);
  const left = done === of || done - began.done < 2 ? null : extrapolated(share, (performance.now() - began.at) / 1e3);
  const job = jobReport();
  job?.step(part, done, row);
  job?.progress(done / of, `${done} of ${of}: ${text}`, left);
  const line = `${done}/${of}  ${text}${left === null ? "" : `  about ${duration(left)} left`}`;
  if (process.stderr.isTTY) process.stderr.write(`\r${line}\u001b[K${done === of ? "\n" : ""}`);
  else if (done % Math.max(1, Math.floor(of / 10)) === 0 || done === of) process.stderr.write(`${line}\n`);
  if (done === of) began = null;
}

function kindList(text: string): PromptKind[] {
  return text.split(",").map((part) => {
    const kind = promptKinds.find((known) => known === part.trim());
    if (!kind) throw new InvalidArgumentError(`${part.trim()} is none of ${promptKinds.join(", ")}`);
    return kind;
  });
}

function blockList(text: string): number[] | "all" {
  if (text === "all") return text;
  return text.split(",").map((part) => {
    if (!/^\d+$/.test(part.trim())) throw new InvalidArgumentError("must be all, or block numbers parted by commas");
    return Number(part);
  });
}
