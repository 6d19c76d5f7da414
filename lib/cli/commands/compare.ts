import { stat } from "node:fs/promises";
import { type Command, Option } from "commander";
import type { BenchmarkMode, Results } from "../../bench/results.js";
import { formatJson } from "../../format-json.js";
import { type Format, formats } from "../../report/formats/index.js";

interface Options {
  mode: BenchmarkMode;
  format: Format;
  json?: boolean;
}

/** `sdtp compare`: are two result sets different beyond noise? */
export function register(program: Command): void {
  program
    .command("compare")
    .description("are two result sets different beyond noise? Every latency of A against that of B")
    .argument("<a>", "a results file, or a folder of them")
    .argument("<b>", "another one, of the same model")
    .addOption(new Option("--mode <mode>", "which files of a folder").choices(["prefill", "end2end"]).default("end2end"))
    .addOption(new Option("--format <format>", "output format").choices(Object.keys(formats)).default("md"))
    .option("--json", "print JSON alone")
    .addHelpText("after", `
A latency counts as different where the Mann-Whitney test on the samples says so, at 5 % false findings over all
latencies compared (Benjamini and Hochberg).

Example:
  sdtp compare before/latency_results_keep07.json after/latency_results_keep07.json`)
    .action((a: string, b: string, options: Options) => run(a, b, options));
}

async function run(a: string, b: string, { mode, format, json }: Options): Promise<void> {
  const [{ compare }, { comparisonTable }] = await Promise.all([import("../../bench/compare.js"), import("../../report/compare.js")]);
  const result = compare(await read(a, mode), await read(b, mode));
  process.stdout.write(json ? formatJson(result) : formats[format](comparisonTable(result)));
}

async function read(path: string, mode: BenchmarkMode): Promise<Results[]> {
  const { readResults, readResultsFolder } = await import("../../bench/results.js");
  const folder = await stat(path).then((info) => info.isDirectory(), () => false);
  return folder ? [...(await readResultsFolder(path, mode)).values()] : [await readResults(path)];
}
