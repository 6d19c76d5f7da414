import type { ChatTemplate } from "../../checkpoint/chat-template.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import type { Tokenizer } from "../../checkpoint/tokenizer.js";
import { decode } from "../../runtime/generate.js";
import type { Run } from "../../runtime/run.js";
import { fileNames } from "../file-names.js";
import type { QueryKind } from "../asked.js";
import { forcedLosses, mean } from "../forced.js";
import { chatMark, type LongbenchData } from "../item-data.js";
import { textMark } from "../perplexity.js";
import { groupBy } from "../summary.js";
import type { EvaluationItem, EvaluationTask } from "../task.js";
import { datasetNamed, type Dataset } from "./datasets.js";
import { f1, hit, paragraph, passage } from "./metrics.js";
import { longbenchPrompt, type PromptFit } from "./prompt.js";
import { readLongbench, type LongbenchRecord } from "./records.js";
import { graded, lengthGroup, score } from "./score.js";

export interface LongbenchOptions {
  /** Data set of all files. */
  readonly dataset?: string;
  /** Tokens of a prompt at most; default: the model's positions less the tokens to generate. */
  readonly maxLength?: number;
  /** Tokens to generate; default: the data set's. */
  readonly maxNewTokens?: number;
  /** Puts prompts as a user's message, on the data sets where LongBench does so; null: as they are. */
  readonly chat?: ChatTemplate | null;
  /** Whether scorers see the question; default `aware`. */
  readonly query?: QueryKind;
}

/** How a whole prompt of unknown kind is put and graded: as it is, by word overlap. */
const whole: Dataset = { template: "{input}", maxNewTokens: 32, metric: f1, plain: true };

/**
 * One task a data set; of LongBench-E (`_e`), one a data set and length (0-4k, 4-8k, 8k+ words). Metrics: `score`, the data set's own, the
 * best over the right answers; `hit`, the seed's hit rate; `loss`, nats a token of the first right answer; `answer_tokens` and `ended`. Prompts that are too long lose their middle, as in LongBench's pred.py.
 * @throws an error that names file, line and field; on lengths that the model does not have
 */
export async function longbenchTasks(tokenizer: Tokenizer, config: ModelConfig, files: readonly string[], options: LongbenchOptions = {}): Promise<EvaluationTask[]> {
  const names = fileNames(files);
  const records = (await Promise.all(files.map((file, i) => readLongbench(file, options.dataset, names[i]!)))).flat();
  return [...groupBy(records, taskName)].map(([name, found]) => {
    const dataset = datasetOf(found[0]!);
    const maxNewTokens = options.maxNewTokens ?? dataset.maxNewTokens;
    const room = config.maxPositions - maxNewTokens;
    const maxLength = options.maxLength ?? room;
    if (maxLength < 2 || maxLength > room) {
      throw new Error(`longbench prompt length: ${maxLength} (with ${maxNewTokens} tokens to generate at most ${room} in this model)`);
    }
    const chat = dataset.plain ? null : (options.chat ?? null);
    const items = found.map((record) => item(record, tokenizer, { maxLength, room, chat, query: options.query ?? "aware" }, maxNewTokens, config.eosTokenIds));
    const data = textMark(JSON.stringify(found));
    return { name: `longbench-${name}`, settings: { dataset: name, maxLength, maxNewTokens, chat: chat !== null, ...(options.query === "agnostic" && { query: "agnostic" }), scoring: 2, data }, metric: "score", better: "higher", items };
  });
}

/** What records are graded together. */
function taskName({ id, dataset, length }: LongbenchRecord): string {
  if (dataset === null || !dataset.endsWith("_e")) return dataset ?? "input";
  if (length === null) throw new Error(`longbench: ${id} of ${dataset}: length: missing (LongBench-E is graded by length: must be a number of words)`);
  return `${dataset}-${lengthGroup(length)}`;
}

const datasetOf = ({ dataset }: LongbenchRecord): Dataset => (dataset === null ? whole : datasetNamed(dataset));

/** An item of its data. */
export function longbenchFrom({ record, query, maxLength, room, maxNewTokens, stopTokens }: LongbenchData, tokenizer: Tokenizer, chat: ChatTemplate | null): EvaluationItem {
  return item(record, tokenizer, { maxLength, room, chat, query }, maxNewTokens, stopTokens);
}

function item(record: LongbenchRecord, tokenizer: Tokenizer, fit: Required<PromptFit>, maxNewTokens: number, eos: readonly number[]): EvaluationItem {
  const { id, answers, classes, length } = record;
  const dataset = datasetOf(record);
  const lost = dataset.metric === passage ? answers.find((answer) => paragraph(answer) === undefined) : undefined;
  if (lost !== undefined) throw new Error(`longbench: ${id}: answers: ${JSON.stringify(lost)} (must name a paragraph: "Paragraph 12")`);
  const lineEnd = dataset.stopsAtLine ? tokenizer.encode("\n", { addSpecialTokens: false }).slice(-1) : [];
  const stops = [...eos, ...lineEnd];
  const { prompt, question } = longbenchPrompt(record, dataset, tokenizer, fit);
  const lead = fit.chat !== null || /\s$/.test(dataset.template) ? "" : " ";
  const right = tokenizer.encode(`${lead}${answers[0]!}`, { addSpecialTokens: false });
  return {
    id,
    group: { dataset: record.dataset ?? "input", ...(length !== null && record.dataset?.endsWith("_e") && { length: lengthGroup(length) }) },
    promptIds: prompt,
    reserve: question.length + maxNewTokens,
    data: {
      kind: "longbench", record: { ...record, answers: [...answers], classes: [...classes] }, chat: chatMark(fit.chat), query: fit.query,
      maxLength: fit.maxLength, room: fit.room, maxNewTokens, stopTokens: [...eos],
    },
    async grade(run: Run) {
      const asked = performance.now();
      if (question.length > 0) await run.extend(question);
      const appendSeconds = (performance.now() - asked) / 1e3;
      // A right answer may be longer than what may be said: as much of it as the model has positions for.
      const forced = run.fork();
      const loss = right.length === 0 ? null : mean(await forcedLosses(forced, right.slice(0, maxNewTokens)));
      forced.dispose();
      const started = performance.now();
      const ids = await answer(run, maxNewTokens, stops, lineEnd.length > 0);
      const decodeSeconds = (performance.now() - started) / 1e3;
      const output = tokenizer.decode(ids, { skipSpecialTokens: true });
      const said = graded(dataset, output);
      return {
        metrics: { score: score(dataset, output, answers, classes), hit: Math.max(...answers.map((each) => hit(said, each, classes))), ...(loss !== null && { loss }), answer_tokens: ids.length, ended: Number(stops.includes(ids.at(-1)!)) },
        decodeSeconds, decodedTokens: ids.length, output, ...(question.length > 0 && { appendSeconds }),
      };
    },
  };
}

/** The likeliest tokens. @param oneAtLeast the first one ends nothing: it is the likeliest of those that do not */
async function answer(run: Run, maxNewTokens: number, stopTokens: readonly number[], oneAtLeast: boolean): Promise<number[]> {
  const ids: number[] = [];
  if (oneAtLeast) {
    let best = -1;
    run.logits.forEach((logit, id) => {
      if (!stopTokens.includes(id) && (best < 0 || logit > run.logits[best]!)) best = id;
    });
    await run.extend([best]);
    ids.push(best);
  }
  if (ids.length < maxNewTokens) for await (const token of decode(run, { maxNewTokens: maxNewTokens - ids.length, stopTokens })) ids.push(token.id);
  return ids;
}
