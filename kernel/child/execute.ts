import { inspect } from "node:util";
import vm from "node:vm";
import type { ErrorContent, MimeBundle } from "../../lib/jupyter/messages.js";
import { toBundle } from "../display/bundle.js";
import { asText, clip } from "../display/text.js";
import type { RunCell } from "../messages.js";
import { Cell, currentCell, KeyboardInterrupt } from "./cell.js";
import { send } from "./channel.js";
import { isDisplayHandle } from "./host.js";
import type { Modules } from "./modules.js";
import type { Stacks } from "./stack.js";

/** Where a cell's script finds its arguments: a script has no parameters, and its text must not be global. */
const ARGUMENTS = Symbol.for("sdtp.cell");
const scope = globalThis as unknown as { [ARGUMENTS]?: unknown[] };

export interface Notebook {
  modules: Modules;
  variables: Record<string, unknown>;
  stacks: Stacks;
}

/** Runs a cell to its end and sends its result and how it ended. Never throws. */
export async function execute(notebook: Notebook, job: RunCell, cell: Cell): Promise<void> {
  const { cell: compiled } = job;
  try {
    const bundle = await currentCell.run(cell, () => evaluate(notebook, job, cell));
    if (bundle && job.result === "publish") send({ type: "result", run: job.run, bundle });
    const returned = bundle && job.result === "return" ? { bundle } : {};
    send({ type: "done", run: job.run, reached: [...cell.reached], ...returned });
  } catch (thrown) {
    cell.restoreUnreached();
    send({ type: "done", run: job.run, error: asError(thrown), reached: [...cell.reached] });
  } finally {
    if (compiled.resultName) delete notebook.variables[compiled.resultName];
  }
}

async function evaluate({ modules, variables, stacks }: Notebook, job: RunCell, cell: Cell): Promise<MimeBundle | undefined> {
  const { code, awaits, imports, maps, resultName, modules: local } = job.cell;
  modules.update(local);
  for (const module of local) stacks.addModule(module.path, module.maps, module.data.split("\n").length);
  if (imports.length > 0) await cell.untilInterrupted(modules.prepare(imports));
  stacks.add(job.name, maps, code.split("\n").length);
  scope[ARGUMENTS] = [variables, modules.require, cell];
  const head = `(${awaits ? "async " : ""}function (exports, require, __cell__) {`;
  // The line break keeps columns as they are; lineOffset takes the line back.
  const script = new vm.Script(`${head}\n${code}\n})(...globalThis[Symbol.for("sdtp.cell")])`, {
    filename: job.name,
    lineOffset: -1,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const value: unknown = script.runInThisContext({ breakOnSigint: process.platform !== "win32", displayErrors: false });
  if (awaits) await cell.untilInterrupted(value as Promise<unknown>);
  let bundle: MimeBundle | undefined;
  const result = resultName === undefined ? undefined : variables[resultName];
  if (result !== undefined && !isDisplayHandle(result)) bundle = await cell.untilInterrupted(Promise.resolve(toBundle(result)));
  if (cell.pending.size > 0) await cell.untilInterrupted(Promise.all(cell.pending));
  return bundle;
}

/** Longest message of an error, and line of its traceback, in characters. */
const LONGEST_MESSAGE = 10_000;

/** What a client shows for something that was thrown. Never throws: whoever waits for the cell would wait for ever. */
export function asError(thrown: unknown): ErrorContent {
  try {
    const { ename, evalue, traceback } = describe(thrown);
    return { ename, evalue: clip(evalue, LONGEST_MESSAGE), traceback: traceback.map((line) => clip(line, LONGEST_MESSAGE)) };
  } catch {
    // A proxy, a getter or an inspection of its own that throws.
    const evalue = "a value that throws when it is looked at";
    return { ename: "Thrown", evalue, traceback: [`\x1b[31mThrown\x1b[39m: ${evalue}`] };
  }
}

function describe(thrown: unknown): ErrorContent {
  if (thrown instanceof KeyboardInterrupt || (thrown as { code?: string } | null)?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED") {
    const { name, message } = new KeyboardInterrupt();
    return { ename: name, evalue: message, traceback: [`\x1b[31m${name}\x1b[39m: ${message}`] };
  }
  if (isError(thrown)) {
    const ename = String(thrown.name || thrown.constructor?.name || "Error");
    const text = inspect(thrown, { depth: 2, maxArrayLength: 20, maxStringLength: 5000 });
    // Without a frame of the cell's, an error is shown in brackets.
    const [first = "", ...rest] = text.replace(/^\[(.*)\]$/s, "$1").split("\n");
    const headline = first.startsWith(ename) ? `\x1b[31m${ename}\x1b[39m${first.slice(ename.length)}` : first;
    return { ename, evalue: String(thrown.message), traceback: [headline, ...rest] };
  }
  const evalue = asText(thrown);
  return { ename: "Thrown", evalue, traceback: [`\x1b[31mThrown\x1b[39m: ${evalue}`] };
}

function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}
