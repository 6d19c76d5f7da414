import { parseJsonObject } from "../checkpoint/json.js";
import type { ModelConfig } from "../checkpoint/types.js";
import { readText } from "../files.js";
import { fileNames } from "./file-names.js";
import { askedItem, turnsOf, type Asking, type Turn } from "./asked.js";
import { gradingName } from "./metrics.js";
import { textMark } from "./perplexity.js";
import { groupBy } from "./summary.js";
import type { EvaluationTask } from "./task.js";

export interface PromptFileOptions {
  readonly asking: Omit<Asking, "stopTokens">;
  readonly config: Pick<ModelConfig, "eosTokenIds" | "maxPositions">;
  /** Tokens of a prompt with its answer at most, cut in the middle of the context; default: the model's positions. */
  readonly maxLength?: number;
  /** The prompt, `{name}` standing for a line's fields; what goes before `{question}` (or `{input}`, where there is no question) is the context. */
  readonly template?: string;
  /** A grading by name; default: the file's own way, else `string_match_all`. */
  readonly metric?: string;
  /** Tokens to generate; default: the line's, else 128. */
  readonly maxNewTokens?: number;
}

/** A line as it is put and graded. */
interface Line {
  readonly task: string;
  readonly context: string;
  readonly turns: readonly Turn[];
  readonly all: boolean;
}

/** What divides RULER's prompts into context and question (as kvpress divides them). */
const questionStarts = [
  /What (?:is|are all) the special magic/g, /Question: Find all variables that are assigned the value/g, /Question: What are the 10 most common words in the above list\?/g,
  /Question: Do not provide any explanation\./g, /Answer the question based on the given documents\./g,
];

/**
 * Prompts as other programs write them, JSON lines, one task a name: RULER's (`input`, `outputs`, `answer_prefix`), kvpress's (`context`, `question`,
 * `answer_prefix`, `answer`, `task`, `max_new_tokens`), lm-eval's samples (`doc`, `target`, `arguments`), SCBench's (`context`, `multi_turns`), multiple
 * choice as in LongBench v2 (`choice_A` … `answer`), or with `template` any fields and `answers` (or `answer`, `outputs`, `target`).
 * @throws an error that names file, line and field
 */
export async function promptFileTasks(files: readonly string[], options: PromptFileOptions): Promise<EvaluationTask[]> {
  if (options.metric !== undefined) gradingName(options.metric);
  const { maxLength, config } = options;
  if (maxLength !== undefined && maxLength > config.maxPositions) throw new Error(`prompt length: ${maxLength} (the model has ${config.maxPositions} positions)`);
  const lines: (Line & { id: string; file: string })[] = [];
  const names = fileNames(files);
  for (const [i, file] of files.entries()) {
    const name = names[i]!;
    const before = lines.length;
    for (const [index, text] of (await readText("data file", file)).split("\n").entries()) {
      if (text.trim() === "") continue;
      const where = `${file}, line ${index + 1}`;
      lines.push({ id: `${name}/${index}`, file: name, ...readLine(parseJsonObject(text, where), where, name, options) });
    }
    if (lines.length === before) throw new Error(`data file: ${file} (no lines in it)`);
  }
  return [...groupBy(lines, ({ task }) => task)].map(([task, found]) => ({
    name: task,
    settings: { query: options.asking.query, chat: options.asking.chat !== null, ...(found[0]!.turns.length > 1 && { turns: turnsOf(options.asking) }), ...(options.metric !== undefined && { metric: options.metric }), ...(maxLength !== undefined && { maxLength }), data: textMark(JSON.stringify(found, withoutGrading)) },
    metric: "score", better: "higher" as const,
    items: found.map(({ id, file, context, turns, all }) => askedItem({ id, group: { file }, context, turns }, { ...options.asking, stopTokens: options.config.eosTokenIds, maxLength: options.maxLength ?? options.config.maxPositions }, all)),
  }));
}

/** How lines are graded is in the task's name and the metric that was asked for, not in the mark of its data. */
const withoutGrading = (key: string, value: unknown): unknown => (key === "grading" ? undefined : value);

function readLine(fields: Record<string, unknown>, where: string, name: string, options: PromptFileOptions): Line {
  const text = (field: string, fallback?: string) => {
    const value = fields[field] ?? fallback;
    if (typeof value !== "string") throw new Error(`${where}: ${field}: ${JSON.stringify(fields[field])?.slice(0, 60) ?? "missing"} (must be a string)`);
    return value;
  };
  const turn = (question: string, answers: readonly string[], metric: string, more: Partial<Turn> = {}): Turn => ({
    question, answers, grading: gradingName(options.metric ?? metric), maxNewTokens: options.maxNewTokens ?? count(fields["max_new_tokens"], "max_new_tokens", where) ?? 128, ...more,
  });
  const task = typeof fields["task"] === "string" ? fields["task"] : typeof fields["dataset"] === "string" ? fields["dataset"] : name;
  const metric = /^qa/.test(task) ? "string_match_part" : "string_match_all";
  const done = (context: string, turns: readonly Turn[]): Line => ({ task, context, turns, all: (options.metric ?? metric) === "string_match_all" });
  if (options.template !== undefined) {
    const [before, after] = templated(options.template, fields, where);
    return done(before, [turn(after, answersOf(fields, ["answers", "answer", "outputs", "target"], where), metric, { answerPrefix: text("answer_prefix", "") })]);
  }
  if (Array.isArray(fields["multi_turns"])) return scbench(fields, where, done, turn, text);
  if (fields["choice_A"] !== undefined) return done(...choice(where, turn, text));
  if (fields["arguments"] !== undefined && fields["doc"] !== undefined) return lmEval(fields, where, done, turn);
  if (fields["context"] !== undefined && fields["question"] !== undefined) {
    return done(text("context"), [turn(text("question"), answersOf(fields, ["answer", "answers", "outputs"], where), metric, { answerPrefix: text("answer_prefix", "") })]);
  }
  if (fields["outputs"] !== undefined) {
    const [context, question] = ruler(text("input"), where, options.asking.query === "agnostic");
    return done(context, [turn(question, answersOf(fields, ["outputs"], where), metric, { answerPrefix: text("answer_prefix", "") })]);
  }
  if (fields["prompt"] !== undefined) {
    if (options.asking.query === "agnostic") throw new Error(`${where}: prompt: holds context and question together (put them in context and question, or measure with --query aware)`);
    return done("", [turn(text("prompt"), answersOf(fields, ["answers", "answer", "response", "target"], where), metric, { answerPrefix: text("answer_prefix", "") })]);
  }
  throw new Error(`${where}: fields ${Object.keys(fields).join(", ")} (must be those of RULER: input, outputs; kvpress: context, question, answer; lm-eval: doc, arguments, target; SCBench: context, multi_turns; LongBench v2: context, question, choice_A …; or prompt and answer; or give --template; LongBench's own are read by: sdtp evaluate longbench)`);
}

function answersOf(fields: Record<string, unknown>, names: readonly string[], where: string): string[] {
  const name = names.find((each) => fields[each] !== undefined && fields[each] !== null);
  const value = name === undefined ? undefined : fields[name];
  const list = Array.isArray(value) ? value : [value];
  const answers = list.map((each) => (typeof each === "number" ? String(each) : each));
  if (answers.length === 0 || !answers.every((each): each is string => typeof each === "string" && each !== "")) {
    throw new Error(`${where}: ${name ?? names[0]}: ${JSON.stringify(value)?.slice(0, 60) ?? "missing"} (must be a string that is not empty, or an array of them, at least one)`);
  }
  return answers;
}

function count(value: unknown, name: string, where: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) throw new Error(`${where}: ${name}: ${JSON.stringify(value)} (must be a positive integer)`);
  return value;
}

/** RULER's prompt at its question; without one of its wordings, only the whole can be put. */
function ruler(input: string, where: string, needed: boolean): [string, string] {
  for (const pattern of questionStarts) {
    const at = [...input.matchAll(pattern)].at(-1)?.index;
    if (at !== undefined) return [input.slice(0, at), input.slice(at)];
  }
  if (needed) throw new Error(`${where}: input: none of RULER's questions in it (put context and question into fields of their own, or measure with --query aware)`);
  return ["", input];
}

function templated(template: string, fields: Record<string, unknown>, where: string): [string, string] {
  const filled = (part: string) => part.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = fields[name];
    if (typeof value !== "string" && typeof value !== "number") throw new Error(`${where}: ${name}: ${JSON.stringify(value)?.slice(0, 60) ?? "missing"} (the template puts it in: must be text)`);
    return String(value);
  });
  const at = ["{question}", "{input}"].map((name) => template.lastIndexOf(name)).find((index) => index >= 0) ?? 0;
  return [filled(template.slice(0, at)), filled(template.slice(at))];
}

/** lm-eval's --log_samples: the prompt as it was put, its target, and how generation ends. */
function lmEval(fields: Record<string, unknown>, where: string, done: (context: string, turns: readonly Turn[]) => Line, turn: (question: string, answers: readonly string[], metric: string, more?: Partial<Turn>) => Turn): Line {
  const given = fields["arguments"] as Record<string, { arg_0?: unknown; arg_1?: unknown }> | unknown[];
  const first = Array.isArray(given) ? given[0] : given["gen_args_0"];
  const [prompt, settings] = Array.isArray(first) ? first : [(first as { arg_0?: unknown })?.arg_0, (first as { arg_1?: unknown })?.arg_1];
  if (typeof prompt !== "string") throw new Error(`${where}: arguments: ${JSON.stringify(given)?.slice(0, 60)} (must hold the prompt first)`);
  if (typeof settings !== "object" || settings === null) throw new Error(`${where}: arguments: ${JSON.stringify(settings)?.slice(0, 60)} (must be those of generate_until; log-likelihoods of given texts are not measured here)`);
  const { until, max_gen_toks: most } = settings as { until?: unknown; max_gen_toks?: unknown };
  const doc = fields["doc"] as Record<string, unknown>;
  // Where a task's target is a list, its text in the log is Python's.
  const answers = answersOf({ target: Array.isArray(doc["outputs"]) ? doc["outputs"] : (fields["target"] ?? doc["answer"]) }, ["target"], where);
  const stops = (Array.isArray(until) ? until : until === undefined ? [] : [until]).filter((stop): stop is string => typeof stop === "string" && stop !== "");
  const tokens = count(most, "max_gen_toks", where);
  return done("", [turn(prompt, answers, "string_match_all", { until: stops, ...(tokens !== undefined && { maxNewTokens: tokens }) })]);
}

/** SCBench: questions about one context, each with its answer. */
function scbench(fields: Record<string, unknown>, where: string, done: (context: string, turns: readonly Turn[]) => Line, turn: (question: string, answers: readonly string[], metric: string, more?: Partial<Turn>) => Turn, text: (field: string, fallback?: string) => string): Line {
  const turns = (fields["multi_turns"] as unknown[]).map((each, i) => {
    const { input, answer, options } = (each ?? {}) as Record<string, unknown>;
    if (typeof input !== "string") throw new Error(`${where}: multi_turns[${i}].input: ${JSON.stringify(input)?.slice(0, 60) ?? "missing"} (must be a string)`);
    const choices = Array.isArray(options) && options.every((option) => typeof option === "string") ? (options as string[]) : null;
    const letters = choices?.map((_, k) => "ABCDEFGHIJ"[k]!);
    const shown = choices ? `Question: ${input}\n${choices.map((option, k) => `${letters![k]}. ${option}`).join("\n")}\n\nThe correct answer is` : input;
    const right = answersOf({ answer }, ["answer"], `${where}: multi_turns[${i}]`);
    const named = letters ? right.map((value) => letters[choices!.indexOf(value)] ?? value) : right;
    return turn(shown, named, "string_match_part", letters ? { choices: letters } : {});
  });
  if (turns.length === 0) throw new Error(`${where}: multi_turns: [] (must hold at least one question)`);
  return done(`${text("context", typeof fields["input"] === "string" ? fields["input"] : undefined)}\n\n`, turns);
}

/** LongBench v2 (arXiv:2412.15204), its zero-shot prompt; A to D by log-likelihood. */
function choice(where: string, turn: (question: string, answers: readonly string[], metric: string, more?: Partial<Turn>) => Turn, text: (field: string) => string): [string, readonly Turn[]] {
  const letters = ["A", "B", "C", "D"];
  const answer = text("answer");
  if (!letters.includes(answer)) throw new Error(`${where}: answer: ${JSON.stringify(answer)} (must be A, B, C or D)`);
  const question = `What is the correct answer to this question: ${text("question").trim()}\nChoices:\n${letters.map((letter) => `(${letter}) ${text(`choice_${letter}`).trim()}`).join("\n")}\n\nFormat your response as follows: "The correct answer is (insert answer here)".`;
  return [`Please read the following text and answer the question below.\n\n<text>\n${text("context").trim()}\n</text>\n\n`, [turn(question, [answer], "exact", { choices: letters, answerPrefix: "The correct answer is (" })]];
}
