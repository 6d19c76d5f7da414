import { inspect } from "node:util";
import vm from "node:vm";
import type { ErrorContent, MimeBundle } from "../../lib/jupyter/messages.js";
import { isBroken } from "../display/broken.js";
import { toBundle } from "../display/bundle.js";
import { asText, clip } from "../display/text.js";
import type { RunCell } from "../messages.js";
import { breakable } from "./breakable.js";
import { type Cell, currentCell, KeyboardInterrupt } from "./cell.js";
import { send } from "./channel.js";
import { isDisplayHandle } from "./host.js";
import type { Modules } from "./modules.js";
import { reached, type Scopes } from "./scopes.js";
import { asWritten, type Stacks } from "./stack.js";

/** Where a cell's script finds its arguments: a script has no parameters, and its text must not be global. */
const ARGUMENTS = Symbol.for("sdtp.cell");
const globals = globalThis as unknown as { [ARGUMENTS]?: unknown[] };

export interface Notebook {
  modules: Modules;
  scopes: Scopes;
  stacks: Stacks;
}

const { setImmediate } = globalThis;

/** The event loop's next turn: Node tells of rejections that nobody handles in between, and a cell's own are told before its end. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A cell that is running, and the one word on how it ended. */
export class Running {
  #told = false;

  constructor(
    readonly notebook: Notebook,
    readonly job: RunCell,
    readonly cell: Cell,
  ) {}

  /** Runs the cell to its end and says how it ended. Never throws. */
  async run(): Promise<void> {
    const { job, cell } = this;
    try {
      if (job.stale) cell.stale = job.stale;
      const bundle = await currentCell.run(cell, () => evaluate(this.notebook, job, cell));
      await turn();
      this.#tell(bundle);
    } catch (thrown) {
      await turn();
      this.fail(thrown);
    }
  }

  /** Says that the cell failed, unless its end was told: where JavaScript was ended, {@link run} never returns. */
  fail(thrown: unknown): void {
    this.#tell(undefined, asError(thrown));
  }

  get over(): boolean {
    return this.#told;
  }

  #tell(bundle: MimeBundle | undefined, error?: ErrorContent): void {
    if (this.#told) return;
    this.#told = true;
    const { job, cell } = this;
    if (bundle && job.result === "publish") send({ type: "result", run: job.run, bundle });
    const returned = bundle && job.result === "return" ? { bundle } : {};
    const names = error ? { error, reached: reached(cell.scope, job.cell.names, job.cell.hoisted) } : { reached: job.cell.names };
    send({ type: "done", run: job.run, ...names, ...returned });
  }
}

async function evaluate({ modules, scopes, stacks }: Notebook, job: RunCell, cell: Cell): Promise<MimeBundle | undefined> {
  const { code, awaits, imports, links, maps, modules: local, uses, forgotten } = job.cell;
  // Looked up before anything is awaited: a cell of another shell may come in between.
  const used = uses.map((use) => scopes.get(use.id));
  scopes.forget(forgotten);
  modules.update(local);
  for (const module of local) stacks.addModule(module.path, module.maps, module.data.split("\n").length);
  if (imports.length > 0) await cell.untilInterrupted(modules.prepare(imports, links));
  if (scopes.loadPreloaded(code, uses)) {
    // A signal that came meanwhile ended nothing: the event loop tells of it.
    await turn();
    cell.signal.throwIfAborted();
  }
  stacks.add(job.name, maps, code.split("\n").length);
  const { module, filename, dirname } = modules.commonJs(links);
  const cellArguments = [cell, module.exports, module.require, module, filename, dirname, ...used];
  globals[ARGUMENTS] = cellArguments;
  const call = job.hold ? "" : `(...globalThis[Symbol.for("sdtp.cell")])`;
  const script = new vm.Script(`${head(job.cell)}\n${code}\n})()})()})${call}`, {
    filename: job.name,
    // The line break keeps columns as they are; this takes the line back.
    lineOffset: -1,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  let value: unknown = script.runInThisContext({ breakOnSigint: process.platform !== "win32", displayErrors: false });
  if (job.hold) {
    const begin = value as (...args: unknown[]) => unknown;
    await cell.untilInterrupted(hold(job.run));
    value = breakable(() => begin(...cellArguments));
  }
  if (awaits) await cell.untilInterrupted(value as Promise<unknown>);
  const { result } = cell;
  // Functions of the cell keep it; they need not keep what it showed.
  cell.result = undefined;
  let bundle: MimeBundle | undefined;
  if (result !== undefined && !isDisplayHandle(result)) bundle = await cell.untilInterrupted(Promise.resolve(breakable(() => toBundle(result))));
  if (cell.pending.size > 0) await cell.untilInterrupted(Promise.all(cell.pending));
  return bundle;
}

const held = new Map<number, () => void>();

/** Tells the kernel that a cell was compiled, and waits until it may run. */
function hold(run: number): Promise<void> {
  return new Promise((resolve) => {
    held.set(run, resolve);
    send({ type: "held", run });
  });
}

/** A cell that was held may run. */
export function letGo(run: number): void {
  held.get(run)?.();
  held.delete(run);
}

/**
 * What stands in front of a cell's code: a function with what a CommonJS module has, and the variables of earlier cells;
 * in it the cell's own, which may call its variables as it likes.
 */
function head({ awaits, uses }: RunCell["cell"]): string {
  const scopes = uses.map(({ id }) => `, __cell${id}__`).join("");
  const constants = uses.filter((use) => use.constants.length > 0).map((use) => `const { ${use.constants.join(", ")} } = __cell${use.id}__;`);
  const parameters = `__cell__, exports, require, module, __filename, __dirname${scopes}`;
  return `(function (${parameters}) { return (() => {${constants.join("")}return (${awaits ? "async " : ""}function () {"use strict";__cell__.publish(__published__());`;
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
  if (thrown instanceof KeyboardInterrupt || isBroken(thrown)) {
    const { name, message } = new KeyboardInterrupt();
    return { ename: name, evalue: message, traceback: [`\x1b[31m${name}\x1b[39m: ${message}`] };
  }
  if (isError(thrown)) {
    const ename = nameOf(thrown);
    const text = asWritten(inspect(thrown, { depth: 2, maxArrayLength: 20, maxStringLength: 5000 }));
    // Without a frame of the cell's, an error is shown in brackets.
    const [shown = "", ...rest] = text.replace(/^\[(.*)\]$/s, "$1").split("\n");
    // Node writes `MyError [Error]: …`, where the class has another name than it gives its errors.
    const first = shown.startsWith(`${ename} [`) ? shown.replace(/^(\S+) \[[^\]]*\]/, "$1") : shown;
    const headline = first.startsWith(ename) ? `\x1b[31m${ename}\x1b[39m${first.slice(ename.length)}` : first;
    return { ename, evalue: asWritten(String(thrown.message)), traceback: [headline, ...rest] };
  }
  const evalue = asText(thrown);
  return { ename: "Thrown", evalue, traceback: [`\x1b[31mThrown\x1b[39m: ${evalue}`] };
}

/** The class of an error, where it was given no other name. */
function nameOf(error: Error): string {
  const own = error.constructor?.name;
  const isInherited = !Object.hasOwn(error, "name") && !Object.hasOwn(Object.getPrototypeOf(error) as object, "name");
  return String((isInherited && own) || error.name || own || "Error");
}

function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}
