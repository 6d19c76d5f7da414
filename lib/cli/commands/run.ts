import { InvalidArgumentError, type Command } from "commander";
import type { PlannedRun, RunResult, Values } from "../../notebook/index.js";
import { duration } from "../../report/duration.js";
import { detachable } from "../detach.js";
import { interruptSignal } from "../interrupt.js";
import { number, positiveInteger } from "../options.js";
import { pair } from "../parameters.js";
import { manyProgress, runProgress } from "../run-progress.js";

interface Options {
  output?: string;
  parameter?: [string, string][];
  parametersFile?: string[];
  matrix?: string;
  jobs: number;
  failed?: boolean;
  cache?: boolean;
  fromCell?: number;
  changed?: boolean;
  kernel?: string;
  timeout?: number;
  allowErrors?: boolean;
  helpNotebook?: boolean;
}

/** `sdtp run`: notebooks without Jupyter. */
export function register(program: Command): void {
  const command = program
    .command("run")
    .description("run notebooks from the command line, with parameters")
    .argument("<notebooks...>", ".ipynb files for any kernel that Jupyter knows, or text notebooks (.ts, .js, .md)")
    .option("-o, --output <path>", "the notebook with its outputs (default: NAME.out.ipynb beside it; of text, NAME.ipynb); of several runs, their folder")
    .option("-p, --parameter <name value>", "set a parameter; the value is JSON, else text; may be repeated", pair)
    .option("-f, --parameters-file <file>", "parameters from a YAML or JSON file; may be repeated; -p wins", (file, earlier: string[] = []) => [...earlier, file])
    .option("--matrix <file>", "a run for each parameter set of a YAML or JSON file")
    .option("--jobs <n>", "runs at a time, where there are several", positiveInteger, 1)
    .option("--failed", "of several runs, those whose output is missing or did not complete")
    .option("--cache", "keep cells that did not change since the last run of this output")
    .option("--from-cell <n>", "as --cache, but run this cell (1: the first code cell that runs) and all after it", positiveInteger)
    .option("--changed", "run only cells that changed since the last run of this output, and what depends on them")
    .option("--help-notebook", "list the notebook's parameters with types and defaults, and stop")
    .option("--kernel <name>", "the kernel to run on (default: the notebook's own)")
    .option("--timeout <seconds>", "longest that a cell may take (default: no limit)", seconds)
    .option("--allow-errors", "go on after cells that fail")
    .addHelpText("after", HELP);
  detachable(command, {
    results: ({ output }: Options, [notebooks]: [string[], ...unknown[]]) => output ?? (notebooks.length === 1 ? notebooks[0]! : "."),
    // Of one notebook, what was kept by its cells goes on; of several, those that are not complete.
    resume: ({ matrix, cache, fromCell, changed }, [notebooks]) => (notebooks.length > 1 || matrix !== undefined ? ["--failed"] : cache || fromCell !== undefined || changed ? [] : ["--cache"]),
  }, (notebooks: string[], options: Options) => run(notebooks, options));
}

const HELP = `
A cell tagged "parameters" declares what can be set, with types: let lengths: number[] = [1024]. Given values are
checked against them before anything runs, and set in a cell tagged "injected-parameters" after it (as papermill does).

Cells tagged "skip" do not run; cells tagged "raises-exception" may fail. The notebook is written after each cell.
On an error the run stops, and the notebook has a banner at its top that links to the cell.

Several notebooks, or a matrix: each run has a kernel of its own, and one that fails does not stop the others. A matrix
is a list of parameter sets, or lists of values by name, of which every combination runs; -f and -p give what all have in
common. Outputs are named by the parameters of the matrix: NAME.length=1024,model=tiny.out.ipynb. Runs with --jobs share
the machine: their timings are no benchmark.

--cache keeps the cells at the top whose source and earlier cells, with parameters, local modules, lock file, kernel and
version, are those of the last run of the output, and runs the rest. Their variables come from disk, where they were
saved after each cell: plain data, arrays, maps and dates exactly; functions and classes are defined anew. Where a later
cell needs anything else (a model, a data frame), everything from the first cell that touches it runs again; so does
everything from a cell that does more than set variables (process, timers, globals, unknown modules), and, on other
kernels than this one or with more than 64 MiB of variables, every cell unless none changed. The reason is printed and in
the cells' metadata. Files that cells read, the network, the clock, chance and environment variables are not looked at:
where these changed, run without --cache or from the cell that reads them (--from-cell).

--changed goes by what cells do with each other's variables, as the compiler sees it: it runs cells that changed, all that
depend on them, and those whose variables these need; everything else keeps its outputs. A cell depends on those that declare,
assign or change what it uses, directly or through functions, and on those that act beyond variables. Methods of packages
are taken to leave objects as they are, save those named as the language's own that change them (push, set, …). Files, the
network, the clock and chance are not looked at. The first run with --changed runs every cell.

Exit codes, of several runs that of the first which did not complete:
  0    every cell ran
  1    a cell failed
  2    wrong usage: no such notebook, parameter or kernel; nothing was run
  3    the kernel died, or did not start
  4    a cell took longer than --timeout
  130  interrupted (Ctrl-C)

Examples:
  sdtp run my-sweep.ipynb -p lengths '[1024, 4096]' -p model ~/models/Qwen2.5-0.5B -o my-sweep-qwen.ipynb
  sdtp run my-sweep.ipynb --help-notebook
  sdtp run my-sweep.ipynb --matrix params.yaml --jobs 2 -o runs
  sdtp run my-sweep.ipynb --matrix params.yaml --jobs 2 -o runs --failed`;

async function run(notebooks: string[], options: Options): Promise<void> {
  const library = await import("../../notebook/index.js");
  try {
    if (options.helpNotebook) for (const notebook of notebooks) await helpNotebook(notebook);
    else if (notebooks.length > 1 || options.matrix !== undefined) await runMany(notebooks, options);
    else if (options.failed) throw new library.UsageError("--failed: is for several notebooks, or --matrix");
    else await runOne(notebooks[0] ?? "", options);
  } catch (error) {
    if (!(error instanceof library.UsageError)) throw error;
    process.stderr.write(`sdtp: ${error.message}\n`);
    process.exitCode = 2;
  }
}

/** What one run and several have in common. */
function runOptions({ kernel, timeout, allowErrors, cache, fromCell, changed }: Options) {
  return {
    ...(kernel !== undefined && { kernel }),
    ...(timeout !== undefined && { timeout }),
    ...(allowErrors && { allowErrors }),
    ...(cache && { cache }),
    ...(fromCell !== undefined && { fromCell }),
    ...(changed && { changed }),
    signal: interruptSignal(),
  };
}

async function runOne(notebook: string, options: Options): Promise<void> {
  const library = await import("../../notebook/index.js");
  const { output } = options;
  const values = await given(options);
  const show = runProgress();
  const result = await library.runNotebook(notebook, {
    ...runOptions(options),
    values,
    ...(output !== undefined && { output }),
    onProgress: show.progress,
    onNote: (text) => process.stderr.write(`cache: ${text}\n`),
    onWarning: (text) => process.stderr.write(`warning: ${text}\n`),
  }).finally(show.stop);
  process.stderr.write(`${ending(result)}\n`);
  process.exitCode = library.exitCode(result);
}

async function runMany(notebooks: string[], options: Options): Promise<void> {
  const library = await import("../../notebook/index.js");
  const { matrix, output: folder, jobs } = options;
  const sets = matrix === undefined ? undefined : await library.readMatrix(matrix);
  const twice = options.parameter?.find(([name]) => sets?.some((set) => name in set));
  if (twice) throw new library.UsageError(`parameter ${twice[0]}: is in the matrix and in -p`);
  const all = library.plannedRuns(notebooks, { ...(sets && { sets }), common: await given(options), ...(folder !== undefined && { folder }) });
  const complete = await Promise.all(all.map(async (run) => options.failed === true && (await library.isComplete(run))));
  const runs = all.filter((_, i) => !complete[i]);
  const show = manyProgress(runs.length);
  const results = await library.runNotebooks(runs, {
    ...runOptions(options),
    jobs,
    onProgress: show.progress,
    onNote: ({ output }, text) => show.line(`${output}: cache: ${text}`),
    onEnd: show.end,
  }).finally(show.stop);
  if (runs.length > 0) console.log(summary(runs, results));
  const bad = results.filter((result) => result?.status !== "completed");
  const kept = all.length - runs.length;
  const counts = [`${runs.length - bad.length} of ${runs.length} runs completed`, ...(kept > 0 ? [`${kept} were complete before`] : [])];
  process.stderr.write(`${counts.join("; ")}${bad.length > 0 ? "; the same command with --failed runs the others again" : ""}\n`);
  process.exitCode = library.exitCode(bad.find((result) => result !== undefined) ?? { status: bad.length > 0 ? "interrupted" : "completed" });
}

/** Values of files in order, then those of the command line. */
async function given({ parametersFile = [], parameter = [] }: Options): Promise<Values> {
  const { parseValue, readValues } = await import("../../notebook/index.js");
  const files = await Promise.all(parametersFile.map(readValues));
  return Object.assign({}, ...files, Object.fromEntries(parameter.map(([name, text]) => [name, parseValue(text)]))) as Values;
}

async function helpNotebook(file: string): Promise<void> {
  const { declaredParameters, listParameters, readNotebook, UsageError } = await import("../../notebook/index.js");
  const notebook = await readNotebook(file).catch((error: Error) => {
    throw new UsageError(error.message);
  });
  const parameters = await declaredParameters(notebook);
  console.log(parameters.length ? `parameters of ${file}:\n${listParameters(parameters)}` : `${file} has no parameters (no cell tagged "parameters" that declares any)`);
}

function ending({ status, stop, output, completed, total, cached, seconds: taken }: RunResult): string {
  const written = status === "interrupted" && completed === 0 && !stop?.cell ? "" : `\n${output}`;
  if (status === "completed") return `${total} cells in ${duration(taken)}${cached > 0 ? `, of which ${cached} were kept` : ""}${written}`;
  const where = stop?.number === undefined ? "" : `cell ${stop.number} of ${total}, `;
  return `${where}${stop?.message}${written}`;
}

/** A line for each run; below it, what went wrong. */
function summary(runs: PlannedRun[], results: (RunResult | undefined)[]): string {
  const rows = runs.map(({ output }, i) => {
    const result = results[i];
    if (!result) return [output, "not run", "", "", ""];
    const { status, completed, total, cached, seconds, stop } = result;
    const why = stop && status !== "interrupted" ? `${stop.number === undefined ? "" : `cell ${stop.number}: `}${stop.message.split("\n")[0]}` : "";
    return [output, status, `${completed}/${total}${cached > 0 ? ` (${cached} kept)` : ""}`, duration(seconds), why];
  });
  const table = [["output", "status", "cells", "time", ""], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table.map((row) => row.map((text, i) => text.padEnd(widths[i] ?? 0)).join("  ").trimEnd()).join("\n");
}

function seconds(text: string): number {
  const value = number(text);
  if (value <= 0) throw new InvalidArgumentError("must be more than 0");
  return value;
}
