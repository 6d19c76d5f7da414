import { type Command, Option } from "commander";
import { defaultLengths, seedConfigs } from "../../bench/settings.js";
import type { BenchmarkMode } from "../../bench/results.js";
import { formatJson } from "../../format-json.js";
import type { Device } from "../../runtime/devices/names.js";
import { interruptSignal } from "../interrupt.js";
import { addDtypeOption, addKvDtypeOption, addModelOptions, addPieceOption, addPruningOptions, type ModelOptions, nonNegativeInteger, positiveInteger, presetNames, type PieceOption, type PruningOptions } from "../options.js";

interface Options extends ModelOptions, PruningOptions, PieceOption {
  benchmarkMode: BenchmarkMode;
  config: string[];
  lengths: string[];
  device: Device;
  repeats: number;
  warmup: number;
  maxNewTokens: number;
  promptFile?: string;
  seed: number;
  memory: boolean;
  output: string;
  json?: boolean;
}

/** `sdtp profile`: measures configurations and writes their results files. */
export function register(program: Command): void {
  const command = program
    .command("profile")
    .description("measure prefill, or prefill and decode, of configurations against the baseline; writes results files")
    .addOption(new Option("--benchmark-mode <mode>", "prefill, or end2end: prefill and --max-new-tokens decode runs").choices(["prefill", "end2end"]).default("end2end"))
    .option("--config <name...>", `presets, or all (${seedConfigs.join(", ")}); known: ${presetNames}`, ["all"])
    .option("--lengths <n...>", "prompt lengths in tokens, ascending", defaultLengths.map(String))
    .option("--repeats <n>", "runs that count, for each configuration", positiveInteger, 5)
    .option("--warmup <n>", "runs before them that do not", nonNegativeInteger, 1)
    .option("--max-new-tokens <n>", "decode runs in end2end mode", positiveInteger, 128)
    .option("--prompt-file <file>", "text to take prompts from (default: the shipped prose; random ids for synthetic weights)")
    .option("--seed <n>", "of synthetic weights and random ids", nonNegativeInteger, 0)
    .option("--no-memory", "do not measure peak memory (one more run for each configuration, in its own process)")
    .option("--output <path>", "a file (.json) for one configuration, a folder for several", "results")
    .option("--json", "print the results as JSON, nothing else");
  addPieceOption(addPruningOptions(addKvDtypeOption(addDtypeOption(addModelOptions(command)))))
    .addHelpText("after", `
Configurations take turns (A B C A B C) in a process of their own; medians are reported and all samples kept. The
baseline is always measured with them. Files are written when a length is done; Ctrl-C keeps those.

Examples:
  sdtp profile --benchmark-mode end2end --config keep07 --lengths 1024 2048 4096
  sdtp profile --config all --model /path/to/model --output results/my-model
  sdtp report-table2 results/`)
    .action((options: Options) => run(options));
}

async function run(options: Options): Promise<void> {
  const [{ parseLengths }, { profile }, output, { verification, warningsAt }, { progressBar }] = await Promise.all([
    import("../../bench/lengths.js"), import("../../bench/profile.js"), import("../../bench/output.js"), import("../../report/verification.js"), import("../progress.js"),
  ]);
  const { benchmarkMode: mode, config: configs, model, device, dtype, kvDtype, threads, scorer, kvPolicy, repeats, warmup, maxNewTokens, promptFile, seed, memory, json, piece } = options;
  const lengths = parseLengths(options.lengths);
  const names = configs.flatMap((config) => (config === "all" ? [...seedConfigs] : [config]));
  const files = output.outputFiles(options.output, mode, names);
  await output.requireWritable(files(names[0]!));
  const signal = interruptSignal();
  const bar = progressBar();
  let written: string[] = [];
  try {
    const { results, errors } = await profile({
      model, device, seed, configs, lengths, mode, repeats, warmup, maxNewTokens, memory, signal,
      ...(dtype !== undefined && { dtype }), ...(kvDtype && { kvDtype }), ...(threads !== undefined && { threads }), ...(scorer !== undefined && { scorer }),
      ...(kvPolicy && { kvPolicy }), ...(piece !== undefined && { piece }), ...(promptFile !== undefined && { promptFile }),
      async onStart({ subject, modelHash }) {
        if (!options.output.endsWith(".json")) {
          await output.requireTogether(options.output, mode, names, { model: subject.checkpoint.name, device: subject.device, dtype: subject.dtype, kv_dtype: subject.kvDtype, model_hash: modelHash });
        }
      },
      onProgress: (share, label) => bar.update(share, label),
      async onLength(length, { results }) {
        written = await output.writeAll(results, files);
        bar.clear();
        if (!json) for (const lines of verification(results, length)) console.log(lines);
        if (!json) for (const warning of warningsAt(results, length)) process.stderr.write(`warning: ${warning}\n`);
      },
    });
    bar.stop();
    if (json) process.stdout.write(formatJson({ results: Object.fromEntries(results), errors }));
    for (const { length, config, error } of errors) process.stderr.write(`failed: ${config} at ${length}: ${error}\n`);
    if (!json) process.stderr.write(written.length > 0 ? `written: ${written.join(", ")}\n` : "nothing was measured\n");
    if (errors.length > 0) process.exitCode = 1;
  } catch (error) {
    bar.stop();
    if (signal.aborted && written.length > 0) process.stderr.write(`lengths that were done are in ${written.join(", ")}\n`);
    throw error;
  }
}
