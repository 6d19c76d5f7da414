import type { CellDiagnostic, ErrorContent, ExecuteReply, JsonObject, Message } from "../../lib/jupyter/messages.js";
import type { RefusedCell } from "../compile/cells.js";
import type { RunCell } from "../messages.js";
import { CompilerEnded, type Compiler } from "./compiler.js";
import type { Debugger } from "./debug/debugger.js";
import type { Execution, RunResult } from "./execution.js";
import type { Publisher } from "./publisher.js";
import type { Shell, Shells } from "./shells.js";
import { Staleness } from "./stale.js";

/**
 * Milliseconds that an error reply is held back, so that requests which were sent before it are here and
 * can be aborted. Those that a client sends once it has the reply are not.
 */
const ABORT_WINDOW = 10;

interface Request {
  message: Message;
  code: string;
  silent: boolean;
  storeHistory: boolean;
  userExpressions: Record<string, string>;
  stopOnError: boolean;
}

/** Runs the execute requests of each shell one after the other, those of different shells beside each other. */
export class Executor {
  #unnumbered = 0;
  #remarked = false;
  #run = 0;
  readonly #stale = new Staleness();

  constructor(
    readonly compiler: Compiler,
    readonly execution: Execution,
    readonly publisher: Publisher,
    readonly shells: Shells,
    readonly debug: Debugger,
  ) {}

  enqueue(shell: Shell, message: Message): void {
    shell.queue.push(message);
    if (!shell.working) void this.#work(shell);
  }

  /** Interrupts what runs, in all shells: they share one thread, and a signal ends whatever it meets there. */
  interrupt(stands = false): void {
    for (const shell of this.shells.all()) shell.interrupts++;
    this.compiler.interrupt();
    this.execution.interrupt(stands);
  }

  /** Deletes a subshell: what it runs is interrupted as soon as it waits, what it has queued is aborted. @throws where there is none */
  deleteSubshell(id: unknown): void {
    const shell = this.shells.delete(id);
    shell.interrupts++;
    if (shell.run !== undefined) this.execution.interruptRun(shell.run);
    for (const each of shell.queue.splice(0)) this.#abort(each);
  }

  /** Clients take the last status for the kernel's: while the notebook's own shell runs a cell, that is busy. */
  repeatBusy(): void {
    const { current } = this.shells.main;
    if (current) this.publisher.status("busy", current);
  }

  /** A number for outputs that `message` causes. */
  newRun(message: Message): number {
    this.publisher.setParent(++this.#run, message);
    return this.#run;
  }

  async #work(shell: Shell): Promise<void> {
    const { queue } = shell;
    shell.working = true;
    for (let message = queue.shift(); message; message = queue.shift()) {
      shell.current = message;
      this.publisher.status("busy", message);
      let reply: ExecuteReply;
      let stop = false;
      try {
        const request = parse(message);
        reply = await this.#execute(shell, request);
        stop = reply.status === "error" && request.stopOnError;
      } catch (error) {
        const described = internalError(error);
        reply = { status: "error", execution_count: shell.count, ...described };
        stop = message.content.stop_on_error !== false;
        this.publisher.publish("error", { ...described }, message);
      }
      if (stop) await new Promise((resolve) => setTimeout(resolve, ABORT_WINDOW));
      const aborted = stop ? queue.splice(0) : [];
      const stale = shell.id === undefined ? this.#stale.list() : [];
      this.publisher.reply("shell", message, "execute_reply", { ...reply }, stale.length > 0 ? { sdtp: { stale: stale.map((each) => ({ ...each })) } } : {});
      this.publisher.status("idle", message);
      shell.current = undefined;
      for (const each of aborted) this.#abort(each);
      if (shell.id !== undefined) this.repeatBusy();
    }
    shell.working = false;
  }

  /** A cell that did not run has no number: JupyterLab would show it beside the cell. */
  #abort(message: Message): void {
    this.publisher.status("busy", message);
    this.publisher.reply("shell", message, "execute_reply", { status: "aborted" });
    this.publisher.status("idle", message);
  }

  async #execute(shell: Shell, request: Request): Promise<ExecuteReply> {
    const { message, code, silent } = request;
    const run = this.newRun(message);
    if (!silent && request.storeHistory) shell.count++;
    const execution_count = shell.count;
    if (!silent) this.publisher.publish("execute_input", { code, execution_count }, message);
    if (request.storeHistory && !silent) shell.history.add(execution_count, code);
    if (code.trim() === "") return { status: "ok", execution_count, user_expressions: {}, payload: [] };

    const { interrupts } = shell;
    // Cells without a number of their own must be told apart as well.
    const name = `${request.storeHistory ? `Cell [${execution_count}]` : `Cell [unnumbered ${++this.#unnumbered}]`}${shell.label}`;
    await this.execution.idle();
    const notice = this.execution.takeNotice();
    if (notice !== undefined) this.publisher.stream(message, "stderr", notice);
    const { generation } = this.execution;
    if (!this.#remarked) {
      this.#remarked = true;
      const remark = await this.compiler.call("remark");
      if (remark !== undefined) this.publisher.stream(message, "stderr", `${remark}\n`);
    }
    const hold = await this.debug.ready();
    const compiled = await this.compiler.compile(code, this.shells.workBeside(shell));
    let error: ErrorContent | undefined;
    if (!compiled.ok) {
      error = compileError(compiled, code, name);
    } else if (shell.interrupts !== interrupts) {
      this.compiler.discard(compiled.id);
      error = BEFORE_IT_RAN;
    } else {
      this.publisher.setResult(run, silent ? undefined : execution_count);
      const job = { type: "run", run, cell: compiled, name, result: silent ? "return" : "publish", stale: this.#stale.list(), ...(hold && { hold }) } as const;
      this.debug.scripts.note(name, code, compiled);
      if (hold) this.debug.sends(job);
      const result = await this.#runIn(shell, job, generation);
      await this.#settle(compiled.id, result, message);
      // What a subshell runs is no cell of the notebook that could be run again.
      if (!silent && request.storeHistory && !result.died && shell.id === undefined) this.#stale.note(message.metadata, code, execution_count, compiled);
      error = result.error;
    }
    if (error) {
      this.publisher.publish("error", { ...error }, message);
      return { status: "error", execution_count, ...error };
    }
    return { status: "ok", execution_count, user_expressions: await this.#evaluate(shell, request.userExpressions, message), payload: [] };
  }

  async #runIn(shell: Shell, job: RunCell, generation: number): Promise<RunResult> {
    shell.run = job.run;
    this.publisher.hold(job.run);
    try {
      return await this.execution.run(job, generation);
    } finally {
      this.publisher.release(job.run);
      shell.run = undefined;
    }
  }

  /** Tells the compiler which declarations hold. Where the process ended, {@link lost} did. */
  async #settle(id: number, { error, reached, died }: RunResult, message: Message): Promise<void> {
    if (!died) await this.compiler.commit(id, error ? { reached } : "ok");
    else this.publisher.stream(message, "stderr", "The process that ran this notebook's cells ended: all variables are gone.\n");
  }

  /** The process ended. */
  lost(): void {
    this.compiler.reset();
    this.#stale.clear();
  }

  async #evaluate(shell: Shell, expressions: Record<string, string>, message: Message): Promise<JsonObject> {
    const values: JsonObject = {};
    const { interrupts } = shell;
    for (const [name, code] of Object.entries(expressions)) {
      const run = this.newRun(message);
      await this.execution.idle();
      const { generation } = this.execution;
      const compiled = await this.compiler.compile(code, this.shells.workBeside(shell));
      if (!compiled.ok || shell.interrupts !== interrupts) {
        values[name] = { status: "error", ...(compiled.ok ? BEFORE_IT_RAN : compileError(compiled, code, "Expression")) };
        continue;
      }
      const result = await this.#runIn(shell, { type: "run", run, cell: compiled, name: "Expression", result: "return" }, generation);
      if (this.shells.workBeside(shell)) this.compiler.discard(compiled.id);
      values[name] = result.error
        ? { status: "error", ...result.error }
        : { status: "ok", ...(result.bundle ?? { data: { "text/plain": "undefined" }, metadata: {} }) };
    }
    return values;
  }
}

const BEFORE_IT_RAN: ErrorContent = {
  ename: "KeyboardInterrupt",
  evalue: "the cell was interrupted",
  traceback: ["\x1b[31mKeyboardInterrupt\x1b[39m: before the cell ran"],
};

/** @throws for an execute_request without code. */
function parse(message: Message): Request {
  const { content } = message;
  if (typeof content.code !== "string") throw new Error(`code: ${JSON.stringify(content.code)} (must be a string)`);
  const silent = content.silent === true;
  return {
    message,
    code: content.code,
    silent,
    storeHistory: content.store_history !== false && !silent,
    userExpressions: strings(content.user_expressions),
    stopOnError: content.stop_on_error !== false,
  };
}

function strings(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

function compileError({ diagnostics, more }: RefusedCell, code: string, name: string): ErrorContent {
  const lines = code.split("\n");
  const [first] = diagnostics;
  const where = (each: CellDiagnostic) => `${each.file ?? name}:${each.line}:${each.column}`;
  const traceback = diagnostics.flatMap((each) => {
    const headline = `${where(each)} - \x1b[31merror\x1b[39m TS${each.code}: ${each.message}`;
    const line = each.file === undefined ? lines[each.line - 1] : undefined;
    return line === undefined ? [headline] : [headline, ...marked(line, each)];
  });
  return {
    ename: "CompileError",
    evalue: first ? `${where(first)} - ${first.message} (TS${first.code})` : "",
    traceback: more > 0 ? [...traceback, `… ${more} more errors`] : traceback,
  };
}

/** Characters of a line that are shown on either side of where an error begins. */
const AROUND = 200;

/** The line of an error, and a line that marks the place. */
function marked(line: string, { line: number, endLine, column, endColumn }: CellDiagnostic): [string, string] {
  const from = Math.max(0, column - 1 - AROUND);
  const shown = line.slice(from, column - 1 + AROUND);
  const [head, tail] = [from > 0 ? "…" : "", from + shown.length < line.length ? "…" : ""];
  const length = Math.max(1, Math.min(endLine === number ? endColumn - column : Infinity, shown.length - (column - 1 - from)));
  return [`  ${head}${shown}${tail}`, `  ${" ".repeat(head.length + column - 1 - from)}\x1b[31m${"~".repeat(length)}\x1b[39m`];
}

function internalError(error: unknown): ErrorContent {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  if (error instanceof CompilerEnded) return { ename: name, evalue: message, traceback: [`\x1b[31m${name}\x1b[39m: ${message}`] };
  return { ename: name, evalue: message, traceback: (stack ?? message).split("\n") };
}
