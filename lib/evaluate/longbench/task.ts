import type { ModelConfig } from "../../checkpoint/types.js";
import type { Tokenizer } from "../../checkpoint/tokenizer.js";
import { decode } from "../../runtime/generate.js";
import type { Run } from "../../runtime/run.js";
import { cutMiddle } from "../../train/examples.js";
import { textMark } from "../perplexity.js";
import { groupBy } from "../summary.js";
import type { EvaluationItem, EvaluationTask } from "../task.js";
import { datasetNamed, fill, type Dataset } from "./datasets.js";
import { f1, hit } from "./metrics.js";
import { readLongbench, type LongbenchRecord } from "./records.js";

export interface LongbenchOptions {
  /** Data set of all files. */
  readonly dataset?: string;
  /** Tokens of a prompt at most; default: the model's positions less the tokens to generate. */
  readonly maxLength?: number;
  /** Tokens to generate; default: the data set's. */
  readonly maxNewTokens?: number;
}

/** How a whole prompt of unknown kind is put and graded: as it is, by word overlap. */
const whole: Dataset = { template: "{input}", maxNewTokens: 32, metric: f1 };

/**
 * One task a data set. Metrics: `score`, the data set's own, the best over the right answers; `hit`, the seed's hit rate.
 * Prompts that are too long lose their middle, as in LongBench.
 */
export async function longbenchTasks(tokenizer: Tokenizer, config: ModelConfig, files: readonly string[], options: LongbenchOptions = {}): Promise<EvaluationTask[]> {
  const records = (await Promise.all(files.map((file) => readLongbench(file, options.dataset)))).flat();
  return [...groupBy(records, ({ dataset }) => dataset ?? "input")].map(([name, found]) => {
    const dataset = name === "input" ? whole : datasetNamed(name);
    const maxNewTokens = options.maxNewTokens ?? dataset.maxNewTokens;
    const maxLength = options.maxLength ?? config.maxPositions - maxNewTokens;
    if (maxLength < 1 || maxLength + maxNewTokens > config.maxPositions) {
      throw new Error(`longbench prompt length: ${maxLength} (with ${maxNewTokens} tokens to generate at most ${config.maxPositions - maxNewTokens} in this model)`);
    }
    const items = found.map((record) => item(record, dataset, tokenizer, maxLength, maxNewTokens, config.eosTokenIds));
    const data = textMark(JSON.stringify(found));
    return { name: `longbench-${name}`, settings: { dataset: name, maxLength, maxNewTokens, data }, metric: "score", better: "higher", items };
  });
}

function item(record: LongbenchRecord, dataset: Dataset, tokenizer: Tokenizer, maxLength: number, maxNewTokens: number, stopTokens: readonly number[]): EvaluationItem {
  const { id, input, context, answers, classes } = record;
  const prompt = context === null ? input : fill(dataset, context, input);
  return {
    id,
    group: { dataset: record.dataset ?? "input" },
    promptIds: cutMiddle(tokenizer.encode(prompt), maxLength),
    reserve: maxNewTokens,
    async grade(run: Run) {
      const started = performance.now();
      const ids: number[] = [];
      for await (const token of decode(run, { maxNewTokens, stopTokens })) ids.push(token.id);
      const decodeSeconds = (performance.now() - started) / 1e3;
      const output = tokenizer.decode(ids, { skipSpecialTokens: true });
      const said = dataset.firstLine ? output.replace(/^\n+/, "").split("\n")[0]! : output;
      const best = (metric: Dataset["metric"]) => Math.max(...answers.map((answer) => metric(said, answer, classes)));
      return { metrics: { score: best(dataset.metric), hit: best(hit) }, decodeSeconds, decodedTokens: ids.length, output };
    },
  };
}
