import type { Command } from "commander";
import { isAbort } from "../../ambient-signal.js";
import type { Table } from "../../report/table.js";
import { detachable } from "../detach.js";
import { interruptSignal } from "../interrupt.js";
import { addAccuracyOption, addDtypeOption, addKvDtypeOption, addModelOptions, loadModel, positiveInteger, presetNames, type ModelOptions } from "../options.js";
import { registerGpu } from "./bench-gpu.js";
import { registerServe } from "./bench-serve.js";

interface KernelCommandOptions {
  others?: string[];
  rounds: number;
  declaring: number;
  output: string;
  json?: boolean;
}

interface EngineCommandOptions {
  model?: string;
  threads: number;
  length: number;
  memoryLength: number;
  repeats: number;
  newTokens: number;
  output: string;
  json?: boolean;
}

interface BatchCommandOptions extends ModelOptions {
  sequences?: number[];
  length: number;
  newTokens: number;
  rounds: number;
  output: string;
  json?: boolean;
}

interface GrowthCommandOptions {
  lengths?: string[];
  depths?: number[];
  depthLength: number;
  config: string[];
  threads?: number;
  repeats: number;
  folder: string;
  output: string;
  json?: boolean;
}

/** `sdtp bench batch`, `engine`, `gpu`, `growth`, `kernel`, `serve`. */
export function register(program: Command): void {
  const bench = program.command("bench").description("measure the engine itself, the kernel, or a server under load");
  registerServe(bench);
  registerGpu(bench);
  const batch = bench
    .command("batch")
    .description("sequences decoded together over one copy of the weights, beside one: tokens a second, and whether each has the logits it has alone")
    .argument("[model]", "as --model")
    .option("--sequences <n...>", "how many go together, each measured in turn (default: 2 4 8)", (text: string, before?: number[]) => [...(before ?? []), positiveInteger(text)])
    .option("--length <n>", "tokens of the longest prompt; the shortest has half of them", positiveInteger, 512)
    .option("--new-tokens <n>", "tokens of each sequence in one measurement", positiveInteger, 8)
    .option("--rounds <n>", "times that each is measured, in turn", positiveInteger, 9)
    .option("--output <file>", "JSON with all samples", "results/bench_batch.json")
    .option("--json", "print the JSON instead of the table");
  addAccuracyOption(addKvDtypeOption(addDtypeOption(addModelOptions(batch)))).action(together);
  bench
    .command("engine")
    .description("prefill GFLOP/s, decode against memory bandwidth, peak memory, overhead of pruning, each beside its target")
    .option("--model <name>", "another model than the synthetic one of 8 blocks, d 512, that the targets are meant for")
    .option("--threads <n>", "threads for one operator", positiveInteger, 2)
    .option("--length <n>", "tokens of the prompt that is timed", positiveInteger, 4096)
    .option("--memory-length <n>", "tokens of the prompt whose peak memory is measured", positiveInteger, 16384)
    .option("--repeats <n>", "runs that count", positiveInteger, 7)
    .option("--new-tokens <n>", "decode runs after each prefill", positiveInteger, 32)
    .option("--output <file>", "JSON with all samples", "results/bench_engine.json")
    .option("--json", "print the JSON instead of the table")
    .addHelpText("after", `
Prefill: matrix products, causal attention counted as half, beside what one large matrix product reaches alone.
Decode: against one read of as many bytes as weights and cache, at the speed of the fastest of sums, maxima and
matrix-vector products over them. Overhead: stages that score and select but keep everything, in turn with the baseline.`)
    .action((options: EngineCommandOptions) => engine(options));
  detachable(bench
    .command("growth")
    .description("how time and memory grow with the prompt's length and the model's depth: fitted exponents beside those of the operations; can be stopped and gone on with")
    .option("--lengths <n...>", "prompt lengths in tokens, ascending (default: 1024 2048 4096 8192 16384 32768)")
    .option("--depths <n...>", "numbers of blocks, ascending; the first is that of the lengths (default: 8 16 32)", (text: string, before?: number[]) => [...(before ?? []), positiveInteger(text)])
    .option("--depth-length <n>", "tokens of the prompt while the depth grows", positiveInteger, 4096)
    .option("--config <name...>", `presets beside the baseline: ${presetNames}`, ["sdtp"])
    .option("--threads <n>", "threads for one operator (default: one a physical core)", positiveInteger)
    .option("--repeats <n>", "runs that count, for each preset and size", positiveInteger, 3)
    .option("--folder <folder>", "where what was measured is kept and found again", "results/growth")
    .option("--output <file>", "JSON with all samples", "results/bench_growth.json")
    .option("--json", "print the JSON instead of the table"), { results: ({ folder }: GrowthCommandOptions) => folder }, (options: GrowthCommandOptions) => growth(options));
  bench
    .command("kernel")
    .description("the Jupyter kernel: start, cells, completion, printing, interrupts, memory, beside other installed kernels")
    .option("--others <names...>", "installed kernels to measure beside it (default: python3 and tslab, where they are installed)")
    .option("--rounds <n>", "times that each kernel is measured, in turn", positiveInteger, 5)
    .option("--declaring <n>", "cells that declare a variable each", positiveInteger, 1000)
    .option("--output <file>", "JSON with all samples", "results/bench_kernel.json")
    .option("--json", "print the JSON instead of the table")
    .action((options: KernelCommandOptions) => kernel(options));
}

async function kernel({ output, json, ...options }: KernelCommandOptions): Promise<void> {
  const [{ benchKernel }, { kernelBenchTable }] = await Promise.all([import("../../bench/kernel/bench.js"), import("../../report/kernel-bench.js")]);
  await measured(output, json, (signal, onProgress) => benchKernel({ ...options, signal, onProgress }), kernelBenchTable);
}

async function growth({ output, json, lengths, depths, depthLength, config, threads, repeats, folder }: GrowthCommandOptions): Promise<void> {
  const [{ benchGrowth }, { growthTable }, { parseLengths }] = await Promise.all([import("../../bench/growth/growth.js"), import("../../report/growth.js"), import("../../bench/lengths.js")]);
  const given = { depthLength, configs: config, repeats, folder, ...(lengths && { lengths: parseLengths(lengths) }), ...(depths && { depths }), ...(threads !== undefined && { threads }) };
  const job = (await import("../../jobs/report.js")).jobReport();
  job?.noRows();
  try {
    await measured(output, json, (signal, onProgress) => benchGrowth({ ...given, signal, onProgress, onRow: (row) => job?.row(row) }), growthTable);
  } catch (error) {
    if (isAbort(error)) process.stderr.write(`what was done is in ${folder}; the same command goes on\n`);
    throw error;
  }
}

async function together(name: string | undefined, { output, json, sequences = [2, 4, 8], length, newTokens, rounds, ...options }: BatchCommandOptions): Promise<void> {
  const [{ benchBatch }, { batchBenchTable }] = await Promise.all([import("../../bench/batch.js"), import("../../report/batch-bench.js")]);
  await measured(output, json, async (signal, onProgress) => {
    const model = await loadModel({ ...options, ...(name !== undefined && { model: name }) }, signal);
    try {
      return await benchBatch(model, { sequences, length, newTokens, rounds, signal, onProgress });
    } finally {
      await model.release();
    }
  }, batchBenchTable);
}

async function engine({ output, json, ...options }: EngineCommandOptions): Promise<void> {
  const [{ benchEngine }, { engineTable }] = await Promise.all([import("../../bench/engine/engine.js"), import("../../report/engine.js")]);
  await measured(output, json, (signal, onProgress) => benchEngine({ ...options, signal, onProgress }), engineTable);
}

/** Measures with progress, keeps all samples, and prints the table. */
async function measured<T, Row>(output: string, json: boolean | undefined, measure: (signal: AbortSignal, onProgress: (share: number, label: string) => void) => Promise<T>, table: (result: T) => Table<Row>): Promise<void> {
  const [{ requireWritable }, { formatJson }, { toMarkdown }, { writeOutput }, { progressBar }] = await Promise.all([
    import("../../bench/output.js"), import("../../format-json.js"), import("../../report/formats/index.js"), import("../../files.js"), import("../progress.js"),
  ]);
  await requireWritable(output);
  const bar = progressBar();
  try {
    const result = await measure(interruptSignal(), (share, label) => bar.update(share, label));
    bar.stop();
    await writeOutput(output, formatJson(result));
    process.stdout.write(json ? formatJson(result) : toMarkdown(table(result)));
    if (!json) process.stderr.write(`written: ${output}\n`);
  } finally {
    bar.stop();
  }
}
