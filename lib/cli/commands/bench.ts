import type { Command } from "commander";
import type { Table } from "../../report/table.js";
import { interruptSignal } from "../interrupt.js";
import { positiveInteger } from "../options.js";
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

/** `sdtp bench engine`, `kernel`, `serve`. */
export function register(program: Command): void {
  const bench = program.command("bench").description("measure the engine itself, the kernel, or a server under load");
  registerServe(bench);
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
