import { InvalidArgumentError, type Command } from "commander";
import type { CellResult, NotebookResult } from "../../notebook/test/test.js";
import { duration } from "../../report/duration.js";
import { interruptSignal } from "../interrupt.js";
import { number } from "../options.js";
import { runProgress } from "../run-progress.js";

interface Options {
  rtol: number;
  timeout?: number;
  junit?: string;
  json?: boolean;
  update?: boolean;
  kernel?: string;
}

/** Differences of one cell that are printed. */
const MOST = 10;

/** `sdtp test`: notebooks against their stored outputs. */
export function register(program: Command): void {
  program
    .command("test")
    .description("run notebooks and compare with the outputs that are stored in them")
    .argument("<notebooks...>", ".ipynb files, text notebooks with their .ipynb beside them, or folders of .ipynb files")
    .option("--rtol <x>", "how far numbers may be apart, relative to the larger (default: 0, as written)", tolerance, 0)
    .option("--timeout <seconds>", "longest that a cell may take (default: no limit)", number)
    .option("--junit <file>", "write the results as JUnit XML")
    .option("--json", "print the results as JSON")
    .option("--update", "store the new outputs of cells that differ")
    .option("--kernel <name>", "the kernel to run on (default: the notebook's own)")
    .addHelpText(
      "after",
      `
Compared are text, JSON, tables cell by cell, the data of charts, and errors; pictures and looks are left out. Not compared
are numbers with a unit of time or rate in text ("12.5 ms", "40 tokens/s"), columns of tables and axes of charts whose
name says that they are times, rates, speedups or memory, all numbers of cells tagged "timing", and all outputs
of cells tagged "ignore-output" (or "nbval-ignore-output").

The notebooks stay as they are, unless --update stores what is new.

Exit codes: 0 all as stored, 1 differences or errors, 2 wrong usage, 130 interrupted.

Examples:
  sdtp test notebooks/ --rtol 1e-4 --junit results.xml
  sdtp test notebooks/quickstart.ipynb --update`,
    )
    .action((notebooks: string[], options: Options) => test(notebooks, options));
}

async function test(paths: string[], { junit: file, json, ...options }: Options): Promise<void> {
  const [{ testNotebook }, { findNotebooks }, { UsageError }] = await Promise.all([import("../../notebook/test/test.js"), import("../../notebook/find.js"), import("../../notebook/parameters/parameter.js")]);
  const signal = interruptSignal();
  const results: NotebookResult[] = [];
  try {
    for (const [i, notebook] of (await findNotebooks(paths)).entries()) {
      if (signal.aborted) break;
      if (i > 0) process.stderr.write("\n");
      process.stderr.write(`${notebook}\n`);
      const show = runProgress();
      const result = await testNotebook(notebook, { ...options, signal, onProgress: show.progress }).finally(show.stop);
      results.push(result);
      if (!json) console.log(report(result));
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`sdtp: ${error.message}\n`);
    process.exitCode = 2;
    return;
  }
  if (json) process.stdout.write((await import("../../format-json.js")).formatJson(results));
  if (file !== undefined) {
    const [{ junit }, { writeOutput }] = await Promise.all([import("../../notebook/test/junit.js"), import("../../files.js")]);
    await writeOutput(file, junit(results), "junit");
    process.stderr.write(`written: ${file}\n`);
  }
  if (signal.aborted) process.stderr.write("interrupted\n");
  process.exitCode = signal.aborted ? 130 : results.every(({ passed }) => passed) ? 0 : 1;
}

function report({ notebook, passed, cells, seconds, updated }: NotebookResult): string {
  const count = (status: string) => cells.filter((cell) => cell.status === status).length;
  const bad = cells.filter(({ status }) => status === "failed" || status === "error");
  const counts = [`${count("passed")} of ${cells.length} cells as stored`, ...(count("skipped") > 0 ? [`${count("skipped")} not compared`] : []), ...(updated > 0 ? [`${updated} stored anew`] : [])];
  return [...bad.map((cell) => cellReport(notebook, cell)), `${passed ? "passed" : "FAILED"}  ${notebook}: ${counts.join(", ")} (${duration(seconds)})`].join("\n");
}

function cellReport(notebook: string, { cell, name, differences, message }: CellResult): string {
  const lines = differences.slice(0, MOST).flatMap(({ place, before, after }) => [`  ${place}`, ...indented("-", before), ...indented("+", after)]);
  const more = differences.length > MOST ? [`  … ${differences.length - MOST} more differences`] : [];
  return [`${notebook}: cell ${cell}: ${name}`, ...(message === undefined ? [] : message.split("\n").map((line) => `  ${line}`)), ...lines, ...more].join("\n");
}

function indented(sign: string, text: string): string[] {
  const lines = text.split("\n");
  return [...lines.slice(0, MOST).map((line) => `    ${sign} ${line}`), ...(lines.length > MOST ? [`    ${sign} … ${lines.length - MOST} more lines`] : [])];
}

function tolerance(text: string): number {
  const value = number(text);
  if (value < 0) throw new InvalidArgumentError("must be 0 or more");
  return value;
}
