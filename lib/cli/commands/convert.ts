import { extname, join, parse } from "node:path";
import type { Command } from "commander";
import type { Pair } from "../../notebook/text/pair.js";

interface Options {
  output?: string;
  sync?: boolean;
}

/** `sdtp convert`: notebooks to text and back. */
export function register(program: Command): void {
  program
    .command("convert")
    .description("a notebook as text (.ts, .js, .md) and back, or both kept alike")
    .argument("<notebooks...>", "notebooks, .ipynb or text")
    .option("-o, --output <file>", "the file to write, whose ending says the format (default: NAME.ts of an .ipynb, NAME.ipynb of text)")
    .option("--sync", "make a notebook and its text alike: the cells of the half that was changed last, outputs in the .ipynb")
    .addHelpText(
      "after",
      `
.ts and .js are in the percent format ("// %%" begins a cell), .md has code in fenced blocks; jupytext reads and writes
the same. Outputs, ids and what runs note stay in the .ipynb: writing one that is there keeps those of equal code.

Examples:
  sdtp convert sweep.ipynb                     # writes sweep.ts
  sdtp convert sweep.ipynb -o sweep.ts --sync  # from now on a pair, for jupytext too
  sdtp convert sweep.ts --sync                 # after a change of either`,
    )
    .action((notebooks: string[], options: Options) => convert(notebooks, options));
}

async function convert(files: string[], { output, sync: pair }: Options): Promise<void> {
  if (output !== undefined && files.length > 1) throw new Error(`--output: ${output} (is for one notebook, not ${files.length})`);
  for (const file of files) await (pair ? synchronise(file, output) : convertOne(file, output));
}

async function convertOne(file: string, output?: string): Promise<void> {
  const [{ readNotebook }, { writeNotebook }, text, { inputsOf }, { samePath }, { existsSync }] = await Promise.all([
    import("../../notebook/read.js"), import("../../notebook/write.js"), import("../../notebook/text/index.js"), import("../../notebook/text/pair.js"), import("../../notebook/same-path.js"), import("node:fs"),
  ]);
  const target = output ?? beside(file, text.isTextNotebook(file) ? ".ipynb" : ".ts");
  if (samePath(file, target)) throw new Error(`--output: ${target} (is the notebook itself)`);
  const toText = text.isTextNotebook(target);
  if (!toText && extname(target).toLowerCase() !== ".ipynb") throw new Error(`--output: ${target} (must end in .ipynb, ${text.textExtensions.join(", ")})`);
  // With the outputs of the .ipynb beside it, where that is not what is written.
  const notebook = await readNotebook(file);
  if (toText) {
    const { writeOutput } = await import("../../files.js");
    await writeOutput(target, text.formatText({ ...notebook, cells: inputsOf(notebook) }, target), "notebook");
  } else await writeNotebook(target, existsSync(target) ? text.withStored(notebook, await readNotebook(target)) : notebook);
  process.stderr.write(`written: ${target}\n`);
}

async function synchronise(file: string, output?: string): Promise<void> {
  const [{ pairOf, sync }, { isTextNotebook }] = await Promise.all([import("../../notebook/text/pair.js"), import("../../notebook/text/index.js")]);
  let pair: Pair;
  if (output === undefined) pair = await pairOf(file);
  else {
    pair = isTextNotebook(file) ? { text: file, stored: output } : { text: output, stored: file };
    const names = [pair.text, pair.stored].map((path) => ({ ...parse(path), path }));
    if (!isTextNotebook(pair.text) || isTextNotebook(pair.stored) || names[0]?.name !== names[1]?.name || names[0]?.dir !== names[1]?.dir) {
      throw new Error(`--output: ${output} (must be ${parse(file).name} in the same folder with ${isTextNotebook(file) ? ".ipynb" : ".ts, .js or .md"} at its end)`);
    }
  }
  const done = await sync(pair);
  const written = done === "both" ? [pair.stored, pair.text] : done === "text" ? [pair.text] : done === "stored" ? [pair.stored] : [];
  process.stderr.write(written.length > 0 ? `written: ${written.join(", ")}\n` : `alike: ${pair.text}, ${pair.stored}\n`);
}

function beside(file: string, extension: string): string {
  const { dir, name } = parse(file);
  return join(dir, name + extension);
}
