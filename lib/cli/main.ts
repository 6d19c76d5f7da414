import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { isAbort } from "../ambient-signal.js";
import { packageRoot } from "../checkpoint/package-root.js";
import { register as bench } from "./commands/bench.js";
import { register as cache } from "./commands/cache.js";
import { register as compare } from "./commands/compare.js";
import { register as test } from "./commands/test.js";
import { register as check } from "./commands/check.js";
import { register as diff } from "./commands/diff.js";
import { register as mcp } from "./commands/mcp.js";
import { register as site } from "./commands/site.js";
import { register as convert } from "./commands/convert.js";
import { register as doctor } from "./commands/doctor.js";
import { register as dtypes } from "./commands/dtypes.js";
import { register as evaluate } from "./commands/evaluate.js";
import { register as exportModel } from "./commands/export-model.js";
import { register as exportNotebook } from "./commands/export.js";
import { register as fetchCommand } from "./commands/fetch.js";
import { register as flops } from "./commands/flops.js";
import { register as generate } from "./commands/generate.js";
import { register as kernel } from "./commands/kernel.js";
import { register as kv } from "./commands/kv.js";
import { register as leaderboard } from "./commands/leaderboard.js";
import { register as plan } from "./commands/plan.js";
import { register as profile } from "./commands/profile.js";
import { register as quality } from "./commands/quality.js";
import { register as queue } from "./commands/queue.js";
import { register as reportTable2 } from "./commands/report-table2.js";
import { joinParameters, register as runNotebook } from "./commands/run.js";
import { register as start } from "./commands/start.js";
import { register as sweep } from "./commands/sweep.js";
import { register as serve } from "./commands/serve.js";
import { register as tokens } from "./commands/tokens.js";
import { register as train } from "./commands/train.js";
import { register as worker } from "./commands/worker.js";

/** Every command with its options, as `sdtp` parses them. */
export function commands(): Command {
  const program = new Command("sdtp")
    .description("LLM inference on ONNX Runtime with SDTP token pruning (arXiv:2504.04514): generate, measure, report, inspect")
    .version(version())
    .showHelpAfterError("(sdtp --help lists the commands, sdtp COMMAND --help its options)")
    .exitOverride();
  for (const register of [start, generate, profile, reportTable2, sweep, worker, queue, compare, kv, tokens, evaluate, leaderboard, plan, flops, bench, quality, dtypes, runNotebook, test, check, diff, mcp, site, convert, exportNotebook, exportModel, serve, fetchCommand, kernel, doctor, train, cache]) register(program);
  return program;
}

/** Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export async function run(argv: readonly string[]): Promise<void> {
  const program = commands();
  // A reader that closes the pipe early (`sdtp … | head`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  try {
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
