import { type Command, Option } from "commander";
import { parseLengths } from "../../bench/lengths.js";
import { type BenchmarkMode, readResults, readResultsFolder } from "../../bench/results.js";
import { type Counting, countings } from "../../methods/plan/flops.js";
import { type Format, formatOf, formats } from "../../report/formats/index.js";
import type { PublishedName } from "../../report/published.js";
import { records } from "../../report/table.js";
import { type ColumnSet, columnSets, type Source, table2 } from "../../report/table2.js";
import { writeOutput } from "../../files.js";

interface Options {
  baseline?: string;
  sdtp09?: string;
  sdtp08?: string;
  sdtp07?: string;
  sdtp?: string[];
  mode: BenchmarkMode;
  lengths?: string[];
  output?: string;
  format?: Format;
  columns: ColumnSet;
  counting?: Counting;
  compare?: PublishedName;
  json?: boolean;
}

/** Where `sdtp profile` writes unless told. */
const DEFAULT_FOLDER = "results";

/** `sdtp report-table2`: Table 2 from results files. */
export function register(program: Command): void {
  program
    .command("report-table2")
    .description("Table 2 (latency, speedups, KV reduction) from results files")
    .argument("[folder]", `folder of results files: everything there of the mode asked for (default: ${DEFAULT_FOLDER})`)
    .option("--baseline <file>", "whose baseline is shown: a baseline's file or any configuration's")
    .option("--sdtp09 <file>", "results of keep09")
    .option("--sdtp08 <file>", "results of keep08")
    .option("--sdtp07 <file>", "results of keep07")
    .option("--sdtp <name=file...>", "results of any other configuration")
    .addOption(new Option("--mode <mode>", "which table").choices(["prefill", "end2end"]).default("end2end"))
    .option("--lengths <n...>", "prompt lengths to show, ascending (default: all)")
    .option("--output <file>", "write there; the ending sets the format")
    .addOption(new Option("--format <format>", "output format (default: md, or as --output ends)").choices(Object.keys(formats)))
    .addOption(new Option("--columns <set>", "the seed's columns, the paper's with TFLOPs and memory, or the device's memory, energy, power, use and clocks").choices(columnSets).default("seed"))
    .addOption(new Option("--counting <counting>", "which FLOPs the paper's columns show (default: exact; published results alone: paper)").choices([...countings]))
    .addOption(new Option("--compare <published>", "put published speedups beside the measured ones").choices(["paper", "python"]))
    .option("--json", "print JSON alone: rows, conditions, warnings")
    .addHelpText(
      "after",
      `
A row's speedups are against the baseline measured in its own file; where the baseline shown is from another run, a warning says so.

Examples:
  sdtp report-table2 results/
  sdtp report-table2 --baseline results/latency_results_baseline.json --sdtp07 results/latency_results_keep07.json --output results/table2_report.md
  sdtp report-table2 results/ --columns paper --format latex
  sdtp report-table2 --compare paper`,
    )
    .action((folder: string | undefined, options: Options) => reportTable2(folder, options));
}

async function reportTable2(folder: string | undefined, options: Options): Promise<void> {
  const { mode, columns, counting, compare, output } = options;
  const lengths = options.lengths && parseLengths(options.lengths);
  const format = options.format ?? (output ? formatOf(output) : "md");
  const baseline = options.baseline ? { file: options.baseline, results: await readResults(options.baseline) } : undefined;
  const sources = await readSources(folder, options);
  const table = table2({ mode, sources, columns, ...(counting && { counting }), ...(baseline && { baseline }), ...(lengths && { lengths }), ...(compare && { compare }) });
  const text = formats[format](table);
  if (output) await writeOutput(output, text);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ title: table.title, conditions: table.above, warnings: table.warnings, rows: records(table) }, null, 2)}\n`);
    return;
  }
  if (output) process.stderr.write(`written: ${output}\n`);
  // Formats for programs have no place for warnings; a warning must not get lost.
  if (output || format === "csv" || format === "jsonl") for (const warning of table.warnings) process.stderr.write(`warning: ${warning}\n`);
  process.stdout.write(text);
}

async function readSources(folder: string | undefined, options: Options): Promise<Source[]> {
  const named = [["keep09", options.sdtp09], ["keep08", options.sdtp08], ["keep07", options.sdtp07], ...(options.sdtp ?? []).map(splitName)] as const;
  const given = named.filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
  const sources = await Promise.all(
    given.map(async ([config, file]) => {
      const results = await readResults(file);
      if (results.metadata.config !== config) throw new Error(`results file: ${file}: metadata.config: ${results.metadata.config} (must be ${config}, as the option says)`);
      return { file, results };
    }),
  );
  if (folder === undefined && (sources.length > 0 || options.baseline)) return sources;
  try {
    return [...sources, ...[...(await readResultsFolder(folder ?? DEFAULT_FOLDER, options.mode))].map(([file, results]) => ({ file, results }))];
  } catch (error) {
    // Published results alone can be shown too; a folder that was asked for must be there.
    if (folder === undefined && options.compare && /^results folder: /.test((error as Error).message)) return sources;
    throw error;
  }
}

function splitName(argument: string): readonly [string, string] {
  const [, name, file] = /^([^=]+)=(.+)$/.exec(argument) ?? [];
  if (!name || !file) throw new Error(`--sdtp: ${argument} (must be NAME=FILE)`);
  return [name, file];
}
