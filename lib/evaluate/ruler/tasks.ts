import type { ModelConfig } from "../../checkpoint/types.js";
import { Random } from "../../random.js";
import { askedItem, parted, type Asking } from "../asked.js";
import { textMark } from "../perplexity.js";
import type { EvaluationItem, EvaluationTask } from "../task.js";
import { commonWordsTask, frequentWordsTask } from "./counting.js";
import { needleTask, needleTasks } from "./niah.js";
import { questionTasks, rulerTaskNames } from "./names.js";
import { questionTask } from "./questions.js";
import type { RulerSample, RulerTask } from "./sample.js";
import { trackingTask } from "./tracking.js";
import { vocabularyOf } from "./words.js";


export interface RulerOptions {
  /** Names of tasks. */
  readonly tasks: readonly string[];
  /** Tokens of prompt and answer together, as RULER counts, chat template included. */
  readonly lengths: readonly number[];
  /** Samples for each length and seed. */
  readonly samples: number;
  readonly seeds: readonly number[];
  /** Prose that needles are hidden in, which neither the model nor modules were trained on. */
  readonly text: string;
  readonly asking: Omit<Asking, "stopTokens" | "turns">;
  readonly config: Pick<ModelConfig, "eosTokenIds" | "maxPositions">;
  /** Files of qa_1's and qa_2's questions; default: what `sdtp fetch --dataset` brought. */
  readonly questions?: Readonly<Record<string, string>>;
}

/** One task each. @throws on an unknown task, a length that the model has not or that holds no sample, or a data set that is not there */
export async function rulerTasks({ tasks, lengths, samples, seeds, text, asking, config, questions }: RulerOptions): Promise<EvaluationTask[]> {
  const unknown = tasks.find((name) => !rulerTaskNames.includes(name));
  if (unknown !== undefined) throw new Error(`ruler task: ${unknown} (known: ${rulerTaskNames.join(", ")})`);
  const long = lengths.find((length) => length > config.maxPositions);
  if (long !== undefined) throw new Error(`ruler length: ${long} (the model has ${config.maxPositions} positions)`);
  const prose = text.replace(/\s+/g, " ").trim().split(" ");
  const words = vocabularyOf(text);
  const made: EvaluationTask[] = [];
  for (const name of tasks) {
    const kind = async (length: number): Promise<RulerTask> => {
      if (needleTasks[name]) return needleTask(needleTasks[name], prose);
      if (name === "cwe") return commonWordsTask(words, length);
      if (name === "fwe") return frequentWordsTask(length);
      return name === "vt" ? trackingTask : questionTask(questionTasks[name]!, questions?.[questionTasks[name]!]);
    };
    const items: EvaluationItem[] = [];
    for (const length of lengths) {
      const task = await kind(length);
      for (const [seed, index, sample] of fitted(name, task, { length, samples, seeds, asking })) {
        const turn = { ...sample, grading: task.metric, maxNewTokens: task.maxNewTokens };
        items.push(askedItem({ id: `${length}/${seed}/${index}`, group: { length, seed }, context: sample.context, turns: [turn] }, { ...asking, stopTokens: config.eosTokenIds }, task.metric === "string_match_all"));
      }
    }
    // Not how many there are: more samples, lengths or seeds add to what was measured.
    const settings = { query: asking.query, chat: asking.chat !== null, text: textMark(text), version: 1 };
    made.push({ name: `ruler-${name}`, settings, metric: "score", better: "higher", items });
  }
  return made;
}

/** Of data sets, how far seeds are apart. */
const SEED_STRIDE = 1009;

/** Samples that fill `length` tokens as far as whole units of haystack do. */
function* fitted(name: string, task: RulerTask, { length, samples, seeds, asking: { tokenizer, chat } }: Pick<RulerOptions, "samples" | "seeds" | "asking"> & { length: number }): Generator<[number, number, RulerSample]> {
  const number = rulerTaskNames.indexOf(name);
  const sample = (seed: number, index: number, size: number) => task.make(new Random(seed, number, length, index), size, index + SEED_STRIDE * seed);
  const tokens = ({ context, ...turn }: RulerSample) => {
    const { before, after } = parted(context, turn, chat);
    return tokenizer.encode(before, { addSpecialTokens: chat === null }).length + tokenizer.encode(after, { addSpecialTokens: false }).length + task.maxNewTokens;
  };
  const smallest = tokens(sample(0, 0, task.fewest));
  if (smallest > length) throw new Error(`ruler length: ${length} (too short for ${name}: its smallest sample with ${task.maxNewTokens} tokens of answer takes ${smallest})`);
  for (const seed of seeds) {
    for (let index = 0; index < samples; index++) yield [seed, index, largest((size) => sample(seed, index, size), tokens, task.fewest, length, `ruler length: ${length} (too short for sample ${index} of ${name})`)];
  }
}

/** The sample with the most units that takes at most `length` tokens, as near as a few tries come: within 3 % where there are so many units. */
function largest(make: (size: number) => RulerSample, tokens: (sample: RulerSample) => number, fewest: number, length: number, tooShort: string): RulerSample {
  let best: { size: number; sample: RulerSample } | null = null;
  // The size that is known to be too large, and what is guessed by the tokens that the last one took.
  let [above, size] = [Infinity, fewest];
  for (let tries = 0; tries < 40; tries++) {
    const sample = make(size);
    const taken = tokens(sample);
    if (taken > length) above = size;
    // More units that make it no longer: there are no more of them.
    else if (best && size > best.size && sample.context.length === best.sample.context.length) break;
    else if (!best || size > best.size) best = { size, sample };
    if (taken <= length && taken > 0.97 * length) break;
    const guess = Math.floor((size * 0.99 * length) / taken);
    size = Math.min(above - 1, Math.max((best?.size ?? fewest - 1) + 1, Math.min(guess, 8 * size)));
    if (best && size <= best.size) break;
    if (size < fewest) break;
  }
  if (!best) throw new Error(tooShort);
  return best.sample;
}
