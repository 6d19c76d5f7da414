import { medianRatio, type BatchBench, type BatchBenchRow } from "../bench/batch.js";
import { median } from "../bench/statistics.js";
import type { Table } from "./table.js";

const mb = (bytes: number) => (bytes / 1e6).toFixed(0);

/** Throughput of sequences that are decoded together, beside one. */
export function batchBenchTable({ model_id: model, dtype, compute_dtype: computed, environment, prompt_lengths: lengths, new_tokens: tokens, rows, memory }: BatchBench): Table<BatchBenchRow> {
  return {
    title: "Sequences decoded together",
    columns: [
      { key: "sequences", label: "sequences", value: ({ sequences }) => sequences, format: String },
      { key: "tokens_per_second", label: "tokens/s", value: (row) => median(row.tokens_per_second), format: (value) => value.toFixed(1) },
      { key: "ratio", label: "beside one", value: medianRatio, format: (value) => `${value.toFixed(2)}x` },
      { key: "least", label: "least", value: ({ ratios }) => Math.min(...ratios), format: (value) => `${value.toFixed(2)}x` },
      { key: "most", label: "most", value: ({ ratios }) => Math.max(...ratios), format: (value) => `${value.toFixed(2)}x` },
      { key: "largest_difference", label: "largest difference of a logit", value: ({ largest_difference: largest }) => largest, format: (value) => value.toExponential(1) },
    ],
    rows,
    above: [
      `Model ${model}, ${dtype} computed in ${computed}; ${environment.cpu.cores} cores of ${environment.cpu.model}. Caches of ${lengths.at(-1)} to ${lengths[0]} tokens, ${tokens} tokens each, ${rows[0]!.ratios.length} rounds.`,
      `Memory of the process ${mb(memory.prompts)} MB after the prompts, ${mb(memory.with_batch_graph)} MB with the graph for several sequences, ${mb(memory.with_graph_for_one)} MB at the end, with the graph for one as well.`,
    ],
    warnings: [],
    notes: ["Tokens a second are medians of all rounds. Ratios are of runs of the same round, in which what else the machine does falls on all of them. Differences are from the same sequence alone, through the graph for one."],
    facts: () => ({ model_id: model, dtype }),
  };
}
