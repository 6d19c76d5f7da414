import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";

/** `sdtp site`: an overview of runs. */
export function register(program: Command): void {
  program
    .command("site")
    .description("one offline page over executed notebooks and results: parameters, headline figures, links, filters")
    .argument("<folder>", "where runs are, and folders below")
    .option("-o, --output <file>", "the page (default: index.html in the folder)")
    .option("--title <text>", "its title (default: the folder's name)")
    .addHelpText(
      "after",
      `
Headline figures of a notebook are the outputs of cells tagged "headline"; of results, the largest speedups of Table 2.
A report of a notebook's name beside it (sdtp export) is linked.

Example:
  sdtp run sweep.ipynb --matrix params.yaml -o runs && sdtp site runs`,
    )
    .action((folder: string, options: { output?: string; title?: string }) => site(folder, options));
}

async function site(folder: string, { output = join(folder, "index.html"), title = basename(resolve(folder)) }: { output?: string; title?: string }): Promise<void> {
  if (!(await stat(folder).catch(() => undefined))?.isDirectory()) throw new Error(`folder: ${folder} (no such folder)`);
  const [{ collect }, { sitePage }, { writeOutput }] = await Promise.all([import("../../notebook/site/collect.js"), import("../../notebook/site/page.js"), import("../../files.js")]);
  const entries = await collect(resolve(folder), resolve(dirname(output)), (text) => void process.stderr.write(`warning: ${text}\n`));
  await writeOutput(output, sitePage(entries, title));
  process.stderr.write(`written: ${output} (${entries.length} ${entries.length === 1 ? "entry" : "entries"})\n`);
}
