import { InvalidArgumentError, type Command } from "commander";
import type { RunResult, Values } from "../../notebook/index.js";
import { duration } from "../../report/duration.js";
import { interruptSignal } from "../interrupt.js";
import { number } from "../options.js";
import { runProgress } from "../run-progress.js";

interface Options {
  output?: string;
  parameter: [string, string][];
  parametersFile: string[];
  kernel?: string;
  timeout?: number;
  allowErrors?: boolean;
  helpNotebook?: boolean;
}

/** `sdtp run`: a notebook without Jupyter. */
export function register(program: Command): void {
  program
    .command("run")
    .description("run a notebook from the command line, with parameters")
    .argument("<notebook>", "an .ipynb file for any kernel that Jupyter knows")
    .option("-o, --output <file>", "the notebook with its outputs (default: NAME.out.ipynb beside it)")
    .option("-p, --parameter <name value>", "set a parameter; the value is JSON, else text; may be repeated", pair, [])
    .option("-f, --parameters-file <file>", "parameters from a YAML or JSON file; may be repeated; -p wins", (file, earlier: string[]) => [...earlier, file], [])
    .option("--help-notebook", "list the notebook's parameters with types and defaults, and stop")
    .option("--kernel <name>", "the kernel to run on (default: the notebook's own)")
    .option("--timeout <seconds>", "longest that a cell may take (default: no limit)", seconds)
    .option("--allow-errors", "go on after cells that fail")
    .addHelpText("after", HELP)
    .action((notebook: string, options: Options) => run(notebook, options));
}

const HELP = `
A cell tagged "parameters" declares what can be set, with types: let lengths: number[] = [1024]. Given values are
checked against them before anything runs, and set in a cell tagged "injected-parameters" after it (as papermill does).

Cells tagged "skip" do not run; cells tagged "raises-exception" may fail. The notebook is written after each cell.
On an error the run stops, and the notebook has a banner at its top that links to the cell.

Exit codes:
  0    every cell ran
  1    a cell failed
  2    wrong usage: no such notebook, parameter or kernel; nothing was run
  3    the kernel died, or did not start
  4    a cell took longer than --timeout
  130  interrupted (Ctrl-C)

Examples:
  sdtp run my-sweep.ipynb -p lengths '[1024, 4096]' -p model ~/models/Qwen2.5-0.5B -o my-sweep-qwen.ipynb
  sdtp run my-sweep.ipynb --help-notebook`;

async function run(notebook: string, options: Options): Promise<void> {
  const library = await import("../../notebook/index.js");
  try {
    if (options.helpNotebook) return await helpNotebook(notebook);
    const { output, kernel, timeout, allowErrors } = options;
    const values = await given(options);
    const show = runProgress();
    const result = await library.runNotebook(notebook, {
      values,
      ...(output !== undefined && { output }),
      ...(kernel !== undefined && { kernel }),
      ...(timeout !== undefined && { timeout }),
      ...(allowErrors && { allowErrors }),
      signal: interruptSignal(),
      onProgress: show.progress,
    }).finally(show.stop);
    process.stderr.write(`${ending(result)}\n`);
    process.exitCode = library.exitCode(result);
  } catch (error) {
    if (!(error instanceof library.UsageError)) throw error;
    process.stderr.write(`sdtp: ${error.message}\n`);
    process.exitCode = 2;
  }
}

/** Values of files in order, then those of the command line. */
async function given({ parametersFile, parameter }: Options): Promise<Values> {
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

function ending({ status, stop, output, completed, total, seconds: taken }: RunResult): string {
  const written = status === "interrupted" && completed === 0 && !stop?.cell ? "" : `\n${output}`;
  if (status === "completed") return `${total} cells in ${duration(taken)}${written}`;
  const where = stop?.number === undefined ? "" : `cell ${stop.number} of ${total}, `;
  return `${where}${stop?.message}${written}`;
}

/**
 * `-p name value` as one argument: commander has no options that take two. Other arguments stay.
 */
export function joinParameters(argv: readonly string[]): string[] {
  const joined: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? "";
    joined.push(argument);
    if ((argument === "-p" || argument === "--parameter") && i + 2 < argv.length) joined.push(JSON.stringify([argv[++i], argv[++i]]));
  }
  return joined;
}

function pair(text: string, earlier: [string, string][]): [string, string][] {
  try {
    return [...earlier, JSON.parse(text) as [string, string]];
  } catch {
    throw new InvalidArgumentError("must be followed by a name and a value");
  }
}

function seconds(text: string): number {
  const value = number(text);
  if (value <= 0) throw new InvalidArgumentError("must be more than 0");
  return value;
}
