import { InvalidArgumentError, type Command } from "commander";
import type { Notebook } from "../../notebook/types.js";
import { number } from "../options.js";

interface Options {
  html?: string;
  json?: boolean;
  rtol: number;
  times?: boolean;
  color?: boolean;
  installGit?: boolean;
  gitDiff?: boolean;
  gitMerge?: boolean;
}

/** `sdtp diff`: two notebooks, by cells and outputs. */
export function register(program: Command): void {
  program
    .command("diff")
    .description("what differs between two notebooks: cells, and outputs by value")
    .argument("[files...]", "two notebooks, .ipynb or text")
    .option("--html <file>", "write a page that opens offline")
    .option("--json", "print JSON alone")
    .option("--rtol <x>", "how far numbers in outputs may be apart, relative to the larger", tolerance, 0)
    .option("--times", "compare times, rates and speedups as well")
    .option("--color", "colours, also where the output is no terminal")
    .option("--install-git", "make git diff and git merge in this repository go by cells")
    .option("--git-diff", "for git: as its external diff command")
    .option("--git-merge", "for git: as its merge driver (base, ours, theirs, path)")
    .addHelpText(
      "after",
      `
Outputs are compared as sdtp test compares them: tables cell by cell, charts by their data, pictures left out.
What runs and clients note in metadata is left out.

With --install-git a merge goes cell by cell and line by line; where both sides changed the same lines, the cell has git's
marks, the notebook still opens, and git reports the conflict.

Exit codes: 0 no differences, 1 differences, 2 wrong usage.

Examples:
  sdtp diff before.ipynb after.ipynb --rtol 1e-3
  sdtp diff before.ipynb after.ipynb --html diff.html
  sdtp diff --install-git`,
    )
    .action((files: string[], options: Options) => diff(files, options));
}

async function diff(files: string[], options: Options): Promise<void> {
  if (options.installGit) {
    const { installGit } = await import("../../notebook/diff/git.js");
    console.log(`git diff and git merge go by cells: ${await installGit(process.cwd())}`);
    return;
  }
  if (options.gitMerge) return merge(files);
  // path old-file old-hex old-mode new-file new-hex new-mode
  const [before = "", after = ""] = options.gitDiff ? [files[1], files[4]] : files;
  if (!options.gitDiff && files.length !== 2) {
    process.stderr.write(`sdtp: diff: ${files.length} files (must be two notebooks)\n`);
    process.exitCode = 2;
    return;
  }
  const [{ diffNotebooks }, show, { readNotebook }] = await Promise.all([import("../../notebook/diff/diff.js"), import("../../notebook/diff/show.js"), import("../../notebook/read.js")]);
  const read = (file: string) => (options.gitDiff ? gitRead(file, files[0] ?? file) : readNotebook(file));
  let notebooks: [Notebook, Notebook];
  try {
    notebooks = [await read(before), await read(after)];
  } catch (error) {
    process.stderr.write(`sdtp: ${(error as Error).message}\n`);
    // Any other code than 0 ends git's whole diff.
    process.exitCode = options.gitDiff ? 0 : 2;
    return;
  }
  const changes = diffNotebooks(...notebooks, { rtol: options.rtol, ...(options.times && { exactTimes: true }) });
  const names: [string, string] = options.gitDiff ? [`a/${files[0]}`, `b/${files[0]}`] : [before, after];
  const differ = changes.some(({ kind }) => kind !== "same");
  if (options.html !== undefined) {
    await (await import("../../files.js")).writeOutput(options.html, show.asHtml(changes, names));
    process.stderr.write(`written: ${options.html}\n`);
  } else if (options.json) process.stdout.write((await import("../../format-json.js")).formatJson(changes.filter(({ kind }) => kind !== "same")));
  else process.stdout.write(show.asText(changes, names, options.color === true || process.stdout.isTTY === true || (options.gitDiff === true && process.env["GIT_PAGER_IN_USE"] !== undefined)));
  process.exitCode = differ && !options.gitDiff ? 1 : 0;
}

/** A side of git's: a file of any name, or nothing for one that was not there. */
async function gitRead(file: string, path: string): Promise<Notebook> {
  if (file === "/dev/null" || file === "nul") return { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] };
  const [{ parseNotebook }, { readText }] = await Promise.all([import("../../notebook/read.js"), import("../../files.js")]);
  return parseNotebook(await readText("notebook", file), path);
}

/** Merges into the second file, as git wants it. Exit code 1: conflicts. */
async function merge([base = "", ours = "", theirs = "", path = ours]: string[]): Promise<void> {
  const [{ mergeNotebooks }, { writeNotebook }] = await Promise.all([import("../../notebook/diff/merge.js"), import("../../notebook/write.js")]);
  const [was, mine, other] = await Promise.all([base, ours, theirs].map((file) => gitRead(file, path)));
  const { notebook, conflicts } = mergeNotebooks(was!, mine!, other!);
  await writeNotebook(ours, notebook);
  for (const { cell, reason } of conflicts) process.stderr.write(`${path}: cell ${cell}: ${reason}\n`);
  process.exitCode = conflicts.length > 0 ? 1 : 0;
}

function tolerance(text: string): number {
  const value = number(text);
  if (value < 0) throw new InvalidArgumentError("must be 0 or more");
  return value;
}
