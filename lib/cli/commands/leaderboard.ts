import { Option, type Command } from "commander";
import { type Format, formatOf, formats } from "../../report/formats/index.js";
import { records } from "../../report/table.js";

interface Options {
  output?: string;
  format?: Format;
  json?: boolean;
}

/** `sdtp leaderboard`: methods, budgets and tasks in one table, from what `sdtp evaluate` measured. */
export function register(program: Command): void {
  program
    .command("leaderboard")
    .description("methods x budgets x tasks from evaluation results, with curves of quality against time and bytes")
    .argument("[folder]", "folder of results that sdtp evaluate wrote, or a file", "results/evaluate")
    .option("--output <file>", "write there; the ending sets the format (.html: with curves)")
    .addOption(new Option("--format <format>", "output format (default: md, or as --output ends)").choices(Object.keys(formats)))
    .option("--json", "print JSON")
    .action(leaderboard);
}

async function leaderboard(folder: string, options: Options): Promise<void> {
  const format = options.format ?? (options.output === undefined ? "md" : formatOf(options.output));
  const [{ leaderboards, readEvaluations }, { leaderboardTable, leaderboardViews }, { writeOutput }] = await Promise.all([
    import("../../evaluate/leaderboard.js"), import("../../report/leaderboard.js"), import("../../files.js"),
  ]);
  const boards = leaderboards(await readEvaluations(folder));
  const tables = boards.map(leaderboardTable);
  const text = async () => (format === "html" ? (await import("../../report/views/page.js")).viewPage("Leaderboard", leaderboardViews(boards)) : tables.map((table) => formats[format](table)).join("\n"));
  if (options.output !== undefined) {
    await writeOutput(options.output, await text());
    process.stderr.write(`written: ${options.output}\n`);
  }
  if (options.json) console.log(JSON.stringify(boards.map((board, i) => ({ ...board, records: records(tables[i]!) })), null, 2));
  else if (options.output === undefined) process.stdout.write(await text());
  else for (const table of tables) process.stdout.write(`${formats.md(table)}\n`);
}
