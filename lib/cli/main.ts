import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { isAbort } from "../ambient-signal.js";
import { packageRoot } from "../checkpoint/package-root.js";
import { entries } from "./entries.js";
import { joinParameters } from "./parameters.js";

/**
 * The command line as `sdtp` parses it. The module of a command is loaded where it is wanted; the others stand there by
 * name and purpose alone, since loading all takes half a second.
 * @param wanted name of a command; undefined: all of them, whole
 */
export async function commands(wanted?: string): Promise<Command> {
  const program = new Command("sdtp")
    .description("LLM inference on ONNX Runtime with SDTP token pruning (arXiv:2504.04514): generate, measure, report, inspect")
    .version(version())
    .showHelpAfterError("(sdtp --help lists the commands, sdtp COMMAND --help its options)")
    .exitOverride();
  for (const [name, description, load] of entries) {
    if (wanted === undefined || wanted === name) (await load()).register(program);
    else program.command(name).description(description);
  }
  return program;
}

/** Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export async function run(argv: readonly string[]): Promise<void> {
  const [first, second] = argv.slice(2);
  const program = await commands((first === "help" ? second : first) ?? "");
  // A reader that closes the pipe early (`sdtp … | head`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  try {
    // What is done for a job says so from here on.
    if (process.env["SDTP_JOB"]) (await import("../jobs/report.js")).jobReport();
    await program.parseAsync(normalise(argv));
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** The seed writes `--benchmark_mode`: underscores in option names are taken for dashes. */
function normalise(argv: readonly string[]): string[] {
  return (argv[2] === "run" ? joinParameters(argv) : argv).map((argument) => {
    const option = /^--[a-z0-9_-]+/i.exec(argument)?.[0];
    return option ? option.replaceAll("_", "-") + argument.slice(option.length) : argument;
  });
}

function report(error: unknown): number {
  // commander has printed its own message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (isAbort(error)) {
    process.stderr.write("interrupted\n");
    return 130;
  }
  process.stderr.write(`sdtp: ${error instanceof Error ? error.message : String(error)}\n`);
  if (process.env["SDTP_DEBUG"] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return 1;
}

function version(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { version: string }).version;
}
