import { type Command, Option } from "commander";
import { interruptSignal } from "../interrupt.js";
import { progressBar } from "../progress.js";

interface Options {
  format: "text" | "json" | "github";
  json?: boolean;
}

/** `sdtp check`: types of whole notebooks. */
export function register(program: Command): void {
  program
    .command("check")
    .description("check the types of whole notebooks, as the kernel would, and run nothing")
    .argument("<notebooks...>", ".ipynb files, text notebooks (.ts, .js, .md), or folders of .ipynb files")
    .addOption(new Option("--format <format>", "what to print: text, json, or annotations of GitHub's workflows (default there)").choices(["text", "json", "github"]).default(process.env["GITHUB_ACTIONS"] === "true" ? "github" : "text"))
    .option("--json", "as --format json")
    .addHelpText(
      "after",
      `
Every cell is compiled after those above it, by the kernel's compiler: the same packages, tsconfig.json and strictness as
in a run. Cells tagged "skip" are left out; those tagged "raises-exception" may have errors. Notebooks of other kernels
are named and left out.

Exit codes: 0 no errors, 1 errors, 2 wrong usage, 130 interrupted.

Examples:
  sdtp check notebooks/ analysis.ts
  sdtp check notebooks/*.ipynb --format github`,
    )
    .action((notebooks: string[], options: Options) => check(notebooks, options));
}

async function check(paths: string[], options: Options): Promise<void> {
  const [{ checkNotebooks }, { findNotebooks }, { UsageError }, formats] = await Promise.all([
    import("../../notebook/check/check.js"), import("../../notebook/find.js"), import("../../notebook/parameters/parameter.js"), import("../../notebook/check/formats.js"),
  ]);
  const format = options.json ? "json" : options.format;
  const bar = progressBar();
  try {
    const files = await findNotebooks(paths);
    bar.update(0, files[0] ?? "");
    const results = await checkNotebooks(files, { signal: interruptSignal(), onChecked: ({ notebook }, done, total) => bar.update(done / total, notebook) }).finally(() => bar.stop());
    const problems = results.flatMap((each) => each.problems);
    if (format === "json") {
      const { formatJson } = await import("../../format-json.js");
      process.stdout.write(formatJson(results));
    } else if (problems.length > 0) console.log(format === "github" ? formats.asGitHub(results) : formats.asText(results));
    for (const { notebook, skipped, remark } of results) for (const text of [skipped, remark]) if (text !== undefined) process.stderr.write(`${notebook}: ${text}\n`);
    const checked = results.filter(({ skipped }) => skipped === undefined);
    const cells = checked.reduce((sum, each) => sum + each.cells, 0);
    process.stderr.write(`${count(problems.length, "error")} in ${count(cells, "cell")} of ${count(checked.length, "notebook")}\n`);
    process.exitCode = problems.length > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`sdtp: ${error.message}\n`);
    process.exitCode = 2;
  } finally {
    bar.stop();
  }
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;
