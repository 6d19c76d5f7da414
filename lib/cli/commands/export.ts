import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { type Command, Option } from "commander";
import type { Format } from "../../notebook/export/index.js";
import type { Template } from "../../notebook/export/options.js";
import { samePath } from "../../notebook/same-path.js";
import type { Notebook } from "../../notebook/types.js";
import { interruptSignal } from "../interrupt.js";
import { writeOutput } from "../../files.js";
import { runProgress } from "../run-progress.js";

interface Options {
  to?: Format;
  output?: string;
  execute?: boolean;
  template: string;
  input: boolean;
  trust?: boolean;
  chromium?: string;
  bibliography?: string[];
}

/** What a file is called in each format; the first ending is the default. */
const endings: Readonly<Record<Format, readonly string[]>> = { html: [".html", ".htm"], markdown: [".md", ".markdown"], pdf: [".pdf"], latex: [".tex"], slides: [".slides.html"], notebook: [".ipynb"] };

/** `sdtp export`: a notebook as a report. */
export function register(program: Command): void {
  program
    .command("export")
    .description("a notebook as a report (HTML, Markdown, PDF, LaTeX), as slides, or as a notebook to share")
    .argument("<notebook>", "the .ipynb file")
    .addOption(new Option("--to <format>", "what to write (default: as --output ends, else html)").choices(Object.keys(endings)))
    .option("-o, --output <file>", "the file to write (default: the notebook's name beside the notebook; NAME.shared.ipynb for a notebook)")
    .option("--execute", "run the notebook first, as sdtp run does; the .ipynb file stays as it is")
    .option("--no-input", "leave out the code")
    .option("--template <name>", "report: code and execution counts; article: code folded (left out where nothing folds); or a .css file that follows the report's own style", "report")
    .option("--trust", "let scripts and styles of the outputs work: only for a notebook whose every output is yours")
    .option("--chromium <path>", "the browser that prints PDF and draws charts as pictures (default: $CHROMIUM, else the first Chromium, Chrome or Edge found)")
    .option("--bibliography <file...>", "BibTeX files of the works that [@key] cites (default: those that the notebook names)")
    .addHelpText(
      "after",
      `
HTML is one file that opens offline, with live charts; scripts in the outputs do not run. Markdown and LaTeX put pictures beside
the file, in NAME_files/. PDF, and charts in Markdown and LaTeX, need an installed Chromium, Chrome or Edge.

A notebook to share (--to notebook) reads well where nothing runs, as on a code host: charts as pictures beside their data, no
scripts, no record of the run. -o may then name the notebook itself.

Slides (--to slides) are one HTML file: a slide for each heading of the first two levels, or by the slide types of the cells.

Papers: a code cell that begins with //| label: tbl-speed and //| caption: What pruning gains has a numbered caption, and @tbl-speed
refers to it; [@key] cites a work of the bibliography (the notebook's metadata or a raw cell at its head: bibliography: refs.bib).

Cell tags: remove-cell, remove-input, remove-output leave out; hide-cell, hide-input, hide-output fold (left out where nothing folds).

With --execute a cell that fails ends it, nothing is written, and the exit code is that of sdtp run.

Examples:
  sdtp export quickstart.ipynb
  sdtp export quickstart.ipynb --to pdf --no-input
  sdtp export table2.ipynb -o report/table2.md --template article
  sdtp export table2.ipynb --execute -o shared/table2.ipynb`,
    )
    .action((notebook: string, options: Options) => exportCommand(notebook, options));
}

async function exportCommand(file: string, options: Options): Promise<void> {
  const to = options.to ?? formatOf(options.output);
  const name = basename(file, extname(file));
  const output = options.output ?? join(dirname(file), `${name}${to === "notebook" ? ".shared" : ""}${endings[to][0]}`);
  // A shared notebook has all that its original has but what is told of the run.
  if (to !== "notebook" && samePath(output, file)) throw new Error(`--output: ${output} (is the notebook itself)`);
  if (to === "notebook") requireWhole(options);
  const { template, css } = await templateOf(options.template);
  const signal = interruptSignal();
  const notebook = options.execute ? await executed(file, signal) : await (await import("../../notebook/read.js")).readNotebook(file, { exact: to === "notebook" });
  if (notebook === undefined) return;
  const { exportNotebook } = await import("../../notebook/export/index.js");
  const { document, files } = await exportNotebook(notebook, to, {
    name,
    folder: dirname(resolve(file)),
    filesFolder: `${basename(output, extname(output))}_files`,
    template,
    ...(css !== undefined && { css }),
    input: options.input,
    trust: options.trust === true,
    ...(options.chromium !== undefined && { chromium: options.chromium }),
    ...(options.bibliography !== undefined && { bibliography: options.bibliography.map((each) => resolve(each)) }),
    signal,
    warn: (text) => void process.stderr.write(`warning: ${text}\n`),
  });
  for (const { path, content } of files) await writeOutput(join(dirname(output), path), content);
  await writeOutput(output, document);
  process.stderr.write(`written: ${output}${files.length > 0 ? ` and ${files.length} ${files.length === 1 ? "picture" : "pictures"} beside it` : ""}\n`);
}

/** @throws on options that a notebook with all its cells has no use for */
function requireWhole({ input, template, trust }: Options): void {
  const useless = [!input && "--no-input", template !== "report" && "--template", trust && "--trust"].find(Boolean);
  if (useless) throw new Error(`${useless}: not for a notebook (its cells stay as they are)`);
}

/** The notebook with outputs of now; undefined where its run did not complete, which is said then. */
async function executed(file: string, signal: AbortSignal): Promise<Notebook | undefined> {
  const { exitCode, readNotebook, runNotebook } = await import("../../notebook/index.js");
  const folder = await mkdtemp(join(tmpdir(), "sdtp-export-"));
  const show = runProgress();
  try {
    const result = await runNotebook(file, { output: join(folder, basename(file)), signal, onProgress: show.progress }).finally(show.stop);
    if (result.status === "completed") return await readNotebook(result.output);
    process.stderr.write(`sdtp: --execute: ${result.stop?.number === undefined ? "" : `cell ${result.stop.number} of ${result.total}, `}${result.stop?.message}\n`);
    process.exitCode = exitCode(result);
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function formatOf(output: string | undefined): Format {
  if (output === undefined) return "html";
  const ending = extname(output).toLowerCase();
  const found = Object.entries(endings).find(([, all]) => all.includes(ending))?.[0];
  if (found === undefined) throw new Error(`--output: ${output} (must end in ${Object.values(endings).flat().join(", ")}, or --to must say what it is)`);
  return found as Format;
}

async function templateOf(name: string): Promise<{ template: Template; css?: string }> {
  if (name === "report" || name === "article") return { template: name };
  if (!name.endsWith(".css")) throw new Error(`--template: ${name} (must be report, article or a .css file)`);
  try {
    return { template: "report", css: await readFile(name, "utf8") };
  } catch (error) {
    throw new Error(`--template: ${name} (cannot be read: ${(error as NodeJS.ErrnoException).code})`);
  }
}
