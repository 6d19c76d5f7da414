import type { Command } from "commander";
import { interruptSignal } from "../interrupt.js";
import { positiveInteger } from "../options.js";

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

/** `sdtp bench engine`. */
export function register(program: Command): void {
  const bench = program.command("bench").description("measure the engine itself");
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
}

async function engine({ output, json, ...options }: EngineCommandOptions): Promise<void> {
  const [{ benchEngine }, { requireWritable }, { formatJson }, { engineTable }, { toMarkdown }, { writeOutput }, { progressBar }] = await Promise.all([
    import("../../bench/engine/engine.js"), import("../../bench/output.js"), import("../../format-json.js"), import("../../report/engine.js"),
    import("../../report/formats/index.js"), import("../../files.js"), import("../progress.js"),
  ]);
  await requireWritable(output);
  const bar = progressBar();
  try {
    const result = await benchEngine({ ...options, signal: interruptSignal(), onProgress: (share, label) => bar.update(share, label) });
    bar.stop();
    await writeOutput(output, formatJson(result));
    process.stdout.write(json ? formatJson(result) : toMarkdown(engineTable(result)));
    if (!json) process.stderr.write(`written: ${output}\n`);
  } finally {
    bar.stop();
  }
}
