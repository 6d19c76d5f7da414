import type { Objective, SaliencyTarget } from "../decoder/saliency.js";
import type { Agreement } from "../evaluate/agreement.js";
import type { SaliencyMap, Sparsity } from "../train/saliency-map.js";
import type { BlockAgreement } from "../train/pruner-held-out.js";
import type { TrainPrunerOptions } from "../train/pruner.js";
import type { PromptKind } from "../train/prompts/line.js";
import type { LossKind } from "../train/example-feeds.js";
import type { SaliencyFile } from "../train/saliency-file.js";
import type { Model } from "../runtime/model.js";
import type { Table } from "../report/table.js";
import { shownTable, type ShownTable } from "../report/views/table.js";
import type { Shown } from "../report/views/view.js";
import type { Showing } from "./bench.js";
import { withProgress } from "./live.js";
import { cellSignal } from "./notebook.js";
import { shippedProse } from "../bench/prose.js";

export interface MeasureSaliencyOptions extends Showing {
  /** The safetensors file to write; a run that was stopped goes on, a whole one is read. */
  readonly out: string;
  /** Files of prompts and responses: JSON lines with `prompt` and `response`, or plain text. Default: prompts are made. */
  readonly data?: readonly string[];
  /** How many prompts to make; default 16. Half of them hide facts and ask for them, half are prose and its continuation. */
  readonly prompts?: number;
  /** Kinds of made prompts in turn instead (see `lib/train/README.md`): `["needles", "questions", "code"]`. */
  readonly kinds?: readonly PromptKind[];
  /** Put prompts as a user's message; default: where the model has a chat template. */
  readonly chat?: boolean;
  /** Keep hidden states beside the file (FILE.states): modules without the cross-entropy are then trained without running the model. */
  readonly states?: boolean;
  /** Documents that prose of made prompts is taken from; default: the shipped prose. */
  readonly documents?: readonly string[];
  /** Tokens of prompt and response at most; default 256. */
  readonly length?: number;
  /** Blocks to measure after; default: where a stage of any preset stands. */
  readonly blocks?: readonly number[];
  /** `gradnorm` (default): |g|, `abs`: |x·g|, `signed`: x·g, the paper's formula; `attention`: what the response pays to a token in later blocks; `reconstruction`: what the prompt said again does. */
  readonly target?: SaliencyTarget;
  /** Whose next-token loss: that of the `response` (default), or of `all` tokens. */
  readonly loss?: LossKind;
  /** `log-odds` (default), or the paper's `cross-entropy`. */
  readonly objective?: Objective;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/**
 * Stage 1 of SDTP: how much each prompt token matters for the response, by the gradient at the output of blocks.
 * @returns the file, opened: `saliencyMap` draws an example, `saliencySparsity` says how few tokens carry it
 * @example
 * const saliency = await sdtp.measureSaliency(model, { out: "saliency.safetensors", prompts: 16, length: 256 });
 * await sdtp.saliencyMap(saliency, 0, model)
 */
export async function measureSaliency(model: Model, options: MeasureSaliencyOptions): Promise<SaliencyFile> {
  const { out, data, prompts = 16, kinds, documents, length = 256, seed = 0, target, loss, objective, states, show } = options;
  const [{ measureSaliency: measure }, { optionalChatTemplate }, { readExamples, toExample }, { makePrompts }, { stageBlocks }] = await Promise.all([
    import("../train/saliency-run.js"), import("../checkpoint/chat-template.js"), import("../train/examples.js"), import("../train/prompts/make.js"), import("../train/stages.js"),
  ]);
  const tokenizer = await model.tokenizer();
  const made = async () => makePrompts({ tokenizer, documents: documents ?? [await shippedProse()], count: prompts, length, episodes: 0.5, ...(kinds && { kinds }), seed });
  const chat = options.chat === false ? null : options.chat ? await model.checkpoint.chatTemplate() : await optionalChatTemplate(model.checkpoint);
  const examples = data ? await readExamples([...data], tokenizer, { length, chat }) : [...(await made())].map((line) => toExample(line, tokenizer, length, { chat }));
  const signal = cellSignal(options.signal);
  return withProgress(show, { done: (file) => `saliency of ${file.length} examples`, stopped: "stopped; what was measured is kept" }, (output) =>
    measure({
      checkpoint: model.checkpoint, examples, out, threads: model.threads, blocks: options.blocks ?? stageBlocks(["all"], model.config.layers),
      ...(target && { target }), ...(loss && { loss }), ...(objective && { objective }), ...(states && { states }), ...(signal && { signal }),
      onExample: ({ done: count, of }) => output?.update(count / of, `example ${count} of ${of}`),
    }),
  );
}

/**
 * One example's saliency as a picture, a row a block and a column a token (figure 1 of the paper), normalised within each
 * block. The response stands at the right, after the line.
 * @param model whose tokenizer gives the tokens' texts; without it their ids are shown
 * @example
 * await sdtp.saliencyMap(saliency, 0, model)
 */
export async function saliencyMap(file: SaliencyFile, index = 0, model?: Model): Promise<Shown<SaliencyMap>> {
  const [{ saliencyMap: mapOf }, { saliencyView }] = await Promise.all([import("../train/saliency-map.js"), import("../report/views/saliency.js")]);
  return saliencyView(await mapOf(file, index, model ? await model.tokenizer() : null), index);
}

/**
 * How few tokens carry the saliency after each block (figure 2 of the paper): the share of prompt tokens below `threshold`
 * times the largest, the mean over the examples.
 * @example
 * await sdtp.saliencySparsity(saliency)
 */
export async function saliencySparsity(file: SaliencyFile, threshold = 0.01): Promise<ShownTable<Sparsity>> {
  const { saliencySparsity: sparsityOf } = await import("../train/saliency-map.js");
  return shownTable({
    ...plainTable(`Prompt tokens below ${threshold} of the largest saliency`, await sparsityOf(file, threshold)),
    columns: [
      { key: "block", label: "After Block", value: (row) => row.block },
      { key: "share", label: "Share (%)", value: (row) => row.share, format: percent },
    ],
  });
}

export interface TrainModulesOptions extends Showing, Omit<TrainPrunerOptions, "checkpoint" | "onStep" | "threads"> {}

/**
 * Stage 2 of SDTP: trains pruning modules for a frozen model from measured saliency. A run that was stopped goes on from
 * its folder; the same data and recipe give the same modules.
 * @returns agreement with the true saliency on examples held out, a row a block
 * @example
 * await sdtp.trainPruner(model, { saliency, folder: "results/training/mine", out: "mine.safetensors", recipe: { epochs: 2 } });
 * const run = await model.prefill(ids, { preset: "keep07", scorer: "learned:mine.safetensors" });
 */
export async function trainPruner(model: Model, { show, ...options }: TrainModulesOptions): Promise<ShownTable<BlockAgreement>> {
  const { trainPruner: train } = await import("../train/pruner.js");
  const signal = cellSignal(options.signal);
  const rows = await withProgress(show, { done: () => `trained: ${options.out}`, stopped: "stopped; the run's state is kept" }, (output) =>
    train({
      ...options, checkpoint: model.checkpoint, threads: model.threads, ...(signal && { signal }),
      onStep: ({ step, steps, loss }) => output?.update(step / steps, `step ${step} of ${steps}, loss ${loss.toFixed(3)}`),
    }),
  );
  return shownTable({
    ...plainTable("Agreement with measured saliency, examples held out", rows),
    columns: [
      { key: "block", label: "After Block", value: (row) => row.block },
      { key: "spearman", label: "Rank Correlation", value: (row) => row.spearman, format: (value) => value.toFixed(3) },
      { key: "top_tenth", label: "Overlap of the Highest Tenths (%)", value: (row) => row.topTenth, format: percent },
    ],
  });
}

/**
 * How well scorers agree with measured saliency, by block: rank correlation and the overlap of the highest tenths, with
 * 95 % intervals.
 * @throws where the saliency is another model's
 * @example
 * await sdtp.agreement(model, { saliency, scorers: ["learned", "attention", "random"] })
 */
export async function agreement(model: Model, { saliency, scorers, show, signal: given }: { saliency: SaliencyFile; scorers: readonly string[]; signal?: AbortSignal } & Showing): Promise<ShownTable<Agreement>> {
  const { scorerAgreement } = await import("../evaluate/agreement.js");
  const signal = cellSignal(given);
  const rows = await withProgress(show, { done: () => `agreement on ${saliency.length} examples` }, (output) =>
    scorerAgreement(model, { saliency, scorers, ...(signal && { signal }), onExample: (count, of) => output?.update(count / of, `example ${count} of ${of}`) }),
  );
  const number = (value: number) => value.toFixed(3);
  return shownTable({
    ...plainTable("Agreement of scorers with measured saliency", rows),
    columns: [
      { key: "scorer", label: "Scorer", value: (row) => row.scorer },
      { key: "block", label: "After Block", value: (row) => row.block },
      { key: "spearman", label: "Rank Correlation", value: (row) => row.spearman, format: number },
      { key: "spearman_interval", label: "95 % Interval", value: (row) => `${number(row.spearmanInterval.low)} to ${number(row.spearmanInterval.high)}` },
      { key: "top_tenth", label: "Overlap of the Highest Tenths (%)", value: (row) => row.topTenth, format: percent },
    ],
  });
}

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;

function plainTable<Row>(title: string, rows: readonly Row[]): Pick<Table<Row>, "title" | "rows" | "above" | "warnings" | "facts"> {
  return { title, rows, above: [`${title}.`], warnings: [], facts: () => ({}) };
}
