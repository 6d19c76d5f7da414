import type { ChatTemplate } from "../checkpoint/chat-template.js";
import type { Tokenizer } from "../checkpoint/tokenizer.js";
import { decode } from "../runtime/generate.js";
import type { Run } from "../runtime/run.js";
import { cutMiddle } from "../train/examples.js";
import { forcedLosses, mean } from "./forced.js";
import { chatMark, type AskedData } from "./item-data.js";
import { gradings, type GradingName } from "./metrics.js";
import type { EvaluationItem, Outcome } from "./task.js";

/** What scorers know: the question too (`aware`), or the context alone, the question being appended to the pruned cache (`agnostic`). */
export const queryKinds = ["aware", "agnostic"] as const;
export type QueryKind = (typeof queryKinds)[number];

/** How several questions follow each other. */
export const turnKinds = ["conversation", "requests"] as const;
export type TurnKind = (typeof turnKinds)[number];

/** @throws where questions cannot start anew, as the first one ends the prompt */
export function turnsOf({ turns, query }: Pick<Asking, "turns" | "query">): TurnKind {
  if (turns === "requests" && query === "aware") throw new Error("turns: requests (several questions start anew from a context that is pruned alone: measure with --query agnostic, or --turns conversation)");
  return turns ?? (query === "aware" ? "conversation" : "requests");
}

/** What is asked about a context, and what is right. */
export interface Turn {
  /** Follows the context at once: white space between them is part of one or the other. */
  readonly question: string;
  /** How the answer begins: given to the model, not graded. */
  readonly answerPrefix?: string | undefined;
  readonly answers: readonly string[];
  /** Of a choice, what may be said: the likeliest counts, and nothing is generated. */
  readonly choices?: readonly string[] | undefined;
  readonly grading: GradingName;
  readonly classes?: readonly string[] | undefined;
  readonly maxNewTokens: number;
  /** Texts that end the answer, beside the model's end of sequence. */
  readonly until?: readonly string[] | undefined;
}

/** A context with one question or several. */
export interface Asked {
  readonly id: string;
  readonly group: Readonly<Record<string, string | number>>;
  readonly context: string;
  readonly turns: readonly Turn[];
}

export interface Asking {
  readonly tokenizer: Tokenizer;
  readonly stopTokens: readonly number[];
  /** Puts context and question as a user's message; null: as they are. */
  readonly chat: ChatTemplate | null;
  readonly query: QueryKind;
  /**
   * Of several questions, each goes on after the one before and its right answer (`conversation`), or all start anew from the context alone (`requests`, where
   * the query is agnostic). Default: `requests` where it is, else `conversation`.
   */
  readonly turns?: TurnKind | undefined;
  /** Tokens of context, questions and answers at most: longer contexts lose their middle. Default: no bound. */
  readonly maxLength?: number | undefined;
}

/** Stands where texts are parted: in no text of a tokenizer's. */
const MARK = "\uE0F7";

/** What goes before the question, and what follows it up to where the answer begins. */
export function parted(context: string, { question, answerPrefix = "" }: Pick<Turn, "question" | "answerPrefix">, chat: ChatTemplate | null): { before: string; after: string } {
  if (!chat) return { before: context, after: question + answerPrefix };
  const [before, after] = chat.render([{ role: "user", content: `${context}${MARK}${question}` }]).split(MARK) as [string, string];
  return { before, after: after + answerPrefix };
}

/** What follows a right answer up to where the next one begins. */
function nextTurn({ question, answerPrefix = "" }: Turn, chat: ChatTemplate | null): string {
  if (!chat) return `\n\n${question.trimStart()}${answerPrefix}`;
  const said = chat.render([{ role: "user", content: "?" }, { role: "assistant", content: MARK }, { role: "user", content: question.trim() }]);
  return said.slice(said.indexOf(MARK) + MARK.length) + answerPrefix;
}

/** A text as it would be said after the prefix. */
const said = (text: string, { answerPrefix = "" }: Turn, chat: ChatTemplate | null): string => ((answerPrefix === "" && chat) || /[\s("]$/.test(answerPrefix) ? text : ` ${text}`);

/**
 * A prompt with its question as an item. Metrics: `score`; `loss`, nats a token of the right answer; `answer_tokens`, how long the answer is, and `ended`, 1
 * where the model ended it itself. Both protocols give the model the same tokens: what is before the question is cut into tokens apart from what follows it.
 * @param every the right answer is all of `answers`, not any
 */
export function askedItem({ id, group, context, turns }: Asked, asking: Asking, every: boolean): EvaluationItem {
  const { tokenizer, chat, query } = asking;
  const encode = (text: string, special: boolean) => (text === "" ? [] : tokenizer.encode(text, { addSpecialTokens: special }));
  if (query === "agnostic" && context === "") throw new Error(`${id}: has no context apart from its question (put it into a field of its own, or measure with --query aware)`);
  const parts = turns.map((turn) => parted(context, turn, chat));
  const rightOf = (turn: Turn) => encode(said(every && !turn.choices ? turn.answers.join(", ") : turn.answers[0]!, turn, chat), false);
  const questions = parts.map(({ before, after }) => encode(after, chat === null && before === ""));
  const whole = encode(parts[0]!.before, chat === null);
  const room = (asking.maxLength ?? Infinity) - questions.reduce((sum, { length }, i) => sum + length + turns[i]!.maxNewTokens, 0);
  if (room < Math.min(whole.length, 2)) throw new Error(`${id}: its question and answer take more than ${asking.maxLength} tokens (the model's positions, or --max-length)`);
  const before = whole.length > room ? cutMiddle(whole, room) : whole;
  const promptIds = query === "aware" ? [...before, ...questions[0]!] : before;
  const rights = turns.map(rightOf);
  const next = (turn: Turn) => encode(nextTurn(turn, chat), false);
  const answer = (i: number) => Math.max(turns[i]!.maxNewTokens, rights[i]!.length);
  const appended = (i: number) => (query === "aware" && i === 0 ? 0 : questions[i]!.length);
  const together = turns.length > 1 && turnsOf(asking) === "conversation";
  const lengths = turns.map((_, i) => appended(i) + answer(i));
  const reserve = together ? lengths.reduce((sum, length, i) => sum + length + (i > 0 ? next(turns[i]!).length - questions[i]!.length : 0), 0) : Math.max(...lengths);
  const { turns: turnKind, maxLength } = asking;
  const data: AskedData = {
    kind: "asked", id, group, context, turns: turns.map(turnData), every, chat: chatMark(chat), query, stopTokens: [...asking.stopTokens],
    ...(turnKind !== undefined && { turnKind }), ...(maxLength !== undefined && { maxLength }),
  };
  return {
    id, group, promptIds, reserve, data,
    async grade(run) {
      const outcomes: Outcome[] = [];
      for (const [i, turn] of turns.entries()) {
        const known = query === "aware" && i === 0;
        const from = together || turns.length === 1 ? run : run.fork();
        const started = performance.now();
        if (!known) await from.extend(together && i > 0 ? next(turn) : questions[i]!);
        const appendSeconds = known ? 0 : (performance.now() - started) / 1e3;
        const right = rights[i]!;
        const answering = together ? run.fork() : from;
        outcomes.push({ ...(await graded(answering, turn, right, asking)), appendSeconds });
        if (together && i + 1 < turns.length) await run.extend(right);
        if (answering !== run) answering.dispose();
      }
      return summed(outcomes);
    },
  };
}

/** What is of a turn, and nothing else that the object has. */
function turnData({ question, answerPrefix, answers, choices, grading, classes, maxNewTokens, until }: Turn): AskedData["turns"][number] {
  return {
    question, answers: [...answers], grading, maxNewTokens,
    ...(answerPrefix !== undefined && { answerPrefix }), ...(choices && { choices: [...choices] }), ...(classes && { classes: [...classes] }), ...(until && { until: [...until] }),
  };
}

/** An item of its data. */
export function askedFrom({ id, group, context, turns, every, query, turnKind, maxLength, stopTokens }: AskedData, tokenizer: Tokenizer, chat: ChatTemplate | null): EvaluationItem {
  return askedItem({ id, group, context, turns }, { tokenizer, chat, query, turns: turnKind, maxLength, stopTokens }, every);
}

/** One answer: its score, and the right one's loss. The run is used up. */
export async function graded(run: Run, turn: Turn, right: readonly number[], { tokenizer, stopTokens, chat }: Pick<Asking, "tokenizer" | "stopTokens" | "chat">): Promise<Outcome> {
  const lossOf = async (ids: readonly number[]) => {
    const forced = run.fork();
    const losses = await forcedLosses(forced, ids);
    forced.dispose();
    return losses;
  };
  const loss = mean(await lossOf(right));
  if (turn.choices) return chosen(turn, turn.choices, loss, async (text) => (await lossOf(tokenizer.encode(said(text, turn, chat), { addSpecialTokens: false }))).reduce((a, b) => a + b, 0));
  const started = performance.now();
  const ids: number[] = [];
  for await (const { id } of decode(run, { maxNewTokens: turn.maxNewTokens, stopTokens })) {
    ids.push(id);
    if (turn.until?.length && turn.until.some((stop) => tokenizer.decode(ids, { skipSpecialTokens: true }).includes(stop))) break;
  }
  const decodeSeconds = (performance.now() - started) / 1e3;
  const text = tokenizer.decode(ids, { skipSpecialTokens: true });
  const stop = turn.until?.reduce((first, end) => (text.includes(end) ? Math.min(first, text.indexOf(end)) : first), text.length) ?? text.length;
  const output = text.slice(0, stop);
  const ended = Number(stop < text.length || stopTokens.includes(ids.at(-1)!));
  return {
    metrics: { score: gradings[turn.grading](output, turn.answers, turn.classes ?? []), loss, answer_tokens: ids.length, ended },
    decodeSeconds, decodedTokens: ids.length, output,
  };
}

/** The likeliest of some texts (log-likelihood of the whole text). */
async function chosen({ answers }: Turn, choices: readonly string[], loss: number, nats: (text: string) => Promise<number>): Promise<Outcome> {
  const losses: number[] = [];
  for (const choice of choices) losses.push(await nats(choice));
  const output = choices[losses.indexOf(Math.min(...losses))]!;
  return { metrics: { score: Number(answers.includes(output)), loss, answer_tokens: 0, ended: 1 }, decodeSeconds: 0, decodedTokens: 0, output };
}

/** Means over the turns; each turn is a cell. */
function summed(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.length === 1) return outcomes[0]!;
  const total = (value: (outcome: Outcome) => number) => outcomes.reduce((sum, outcome) => sum + value(outcome), 0);
  return {
    metrics: Object.fromEntries(Object.keys(outcomes[0]!.metrics).map((name) => [name, total(({ metrics }) => metrics[name]!) / outcomes.length])),
    cells: outcomes.map(({ metrics, output = "" }, turn) => ({ turn: turn + 1, ...metrics, output })),
    appendSeconds: total((outcome) => outcome.appendSeconds ?? 0),
    decodeSeconds: total((outcome) => outcome.decodeSeconds),
    decodedTokens: total((outcome) => outcome.decodedTokens),
  };
}
