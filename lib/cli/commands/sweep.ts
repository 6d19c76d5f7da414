import { join } from "node:path";
import { type Command, Option } from "commander";
import { type KvDtype, kvDtypes } from "../../checkpoint/kv-dtype.js";
import { formatJson } from "../../format-json.js";
import { shellCommand } from "../../shell-command.js";
import type { BenchmarkMode } from "../../bench/results.js";
import type { SweepOptions } from "../../bench/sweep/sweep.js";
import { type Format, formats, formatOf } from "../../report/formats/index.js";
import { devices } from "../../runtime/devices/names.js";
import { detachable } from "../detach.js";
import { interruptSignal } from "../interrupt.js";
import { dtypeHelp, nonNegativeInteger, number, positiveInteger, presetNames } from "../options.js";

interface Options {
  model: string[];
  config: string[];
  lengths: string[];
  scorer: string[];
  kvPolicy: ("evict" | "retain")[];
  dtype: string[];
  kvDtype: KvDtype[];
  device: string[];
  threads: number[];
  benchmarkMode: BenchmarkMode;
  repeats: number;
  warmup: number;
  maxNewTokens: number;
  promptFile?: string;
  seed: number;
  memory: boolean;
  folder: string;
  maxMinutes?: number;
  timeout?: number;
  retryFailed?: boolean;
  output?: string;
  format?: Format;
  json?: boolean;
  devices?: string[];
  queue?: string;
  queueName?: string;
}

/** `sdtp sweep`: a cross product, cell by cell, that can be stopped and gone on with. */
export function register(program: Command): void {
  const list = <T>(parse: (word: string) => T) => (words: string, before: T[] | undefined) => [...(before ?? []), ...words.split(",").filter((word) => word !== "").map(parse)];
  const names = list(String);
  const policy = list((word) => (word === "evict" || word === "retain" ? word : wrong(word)));
  const command = program
    .command("sweep")
    .description("measure a full cross product of models, configurations, lengths, scorers, …; can be stopped and gone on with")
    .option("--model <name...>", "models (default: tiny)", names)
    .option("--config <name...>", `presets, or all (default: all): ${presetNames}`, names)
    .option("--lengths <n...>", "prompt lengths in tokens, ascending", ["1024", "2048", "4096"])
    .option("--scorer <name...>", "scorers (default: the model's best)", names)
    .option("--kv-policy <policy...>", "evict, retain (default: each preset's)", policy)
    .option("--dtype <name...>", dtypeHelp, names)
    .option("--kv-dtype <name...>", `${kvDtypes.join(", ")}: what caches hold keys and values in (default: fp32)`, list(kvDtype))
    .option("--device <name...>", `devices: ${devices.join(", ")} (default: cpu)`, names)
    .option("--threads <n...>", "numbers of threads (default: one a physical core)", list(positiveInteger))
    .addOption(new Option("--benchmark-mode <mode>", "prefill, or end2end").choices(["prefill", "end2end"]).default("end2end"))
    .option("--repeats <n>", "runs that count, for each configuration of a cell", positiveInteger, 5)
    .option("--warmup <n>", "runs before them that do not", nonNegativeInteger, 1)
    .option("--max-new-tokens <n>", "decode runs in end2end mode", positiveInteger, 128)
    .option("--prompt-file <file>", "text to take prompts from (default: the shipped prose)")
    .option("--seed <n>", "of synthetic weights and random ids", nonNegativeInteger, 0)
    .option("--no-memory", "do not measure peak memory")
    .option("--folder <folder>", "where cells are kept and found again", "results/sweep")
    .option("--devices <list...>", "cards or processors of this machine that measure at once, one cell at a time on each: cuda:0,cuda:1 or cpu:0-7,cpu:8-15", names)
    .option("--queue <url>", "let the workers of a queue measure (sdtp worker --help): redis://HOST, rediss://HOST")
    .option("--queue-name <name>", "queues of other names have nothing to do with each other (default: sdtp)")
    .option("--max-minutes <n>", "start no cell that is not expected to be done by then", number)
    .option("--timeout <seconds>", "end a process that measures for longer; its rows get the error", number)
    .option("--retry-failed", "measure cells again that failed before")
    .option("--output <file>", "write the table there too; the ending sets the format")
    .addOption(new Option("--format <format>", "what is printed").choices(Object.keys(formats)).default("md"))
    .option("--json", "print JSON alone: rows with all samples, and how the sweep ended")
    .addHelpText("after", `
Lists may be written with commas or spaces. Configurations of a cell take turns with the baseline in one process; each
finished cell is kept in --folder, and the same command goes on from there, after Ctrl-C or a crash too. A cell that
was measured with the same model, scorer, prompt, settings, processor and versions (of sdtp-notebook, ONNX Runtime
and Node) is not measured again, not even where the code has been edited since under the same version: give another
--folder to do so. rows.jsonl there holds all rows without samples. Exit code 1: rows failed, all others are there.

With --detach the sweep outlives this terminal, a notebook's kernel and sdtp lab; sdtp jobs --help tells what to do with it.

With --queue, cells are jobs that any number of workers take; what the queue holds already, failed or not, is not measured
again (another --queue-name does so), and Ctrl-C ends the following only: the jobs stay, and the same command follows them again.

Example:
  sdtp sweep --config baseline keep07 sdtp --lengths 1024 4096 --scorer norm recency --max-minutes 60`);
  detachable(command, { results: ({ folder }: Options) => folder }, (options: Options) => run(options));
}

async function run(options: Options): Promise<void> {
  const [{ parseLengths }, { sweep, sweepLabel }, { flat, sweepTable }, { writeOutput }, { progressBar }, { jobReport }] = await Promise.all([
    import("../../bench/lengths.js"), import("../../bench/sweep/sweep.js"), import("../../report/sweep.js"), import("../../files.js"), import("../progress.js"), import("../../jobs/report.js"),
  ]);
  const { output, json, folder, maxMinutes, timeout, dtype, kvDtype, device, threads, scorer, kvPolicy, model, config, promptFile } = options;
  if (output) formatOf(output);
  const signal = interruptSignal();
  const bar = progressBar();
  const job = jobReport();
  job?.noRows();
  const rows: import("../../bench/sweep/sweep.js").SweepRow[] = [];
  const save = () => writeOutput(join(folder, "rows.jsonl"), rows.map((row) => `${JSON.stringify(flat(row))}\n`).join(""));
  if (options.queue === undefined && options.queueName !== undefined) throw new Error(`queue name: ${options.queueName} (is of no use without --queue)`);
  if (options.queue !== undefined && options.devices) throw new Error(`devices: ${options.devices.join(",")} (are a worker's affair with --queue: sdtp worker --device ${options.devices.join(" ")})`);
  const say = (message: string) => {
    bar.clear();
    process.stderr.write(`${message}\n`);
  };
  const all: SweepOptions = {
    lengths: parseLengths(options.lengths), mode: options.benchmarkMode, repeats: options.repeats, warmup: options.warmup, maxNewTokens: options.maxNewTokens,
    seed: options.seed, memory: options.memory, folder, signal, retryFailed: options.retryFailed ?? false,
    ...(model && { models: model }), ...(config && { configs: config }), ...(scorer && { scorers: scorer }), ...(kvPolicy && { kvPolicies: kvPolicy }),
    ...(dtype && { dtypes: dtype }), ...(kvDtype && { kvDtypes: kvDtype }), ...(device && { devices: device }), ...(threads && { threads }), ...(promptFile !== undefined && { promptFile }),
    ...(maxMinutes !== undefined && { maxMinutes }), ...(timeout !== undefined && { timeoutSeconds: timeout }),
    onFailed: ({ label, error, command }) => say(`failed: ${label}: ${error}${command === null ? "" : `\n  alone: ${command}`}`),
    ...(options.devices && { placements: options.devices }),
    onProgress: (progress) => bar.update(progress.share, sweepLabel(progress), progress.secondsLeft),
  };
  const cells = options.queue === undefined ? sweep(all) : (await import("../../queue/sweep.js")).queueSweep({ ...all, queue: options.queue, queueName: options.queueName, onMessage: say });
  try {
    let step = await cells.next();
    for (; !step.done; step = await cells.next()) {
      rows.push(step.value);
      job?.row(step.value);
      await save();
    }
    bar.stop();
    const end = step.value;
    const table = sweepTable(rows);
    if (output) await writeOutput(output, formats[formatOf(output)](table));
    process.stdout.write(json ? formatJson({ ...end, rows }) : formats[options.format ?? "md"](table));
    if (!json) process.stderr.write(`${end.measured} cells measured, ${end.found} found, ${end.left} left: ${folder}\n`);
    if (end.left > 0) job?.leaves(`the time was up: ${end.left} of ${end.cells} cells are left`);
    if (end.left > 0) process.stderr.write(`the time is up; to go on: ${thisCommand()}\n`);
    const failed = rows.filter(({ error }) => error !== null).length;
    if (failed > 0) {
      process.stderr.write(`${failed} of ${rows.length} rows failed; to measure them again: ${thisCommand()}${options.retryFailed ? "" : " --retry-failed"}\n`);
      process.exitCode = 1;
    }
  } catch (error) {
    bar.stop();
    if (signal.aborted) process.stderr.write(`what was done is in ${folder}${options.queue === undefined ? "" : "; the jobs stay in the queue"}; to go on: ${thisCommand()}\n`);
    throw error;
  } finally {
    bar.stop();
    // What is in flight ends, and a queue is let go of, whatever was thrown here.
    await cells.return(undefined as never);
  }
}

/** The command line as it can be pasted into a shell. */
function thisCommand(): string {
  return shellCommand(["sdtp", ...process.argv.slice(2)]);
}

function kvDtype(word: string): KvDtype {
  const known = kvDtypes.find((name) => name === word);
  if (!known) throw new Error(`KV dtype: ${word} (must be ${kvDtypes.join(", ")})`);
  return known;
}

function wrong(word: string): never {
  throw new Error(`KV policy: ${word} (must be evict or retain)`);
}
