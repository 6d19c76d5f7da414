import type { Tokenizer } from "../checkpoint/tokenizer.js";
import { Random } from "../random.js";
import { decode } from "../runtime/generate.js";
import type { Run } from "../runtime/run.js";
import { question, randomFacts, statement, type Fact } from "../train/episodes.js";
import { forcedLosses, mean } from "./forced.js";
import { textMark } from "./perplexity.js";
import type { KeysData } from "./item-data.js";
import type { EvaluationItem, EvaluationTask } from "./task.js";

export interface RetrievalOptions {
  /** Prose to hide keys in, which the model has not been trained on. */
  readonly text: string;
  /** Prompt lengths in tokens, question included. */
  readonly lengths: readonly number[];
  /** Places of the key asked for, 0 (start) … 1 (end of the prose); default 0, 0.25, 0.5, 0.75, 1. */
  readonly depths?: readonly number[];
  /** Keys in a prompt; default 4. The others stand at random places. */
  readonly keys?: number;
  /** Prompts for each length and depth, default 8. */
  readonly samples?: number;
  /**
   * `prompt` (default): the question ends the prompt, so that scorers may see it. `after`: one prompt holds a key at every
   * depth; it is prefilled and pruned without a question, and then asked for each of them.
   */
  readonly ask?: "prompt" | "after";
  readonly seed?: number;
}

/**
 * Pass keys hidden in prose, asked for in the wording in which they were stated. Metrics: `exact`, 1 where every digit of the
 * greedy answer is right; `digits`, the share of right ones; `loss`, nats a token of the right answer.
 * @throws where a prompt is too short for its keys, or the text for the prompt
 */
export function retrievalTask(tokenizer: Tokenizer, options: RetrievalOptions): EvaluationTask {
  const { text, lengths, depths = [0, 0.25, 0.5, 0.75, 1], keys = 4, samples = 8, ask = "prompt", seed = 0 } = options;
  for (const depth of depths) if (!(depth >= 0 && depth <= 1)) throw new Error(`depth: ${depth} (must be 0 … 1)`);
  const encode = (part: string) => tokenizer.encode(part, { addSpecialTokens: false });
  const prose = encode(text);
  const items: EvaluationItem[] = [];
  for (const length of lengths) {
    for (let sample = 0; sample < samples; sample++) {
      const random = (...more: number[]) => new Random(seed, length, sample, ...more);
      if (ask === "after") {
        const facts = randomFacts(random(), depths.length, "pass key");
        const promptIds = hidden(prose, encode, random(0), length, facts.map((fact, i) => ({ fact, depth: depths[i]! })), []);
        items.push(keysItem({ kind: "keys", id: `${length}/after/${sample}`, group: { length }, promptIds, ask, facts: facts.map((fact, i) => ({ ...fact, depth: depths[i]! })) }, tokenizer));
      } else {
        depths.forEach((depth, d) => {
          const facts = randomFacts(random(d), keys, "pass key");
          const draw = random(d, 1);
          const placed = facts.map((fact, i) => ({ fact, depth: i === 0 ? depth : draw.next() }));
          const promptIds = hidden(prose, encode, draw, length, placed, encode(question(facts[0]!)));
          items.push(keysItem({ kind: "keys", id: `${length}/${depth}/${sample}`, group: { length, depth }, promptIds, ask, facts: [{ ...facts[0]!, depth }] }, tokenizer));
        });
      }
    }
  }
  const count = ask === "after" ? depths.length : keys;
  return { name: "retrieval", settings: { lengths, depths, keys: count, samples, ask, seed, text: textMark(text) }, metric: "exact", better: "higher", items };
}

/** A prompt with keys, and how those are asked for. */
export function keysItem(data: KeysData, tokenizer: Tokenizer): EvaluationItem {
  const { id, group, promptIds, ask, facts } = data;
  const encode = (part: string) => tokenizer.encode(part, { addSpecialTokens: false });
  return {
    id, group, promptIds, data, ...(ask === "after" ? { reserve: 32, grade: (run) => askEach(run, facts, encode) } : { reserve: 16, grade: (run) => askInPrompt(run, facts[0]!, encode) }),
  };
}

/** A prompt of exactly `length` tokens: prose with the facts at their depths, then `tail`. */
function hidden(
  prose: readonly number[],
  encode: (text: string) => number[],
  random: Random,
  length: number,
  placed: readonly { fact: Fact; depth: number }[],
  tail: readonly number[],
): number[] {
  const sentences = placed.map(({ fact, depth }) => ({ tokens: encode(statement(fact)), depth })).sort((a, b) => a.depth - b.depth);
  const filler = length - tail.length - sentences.reduce((sum, { tokens }) => sum + tokens.length, 0);
  if (filler < 8 || filler > prose.length) throw new Error(`prompt length: ${length} (too short for ${placed.length} keys, or longer than the text of ${prose.length} tokens)`);
  const start = random.int(prose.length - filler + 1);
  const ids: number[] = [];
  let from = 0;
  for (const { tokens, depth } of sentences) {
    const at = Math.round(depth * filler);
    ids.push(...prose.slice(start + from, start + at), ...tokens);
    from = at;
  }
  ids.push(...prose.slice(start + from, start + filler), ...tail);
  return ids;
}

async function askInPrompt(run: Run, fact: Fact, encode: (text: string) => number[]) {
  const started = performance.now();
  const { metrics, decodedTokens } = await grade(run, encode(` ${fact.answer}`));
  return { metrics, decodedTokens, decodeSeconds: (performance.now() - started) / 1e3 };
}

/** Every question goes on from the same prefilled prompt. */
async function askEach(run: Run, facts: KeysData["facts"], encode: (text: string) => number[]) {
  const started = performance.now();
  const cells: ({ depth: number } & Grade["metrics"])[] = [];
  let decodedTokens = 0;
  for (const fact of facts) {
    const asked = run.fork();
    const words = encode(question(fact));
    await asked.extend(words);
    const graded = await grade(asked, encode(` ${fact.answer}`));
    decodedTokens += words.length + graded.decodedTokens;
    cells.push({ depth: fact.depth, ...graded.metrics });
    asked.dispose();
  }
  const average = (key: "exact" | "digits" | "loss") => mean(cells.map((cell) => cell[key]));
  return { metrics: { exact: average("exact"), digits: average("digits"), loss: average("loss") }, cells, decodedTokens, decodeSeconds: (performance.now() - started) / 1e3 };
}

interface Grade {
  readonly metrics: { readonly exact: number; readonly digits: number; readonly loss: number };
  readonly decodedTokens: number;
}

/** The greedy continuation against the right one, and the right one's loss. */
async function grade(run: Run, answer: readonly number[]): Promise<Grade> {
  const forced = run.fork();
  const losses = await forcedLosses(forced, answer);
  forced.dispose();
  const said: number[] = [];
  for await (const { id } of decode(run, { maxNewTokens: answer.length, stopTokens: [], fixedLength: true })) said.push(id);
  const right = answer.filter((id, i) => said[i] === id).length;
  return { metrics: { exact: Number(right === answer.length), digits: right / answer.length, loss: mean(losses) }, decodedTokens: answer.length };
}
