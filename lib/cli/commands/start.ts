import { join } from "node:path";
import type { Command } from "commander";
import { seedConfigs } from "../../bench/settings.js";
import { interruptSignal } from "../interrupt.js";
import { addModelOptions, addPruningOptions, type ModelOptions, positiveInteger, type PruningOptions } from "../options.js";

interface Options extends ModelOptions, PruningOptions {
  lengths: string[];
  maxNewTokens: number;
  repeats: number;
  output: string;
}

/** `sdtp start`, which `npm start` runs: the main job. */
export function register(program: Command): void {
  const command = program
    .command("start")
    .description("the main job: Table 2 of the embedded model at 1K, 2K and 4K tokens, in about a minute")
    .option("--lengths <n...>", "prompt lengths in tokens, ascending", ["1024", "2048", "4096"])
    .option("--max-new-tokens <n>", "decode runs after each prompt", positiveInteger, 128)
    .option("--repeats <n>", "runs that count, for each configuration", positiveInteger, 3)
    .option("--output <folder>", "where results files and table2_report.md go", "results");
  addPruningOptions(addModelOptions(command))
    .addHelpText("after", `\nMeasures ${seedConfigs.join(", ")}. The same with more choice: sdtp profile, then sdtp report-table2.`)
    .action((options: Options) => start(options));
}

async function start({ model, device, threads, scorer, kvPolicy, maxNewTokens, repeats, output: folder, ...options }: Options): Promise<void> {
  const [{ parseLengths }, { profile }, output, { formats, table2, verification }, { writeOutput }, { progressBar }] = await Promise.all([
    import("../../bench/lengths.js"), import("../../bench/profile.js"), import("../../bench/output.js"), import("../../report/index.js"), import("../../files.js"), import("../progress.js"),
  ]);
  const lengths = parseLengths(options.lengths);
  const files = output.outputFiles(join(folder, ""), "end2end", seedConfigs);
  const report = join(folder, "table2_report.md");
  await output.requireWritable(report);
  const signal = interruptSignal();
  const bar = progressBar();
  try {
    const { results, errors } = await profile({
      model, configs: seedConfigs, lengths, maxNewTokens, repeats, signal,
      ...(device && { device }), ...(threads !== undefined && { threads }), ...(scorer !== undefined && { scorer }), ...(kvPolicy && { kvPolicy }),
      onProgress: (share, label) => bar.update(share, label),
      async onLength(length, { results }) {
        await output.writeAll(results, files);
        bar.clear();
        for (const lines of verification(results, length)) console.log(lines);
      },
    });
    bar.stop();
    for (const { length, config, error } of errors) process.stderr.write(`failed: ${config} at ${length}: ${error}\n`);
    if (errors.length > 0) process.exitCode = 1;
    if (results.size === 0) return;
    const sources = [...results].map(([config, result]) => ({ file: files(config), results: result }));
    const text = formats.md(table2({ mode: "end2end", sources }));
    await writeOutput(report, text);
    console.log(`\n${text}`);
    process.stderr.write(`${report} and ${files("<config>")} hold this table and its samples\n`);
  } finally {
    bar.stop();
  }
}
