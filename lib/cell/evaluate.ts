import { escapeHtml } from "../escape-html.js";
import type { Configuration, ConfigurationChoices } from "../evaluate/configuration.js";
import type { LongbenchOptions } from "../evaluate/longbench/task.js";
import type { PerplexityOptions } from "../evaluate/perplexity.js";
import type { RetrievalOptions } from "../evaluate/retrieval.js";
import type { EvaluationRow } from "../evaluate/rows.js";
import type { EvaluationSummary } from "../evaluate/summary.js";
import type { QueryKind } from "../evaluate/asked.js";
import type { EvaluationTask } from "../evaluate/task.js";
import type { Model } from "../runtime/model.js";
import { shownTable } from "../report/views/table.js";
import { shown, type Shown } from "../report/views/view.js";
import type { Showing } from "./bench.js";
import { withProgress } from "./live.js";
import { cellSignal } from "./notebook.js";
import { shippedProse } from "../bench/prose.js";

/** What is compared, and how. */
export interface ComparingOptions extends Showing {
  /** Presets; the baseline is always measured. Default `sdtp`. */
  readonly configs?: readonly string[];
  /** Default: the model's best alone. */
  readonly scorers?: readonly string[];
  /** Default: each preset's own. */
  readonly kvPolicies?: ConfigurationChoices["kvPolicies"];
  /** Results file (JSON lines): rows are added to it, and what is in it is not measured again. Default: none. */
  readonly file?: string;
  /** Measured by the workers of the queue of this URL (`sdtp worker`) instead of this process. */
  readonly queue?: string;
  /** Default `sdtp`. */
  readonly queueName?: string;
  /** With `queue`: try slices again that failed before. */
  readonly retryFailed?: boolean;
  readonly signal?: AbortSignal;
}

/** What pruning costs on one task. */
export interface Evaluation {
  readonly task: string;
  readonly model: string;
  readonly metric: string;
  readonly better: "higher" | "lower";
  /** One a prompt and configuration. */
  readonly rows: readonly EvaluationRow[];
  /** One a configuration, with 95 % intervals. */
  readonly summary: readonly EvaluationSummary[];
}

type WithText<Options extends { readonly text: string }> = Omit<Options, "text"> & { /** Prose that the model was not trained on; default: the shipped prose. */ readonly text?: string };

/**
 * Loss of a text's continuation after a pruned prompt, in nats a token, for each configuration on the same prompts.
 * Shows a table; `.rows` has every prompt.
 * @throws where the text is too short
 * @example
 * const cost = await sdtp.perplexity(model, { configs: ["keep07", "sdtp"], lengths: [1024], samples: 8 });
 * sdtp.chart.quality(cost)
 */
export async function perplexity(model: Model, options: WithText<PerplexityOptions> & ComparingOptions): Promise<Shown<Evaluation>> {
  const { perplexityTask } = await import("../evaluate/perplexity.js");
  return (await allCompared(model, options, [perplexityTask(await model.tokenizer(), { ...options, text: options.text ?? (await shippedProse()) })]))[0]!;
}

/**
 * Pass keys hidden in prose at a grid of depths, asked for at the prompt's end: the share that is answered wholly right, for
 * each configuration on the same prompts.
 * @throws where a prompt is too short for its keys, or the text for the prompt
 * @example
 * await sdtp.retrieval(model, { configs: ["keep07"], scorers: ["learned", "random"], lengths: [1024], depths: [0.1, 0.5, 0.9], samples: 4 })
 */
export async function retrieval(model: Model, options: WithText<RetrievalOptions> & ComparingOptions): Promise<Shown<Evaluation>> {
  const { retrievalTask } = await import("../evaluate/retrieval.js");
  return (await allCompared(model, options, [retrievalTask(await model.tokenizer(), { ...options, text: options.text ?? (await shippedProse()) })]))[0]!;
}

/**
 * Data files in LongBench's layouts, with its prompts, lengths and metrics; an evaluation a data set.
 * @param files JSON lines: input, context, answers, …
 * @example
 * await sdtp.longbench(model, ["qasper.jsonl"], { configs: ["keep07"] })
 */
export async function longbench(model: Model, files: readonly string[], options: LongbenchOptions & ComparingOptions = {}): Promise<Shown<Evaluation>[]> {
  const { longbenchTasks } = await import("../evaluate/longbench/task.js");
  return allCompared(model, options, await longbenchTasks(await model.tokenizer(), model.config, files, options));
}

/** How RULER's tasks are made and put. */
export interface RulerCellOptions extends ComparingOptions {
  /** Default: all thirteen but the two question sets, which `sdtp fetch --dataset` brings. */
  readonly tasks?: readonly string[];
  /** Tokens of prompt and answer together. */
  readonly lengths: readonly number[];
  /** Samples for each length and seed; default 20. */
  readonly samples?: number;
  readonly seeds?: readonly number[];
  /** Whether scorers see the question; default `aware`. */
  readonly query?: QueryKind;
  /** Prose that needles are hidden in; default: the shipped prose. */
  readonly text?: string;
}

/**
 * RULER's tasks at any length, in the model's chat template where it has one; an evaluation a task.
 * @throws on an unknown task, or a length that the model has not or that is too short
 * @example
 * await sdtp.ruler(model, { tasks: ["niah_single_2", "vt"], lengths: [1024], samples: 10, configs: ["keep07"], query: "agnostic" })
 */
export async function ruler(model: Model, options: RulerCellOptions): Promise<Shown<Evaluation>[]> {
  const [{ rulerTasks }, { rulerTaskNames }, { optionalChatTemplate }] = await Promise.all([
    import("../evaluate/ruler/tasks.js"), import("../evaluate/ruler/names.js"), import("../checkpoint/chat-template.js"),
  ]);
  const { tasks = rulerTaskNames.filter((name) => !name.startsWith("qa_")), lengths, samples = 20, seeds = [0], query = "aware", text = await shippedProse() } = options;
  const asking = { tokenizer: await model.tokenizer(), chat: await optionalChatTemplate(model.checkpoint), query };
  return allCompared(model, options, await rulerTasks({ tasks, lengths, samples, seeds, text, asking, config: model.config }));
}

async function allCompared(model: Model, options: ComparingOptions, tasks: readonly EvaluationTask[]): Promise<Shown<Evaluation>[]> {
  const { configs = ["sdtp"], scorers, kvPolicies, queue, signal: given } = options;
  const [{ checkItems }, { configurations }, { defaultScorer }] = await Promise.all([import("../evaluate/task.js"), import("../evaluate/configuration.js"), import("../runtime/scorers.js")]);
  const chosen = configurations({ presets: configs, scorers: scorers ?? [(await defaultScorer(model.checkpoint)).name], ...(kvPolicies && { kvPolicies }) });
  checkItems(model, tasks);
  const signal = cellSignal(given);
  const queued = queue === undefined ? undefined : await onQueue(model, tasks, chosen, { ...options, queue, signal });
  const evaluations: Shown<Evaluation>[] = [];
  for (const [index, task] of tasks.entries()) evaluations.push(await evaluationOf(model, task, queued?.[index] ?? (await here(model, task, chosen, { ...options, signal }))));
  return evaluations;
}

type Signalled = Omit<ComparingOptions, "signal"> & { readonly signal: AbortSignal | undefined };

/** Measured in this process. */
async function here(model: Model, task: EvaluationTask, chosen: readonly Configuration[], { file, show, signal }: Signalled): Promise<EvaluationRow[]> {
  const { evaluate } = await import("../evaluate/run.js");
  return withProgress(show, { done: (found: readonly EvaluationRow[]) => `${task.name}: ${found.length} prompts` }, (output) =>
    evaluate(model, task, chosen, {
      ...(file !== undefined && { file }), ...(signal && { signal }),
      onRow: ({ config, item }, { done: count, of }) => output?.update(count / of, `${task.name}: ${config}, prompt ${item}`),
    }),
  );
}

/** Measured by workers, all tasks at once; what fails, and what is worth knowing of the queue, stands below the bar. */
async function onQueue(model: Model, tasks: readonly EvaluationTask[], chosen: readonly Configuration[], { queue, queueName, retryFailed = false, file, show, signal }: Signalled & { readonly queue: string }): Promise<EvaluationRow[][]> {
  const { queueEvaluate } = await import("../queue/evaluate.js");
  return withProgress(show, { done: (found: readonly (readonly EvaluationRow[])[]) => `${tasks.map(({ name }) => name).join(", ")}: ${found.flat().length} prompts`, stopped: "not followed any more; the jobs stay in the queue" }, (output) => {
    const said: string[] = [];
    const say = (message: string) => {
      said.push(message);
      const text = said.slice(-10).join("\n");
      output?.show({ text, html: `<pre>${escapeHtml(text)}</pre>` });
    };
    return queueEvaluate(model, tasks, chosen, {
      url: queue, queueName, retryFailed, signal, onMessage: say, onFailed: ({ label, error }) => say(`failed: ${label}: ${error}`), onProgress: (share, label) => output?.update(share, label),
      ...(file !== undefined && { file: () => file }),
    });
  });
}

async function evaluationOf(model: Model, task: EvaluationTask, rows: readonly EvaluationRow[]): Promise<Shown<Evaluation>> {
  const [{ summarise }, { evaluationTable }] = await Promise.all([import("../evaluate/summary.js"), import("../report/evaluation.js")]);
  const found: Evaluation = { task: task.name, model: model.name, metric: task.metric, better: task.better, rows, summary: summarise(rows, task.metric) };
  const table = shownTable(evaluationTable(model, task, found.summary));
  return shown(found, { title: table.title, text: table.text, html: () => table.html });
}
