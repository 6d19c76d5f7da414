import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Interval } from "../bench/statistics.js";
import { Random } from "../random.js";
import { labeller } from "./configuration.js";
import { mean } from "./forced.js";
import { readRows, type EvaluationRow } from "./rows.js";
import { groupBy } from "./summary.js";

/** A method on one task at one length, on the prompts that the unpruned model was asked too. */
export interface LeaderboardCell {
  readonly task: string;
  /** Mean score, and the mean of the unpruned model's on the same prompts. */
  readonly score: number;
  readonly unpruned: number;
  /** 95 % interval of the mean difference, bootstrapped over prompts. */
  readonly difference: Interval;
  readonly prompts: number;
  /** Seeds the prompts come from, where they have seeds, and the deviation of the score between them; null with one. */
  readonly seeds: number;
  readonly seedDeviation: number | null;
}

/** A method at one budget. */
export interface LeaderboardRow {
  readonly label: string;
  readonly config: string;
  readonly scorer: string | null;
  readonly kvPolicy: string;
  /** Mean bytes of the cache as a share of the unpruned one's on the same prompts. */
  readonly budget: number;
  readonly kvBytes: number;
  readonly cells: readonly LeaderboardCell[];
  /** Mean over the tasks, each counting alike; null where it was not measured on all of them. */
  readonly average: number | null;
  /** Of the average's difference from the unpruned model: mean and 95 % interval, prompts drawn anew within each task. */
  readonly difference: { readonly mean: number; readonly interval: Interval } | null;
  /** Nats a token of the right answers, and their mean difference from the unpruned model's; null where it is not known of all prompts. */
  readonly loss: { readonly mean: number; readonly difference: number } | null;
  /** Mean seconds of a prompt: prefill with what is appended to it, and all with the answer. */
  readonly prefillSeconds: number;
  readonly totalSeconds: number;
  /** Of the unpruned model on the same prompts / this one's. */
  readonly prefillSpeedup: number;
  readonly totalSpeedup: number;
  readonly answerTokens: number | null;
}

/** Methods of one model on one protocol. */
export interface Leaderboard {
  readonly model: string;
  readonly device: string;
  /** `aware`, `agnostic`; null of tasks that have no such thing. */
  readonly query: string | null;
  /** Whether prompts were put in the chat template; null: some were. */
  readonly chat: boolean | null;
  /** Tasks with their lengths, in order. */
  readonly tasks: readonly string[];
  /** The unpruned model first, then by average (or, without one, by fewer tasks last). */
  readonly rows: readonly LeaderboardRow[];
}

/** What a task is compared by, where it is a score of which more is better. */
const scores = ["score", "exact"] as const;

/**
 * All evaluation results of a folder and those below it, or of one file.
 * @throws where there are none, or a line is not a result
 */
export async function readEvaluations(path: string): Promise<EvaluationRow[]> {
  const info = await stat(path).catch(() => null);
  if (!info) throw new Error(`results: ${path} (does not exist)`);
  const files = info.isDirectory() ? (await readdir(path, { recursive: true })).filter((name) => name.endsWith(".jsonl")).sort().map((name) => join(path, name)) : [path];
  const rows: EvaluationRow[] = [];
  for (const file of files) {
    // Other commands write JSON lines, too: those are passed over where a whole folder is read.
    const found = await readRows(file, { others: info.isDirectory() });
    rows.push(...found);
  }
  if (rows.length === 0) throw new Error(`results: ${path} (no evaluation results in it: sdtp evaluate writes them)`);
  return rows;
}

/**
 * Methods against the unpruned model, a table a model, device and protocol. Every figure is on prompts that both were asked.
 * @throws where nothing can be compared
 */
export function leaderboards(rows: readonly EvaluationRow[]): Leaderboard[] {
  const scored = rows.filter(({ metrics }) => scores.some((name) => metrics[name] !== undefined));
  const boards = groupBy(scored, (row) => JSON.stringify([row.model_hash, row.device ?? "cpu", queryOf(row)]));
  const made = [...boards.values()].flatMap((found) => {
    const board = leaderboard(found);
    return board ? [board] : [];
  });
  if (made.length === 0) throw new Error("leaderboard: no prompt was put to the unpruned model and to a method (sdtp evaluate measures both)");
  return made;
}

const scoreOf = ({ metrics }: EvaluationRow) => metrics[scores.find((name) => metrics[name] !== undefined)!]!;
/** The same question: prompts of other settings (another text, another version) are other prompts. */
const promptOf = ({ task, settings, item }: EvaluationRow) => JSON.stringify([task, settings, item]);
/** What a column is: a task at a length, and where it was asked in both ways, with or without the chat template. */
function columns(rows: readonly EvaluationRow[]): (row: EvaluationRow) => string {
  const ways = new Map<string, Set<unknown>>();
  for (const { task, settings } of rows) ways.set(task, (ways.get(task) ?? new Set()).add(settings["chat"] ?? false));
  return ({ task, group, settings }) => [task, ...(group["length"] === undefined ? [] : [group["length"]]), ...(ways.get(task)!.size > 1 ? [settings["chat"] ? "chat" : "plain"] : [])].join(" ");
}

/** Where settings do not say: tasks that ask something put the question into the prompt, those that do not have no query. */
function queryOf({ settings }: EvaluationRow): string | null {
  if (typeof settings["query"] === "string") return settings["query"];
  if (settings["ask"] === "after") return "agnostic";
  return settings["ask"] !== undefined || settings["chat"] !== undefined ? "aware" : null;
}

function leaderboard(rows: readonly EvaluationRow[]): Leaderboard | null {
  const unpruned = new Map(rows.filter(({ config }) => config === "baseline").map((row) => [promptOf(row), row]));
  const asked = rows.filter((row) => unpruned.has(promptOf(row)));
  const methods = groupBy(asked, labeller(asked));
  if (methods.size < 2) return null;
  const taskOf = columns(asked);
  const tasks = [...new Set(asked.map(taskOf))];
  const made = [...methods].map(([label, found]) => rowOf(label, found, tasks, taskOf, unpruned));
  const { model, device = "cpu" } = asked[0]!;
  const chats = new Set(asked.map(({ settings }) => settings["chat"] === true));
  return {
    model: model.split(/[\\/]/).at(-1)!, device,
    query: queryOf(asked[0]!), chat: chats.size === 1 ? chats.has(true) : null,
    tasks,
    rows: made.sort((a, b) => Number(b.config === "baseline") - Number(a.config === "baseline") || (b.average ?? b.cells.length - 1e6) - (a.average ?? a.cells.length - 1e6)),
  };
}

function rowOf(label: string, found: readonly EvaluationRow[], tasks: readonly string[], taskOf: (row: EvaluationRow) => string, unpruned: ReadonlyMap<string, EvaluationRow>): LeaderboardRow {
  const baseline = (row: EvaluationRow) => unpruned.get(promptOf(row))!;
  const byTask = groupBy(found, taskOf);
  const differences = [...byTask.values()].map((rows) => rows.map((row) => scoreOf(row) - scoreOf(baseline(row))));
  const cells = tasks.flatMap((task): LeaderboardCell[] => {
    const rows = byTask.get(task);
    if (!rows) return [];
    const seeds = [...groupBy(rows.filter(({ group }) => group["seed"] !== undefined), ({ group }) => String(group["seed"])).values()].map((of) => mean(of.map(scoreOf)));
    return [{
      task, score: mean(rows.map(scoreOf)), unpruned: mean(rows.map((row) => scoreOf(baseline(row)))), prompts: rows.length,
      difference: drawnAnew([rows.map((row) => scoreOf(row) - scoreOf(baseline(row)))]), seeds: seeds.length, seedDeviation: seeds.length > 1 ? deviation(seeds) : null,
    }];
  });
  const whole = cells.length === tasks.length;
  const average = (value: (row: EvaluationRow) => number) => mean(found.map(value));
  const prefill = (row: EvaluationRow) => row.prefill_latency_seconds + (row.append_latency_seconds ?? 0);
  const total = (row: EvaluationRow) => prefill(row) + row.decode_latency_seconds;
  const losses = found.every((row) => row.metrics["loss"] !== undefined && baseline(row).metrics["loss"] !== undefined);
  const lengths = found.flatMap(({ metrics }) => (metrics["answer_tokens"] === undefined ? [] : [metrics["answer_tokens"]]));
  const { config, scorer, kv_policy: kvPolicy } = found[0]!;
  return {
    label, config, scorer, kvPolicy, cells,
    kvBytes: average((row) => row.kv_bytes), budget: average((row) => row.kv_bytes) / average((row) => baseline(row).kv_bytes),
    average: whole ? mean(cells.map(({ score }) => score)) : null,
    difference: whole && config !== "baseline" ? { mean: mean(differences.map(mean)), interval: drawnAnew(differences) } : null,
    loss: losses ? { mean: average(({ metrics }) => metrics["loss"]!), difference: average((row) => row.metrics["loss"]! - baseline(row).metrics["loss"]!) } : null,
    prefillSeconds: average(prefill), totalSeconds: average(total),
    prefillSpeedup: average((row) => prefill(baseline(row))) / average(prefill), totalSpeedup: average((row) => total(baseline(row))) / average(total),
    answerTokens: lengths.length > 0 ? mean(lengths) : null,
  };
}

/** 95 % interval of the mean over groups of their means, samples drawn with replacement within each group. */
function drawnAnew(groups: readonly (readonly number[])[]): Interval {
  const random = new Random(1);
  const values = Array.from({ length: 2000 }, () => mean(groups.map((group) => mean(group.map(() => group[random.int(group.length)]!))))).sort((a, b) => a - b);
  return { low: values[49]!, high: values[1950]! };
}

function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}
