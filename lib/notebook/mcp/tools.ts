/** What an agent can do with a folder of notebooks: read them, run their cells, and call the library in a kernel. */
import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { z } from "zod";
import type { JsonObject } from "../../jupyter/index.js";
import { plainText } from "../plain-text.js";
import { readNotebook } from "../read.js";
import { firstLine } from "../run/execute.js";
import { inLines } from "../run/outputs.js";
import { isTextNotebook } from "../text/index.js";
import { storedFile } from "../text/pair.js";
import { joined, type Cell, type CodeCell, type Notebook, type Output } from "../types.js";
import { writeNotebook } from "../write.js";
import { inside, modelInside } from "./inside.js";
import type { Sessions } from "./sessions.js";

export interface Tool {
  name: string;
  description: string;
  /** Fields of its input, as zod has them. */
  input: z.ZodRawShape;
  /** It changes nothing. */
  readOnly: boolean;
  run(input: Record<string, never>, signal: AbortSignal): Promise<string>;
}

/** Characters of one output that are told. */
const LONGEST = 20_000;

const notebook = z.string().describe("the notebook's path in the folder: .ipynb, or text (.ts, .js, .md)");
const cellNumber = z.number().int().positive().describe("its position among all cells, from 1");
const model = z.string().default("tiny").describe("tiny (the embedded model), a model folder in the folder, a hub name that is in the hub's cache, or synthetic:NAME for latency alone");
const configs = z.array(z.string()).min(1).default(["baseline", "keep09", "keep08", "keep07"]).describe("presets to compare; the baseline is always measured too");
const lengths = z.array(z.number().int().positive()).min(1).default([1024, 2048]).describe("prompt lengths in tokens");
const repeats = z.number().int().positive().default(3).describe("measured runs of each");
const maxNewTokens = z.number().int().positive().default(32).describe("tokens decoded after the prompt");

export function tools(folder: string, sessions: Sessions): Tool[] {
  const path = (file: string) => inside(folder, file);
  /** Runs TypeScript in the kernel of no notebook. */
  const call = async (code: string, signal: AbortSignal): Promise<string> => {
    const cell = emptyCell(code);
    const reply = await sessions.run(undefined, EMPTY, cell, code, signal);
    return told(cell.outputs, reply.status === "ok" ? undefined : `${reply.ename}: ${reply.evalue}`);
  };
  const tool = <Shape extends z.ZodRawShape>(name: string, description: string, input: Shape, readOnly: boolean, run: (given: z.infer<z.ZodObject<Shape>>, signal: AbortSignal) => Promise<string>): Tool => ({ name, description, input, readOnly, run: run as unknown as Tool["run"] });
  return [
    tool("list_notebooks", "The notebooks in the folder, with their number of cells.", {}, true, async () => {
      const files = await notebooksIn(folder);
      const rows = await Promise.all(files.map(async (file) => `${relative(folder, file)}: ${await readNotebook(file).then(({ cells }) => `${cells.length} cells`, (error: Error) => error.message)}`));
      return rows.join("\n") || "no notebooks";
    }),
    tool("read_notebook", "A notebook's cells: number, type, source; and the first line of each output.", { notebook }, true, async ({ notebook: file }) => {
      const { cells } = await readNotebook(path(file));
      return cells.map((cell, i) => `[${i + 1}] ${cell.cell_type}${tagsOf(cell)}\n${joined(cell.source)}${cell.cell_type === "code" && cell.outputs.length > 0 ? `\n-> ${firstOf(outputText(cell.outputs[0]!))}` : ""}`).join("\n\n");
    }),
    tool("read_outputs", "The stored outputs of a cell as text.", { notebook, cell: cellNumber }, true, async ({ notebook: file, cell: number }) => told(codeCell(await readNotebook(path(file)), number, file).outputs)),
    tool("run_cell", "Runs a cell of a notebook in the notebook's kernel, which keeps variables from call to call, stores the outputs in the notebook, and returns them. Cells that it needs must have been run before.", { notebook, cell: cellNumber }, false, async ({ notebook: file, cell: number }, signal) => {
      const real = path(file);
      const book = await readNotebook(real);
      const cell = codeCell(book, number, file);
      const reply = await sessions.run(real, book, cell, joined(cell.source), signal);
      cell.outputs = inLines(cell.outputs);
      await writeNotebook(isTextNotebook(real) ? inside(folder, storedFile(real)) : real, book);
      return told(cell.outputs, reply.status === "ok" ? undefined : `${reply.ename}: ${reply.evalue}`);
    }),
    tool("run_code", "Runs TypeScript in a notebook's kernel, beside its cells; the notebook stays as it is. `sdtp` is the library.", { notebook, code: z.string() }, false, async ({ notebook: file, code }, signal) => {
      const real = path(file);
      const cell = emptyCell(code);
      const reply = await sessions.run(real, await readNotebook(real), cell, code, signal);
      return told(cell.outputs, reply.status === "ok" ? undefined : `${reply.ename}: ${reply.evalue}`);
    }),
    tool("restart_kernel", "Ends a notebook's kernel; the next cell starts another, without variables.", { notebook }, false, async ({ notebook: file }) => ((await sessions.end(path(file))) ? "ended" : "no kernel was running")),
    tool("profile", "Measures prefill and 128 (or maxNewTokens) decoded tokens, pruned and not, and returns the latencies. Takes minutes for long prompts.", { model, configs, lengths, repeats, maxNewTokens }, false, (given, signal) => call(`await sdtp.profile(${literal({ ...given, model: modelInside(folder, given.model), configs: withBaseline(given.configs) })})`, signal)),
    tool("sweep", "Measures the cross product of configurations, lengths, scorers and KV policies; done measurements are kept in a results folder, where the same call finds them.", { model, configs, lengths, scorers: z.array(z.string()).optional(), kvPolicies: z.array(z.enum(["evict", "retain"])).optional(), repeats, maxNewTokens, results: z.string().default("results/sweep").describe("where measurements are kept, in the folder") }, false, ({ results, model: name, ...given }, signal) =>
      call(`{ const __rows: sdtp.SweepRow[] = []; for await (const row of sdtp.sweep(${literal({ ...given, configs: withBaseline(given.configs), models: [modelInside(folder, name)], memory: false, show: false, folder: path(results) })})) __rows.push(row); display(sdtp.sweepTable(__rows)); }`, signal)),
    tool("table2", "The paper's Table 2 from results files that profile or `sdtp profile` wrote into a folder, as Markdown.", { results: z.string().default("results") }, true, ({ results }, signal) => call(`sdtp.table2(await sdtp.readResults(${JSON.stringify(path(results))}))`, signal)),
    tool("tokens_kept", "Which tokens of a prompt stay when it is pruned, and at which stage the others fall (in brackets with their stage).", { model, prompt: z.string().min(1), config: z.string().default("sdtp") }, true, ({ model: name, prompt, config }, signal) =>
      call(`{ const __model = await sdtp.load(${JSON.stringify(modelInside(folder, name))}); const __ids = (await __model.tokenizer()).encode(${literal(prompt)}); const __run = await __model.prefill(__ids, { preset: ${literal(config)} as never, scores: true }); console.log(__run.kept.length + " of " + __ids.length + " tokens stay"); console.log((await sdtp.tokens(__run)).text); }`, signal)),
  ];
}

const EMPTY: Notebook = { nbformat: 4, nbformat_minor: 5, metadata: { kernelspec: { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" } }, cells: [] };

const emptyCell = (source: string): CodeCell => ({ cell_type: "code", execution_count: null, metadata: {}, outputs: [], source });

const withBaseline = (names: string[]): string[] => (names.includes("baseline") ? names : ["baseline", ...names]);

/** JSON that TypeScript takes: it reads U+2028 in a string as the end of a line. */
const literal = (value: unknown): string => JSON.stringify(value).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");

function codeCell({ cells }: Notebook, number: number, file: string): CodeCell {
  const cell = cells[number - 1];
  if (!cell) throw new Error(`cell: ${number} (${file} has ${cells.length} cells)`);
  if (cell.cell_type !== "code") throw new Error(`cell: ${number} (is ${cell.cell_type}, not code: ${firstLine(cell)})`);
  return cell;
}

function told(outputs: Output[], error?: string): string {
  const texts = outputs.map(outputText);
  if (error !== undefined && !outputs.some(({ output_type }) => output_type === "error")) texts.push(error);
  return texts.filter((text) => text.trim() !== "").join("\n") || "(no output)";
}

/** An output as text: what says most in fewest characters. */
function outputText(output: Output): string {
  if (output.output_type === "stream") return cut(plainText(joined(output.text)));
  if (output.output_type === "error") return cut(plainText(output.traceback.join("\n") || `${output.ename}: ${output.evalue}`));
  const data = output.data as JsonObject;
  const text = ["text/markdown", "text/plain", "text/latex", "text/html"].map((type) => data[type]).find((value) => value !== undefined && joined(value as string | string[]).trim() !== "");
  return text === undefined ? Object.keys(data).join(", ") : cut(plainText(joined(text as string | string[])));
}

const cut = (text: string): string => (text.length <= LONGEST ? text.trimEnd() : `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} more characters`);

const firstOf = (text: string): string => text.trim().split("\n")[0]?.slice(0, 200) ?? "";

const tagsOf = ({ metadata: { tags } }: Cell): string => (tags && tags.length > 0 ? ` (${tags.join(", ")})` : "");

/** Notebooks in and below a folder; links to folders are not followed. */
async function notebooksIn(folder: string): Promise<string[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const lists = await Promise.all(entries.map(async (entry) => {
    if (entry.isDirectory()) return entry.name === "node_modules" || entry.name.startsWith(".") ? [] : notebooksIn(join(folder, entry.name));
    return entry.isFile() && entry.name.endsWith(".ipynb") ? [join(folder, entry.name)] : [];
  }));
  return lists.flat();
}
