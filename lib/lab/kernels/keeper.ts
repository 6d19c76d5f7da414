import { stat } from "node:fs/promises";
import { writeWhole } from "../../files.js";
import { readNotebook } from "../../notebook/read.js";
import { joined, type CodeCell, type Notebook } from "../../notebook/types.js";
import { notebookText } from "../contents/write.js";
import type { Root } from "../contents/place.js";
import type { Trust } from "../contents/trust.js";
import type { Turns } from "../contents/turns.js";
import { storedOutputs, type Execution } from "./executions.js";
import type { LabKernel } from "./kernel.js";
import type { Sessions } from "./sessions.js";

/** Milliseconds between writes of a cell that goes on printing, and those a tab may be away before its outputs are written. */
const BETWEEN = 5_000;
const AWAY = 3_000;
/** Milliseconds after which a tab that is there has surely got an output. */
const SETTLED = 5_000;

/**
 * Writes outputs of cells whose tab is gone into their notebooks: while a tab is there, its document is the newest, and it saves
 * that itself.
 */
export class Keeper {
  readonly #timers = new Map<LabKernel, NodeJS.Timeout>();
  /** Executions that have no tab, and those of them that differ from what was written. */
  readonly #orphans = new Map<Execution, LabKernel>();
  readonly #changed = new Set<Execution>();
  readonly #ended = new WeakMap<Execution, number>();
  /** Milliseconds that the last write took: large notebooks are written less often. */
  #took = 0;
  /** What is said of notebooks that cannot be written, by their paths: once, not with each try. */
  readonly #told = new Map<string, string>();
  #closing = false;
  /** One write at a time: each reads what the one before it wrote. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(readonly root: Root, readonly trust: Trust, readonly turns: Turns, readonly sessions: () => Sessions, readonly onError: (error: Error) => void) {}

  /** An execution printed something or ended. */
  progressed(kernel: LabKernel, execution: Execution): void {
    if (execution.done && !this.#ended.has(execution)) this.#ended.set(execution, performance.now());
    if (!this.#orphans.has(execution)) return;
    this.#changed.add(execution);
    this.#soon(kernel, execution.done ? 0 : Math.max(BETWEEN, 20 * this.#took));
  }

  /** A tab is gone. Where something still runs for it, or ended when it may not have been there any more, all that ran since its last save is ours to write. */
  left(kernel: LabKernel, session: string): void {
    const executions = kernel.executions.all().filter((each) => each.session === session);
    if (executions.every((each) => this.#settled(each))) {
      for (const execution of executions) kernel.executions.forget(execution);
      return;
    }
    for (const execution of executions) {
      this.#orphans.set(execution, kernel);
      this.#changed.add(execution);
    }
    this.#soon(kernel, AWAY);
  }

  /** A tab is there: what is nobody's in its notebook it shows from now on. @returns executions that it did not start, or show already */
  adopt(path: string, session: string): Execution[] {
    const adopted: Execution[] = [];
    for (const kernel of new Set(this.sessions().kernelsOf(path))) {
      for (const execution of kernel.executions.all()) {
        if (execution.session === session) continue;
        if (kernel.isLive(execution.session)) {
          // Another tab shows it; this one may follow.
          adopted.push(execution);
          continue;
        }
        execution.session = session;
        this.#orphans.delete(execution);
        this.#changed.delete(execution);
        adopted.push(execution);
      }
    }
    return adopted;
  }

  /** The tab came back before anything was written. */
  returned(kernel: LabKernel, session: string): void {
    for (const [execution, of] of this.#orphans) if (of === kernel && execution.session === session) {
      this.#orphans.delete(execution);
      this.#changed.delete(execution);
    }
  }

  /** A tab saved a notebook: what ended before is in it, or its reader took it out. */
  saved(path: string): void {
    for (const kernel of this.sessions().kernelsOf(path)) {
      for (const execution of kernel.executions.all()) {
        if (!this.#orphans.has(execution) && this.#settled(execution)) kernel.executions.forget(execution);
      }
    }
  }

  #settled(execution: Execution): boolean {
    return execution.done && performance.now() - (this.#ended.get(execution) ?? 0) > SETTLED;
  }

  /** Writes now what belongs into a notebook, or into all. */
  async flush(path?: string): Promise<void> {
    const kernels = new Set([...this.#changed].map((execution) => this.#orphans.get(execution)).filter((kernel) => kernel !== undefined));
    await Promise.all([...kernels].map((kernel) => (path === undefined || this.sessions().notebooksOf(kernel).includes(path) ? this.#write(kernel) : undefined)));
  }

  #soon(kernel: LabKernel, delay: number): void {
    if (delay === 0) {
      clearTimeout(this.#timers.get(kernel));
      this.#timers.delete(kernel);
    } else if (this.#timers.has(kernel)) return;
    this.#timers.set(kernel, setTimeout(() => {
      this.#timers.delete(kernel);
      void this.#write(kernel);
    }, delay));
  }

  #write(kernel: LabKernel): Promise<void> {
    const writing = this.#last.then(async () => {
      const start = performance.now();
      await this.#writeNow(kernel);
      this.#took = performance.now() - start;
    });
    this.#last = writing;
    return writing;
  }

  async #writeNow(kernel: LabKernel): Promise<void> {
    kernel.executions.all();
    // A cell that was run again has other outputs now.
    for (const [execution, of] of this.#orphans) if (of === kernel && !kernel.executions.has(execution)) {
      this.#orphans.delete(execution);
      this.#changed.delete(execution);
    }
    const changed = new Map([...this.#changed].filter((execution) => this.#orphans.get(execution) === kernel).map((execution) => [execution.cellId, execution]));
    if (changed.size === 0) return;
    for (const path of this.sessions().notebooksOf(kernel)) {
      for (const execution of changed.values()) this.#changed.delete(execution);
      try {
        await this.turns.take(path, () => this.#writeInto(path, changed));
        this.#told.delete(path);
      } catch (error) {
        // The outputs stay here, and are tried again.
        for (const execution of changed.values()) this.#changed.add(execution);
        const said = `${path}: outputs of cells that ran without a tab are not written ${this.#closing ? "any more" : "yet"} (${(error as Error).message})`;
        if (this.#told.get(path) !== said) this.onError(new Error(said));
        this.#told.set(path, said);
        if (!this.#closing) this.#soon(kernel, 6 * BETWEEN);
      }
    }
    for (const execution of changed.values()) if (execution.done && !this.#changed.has(execution)) {
      this.#orphans.delete(execution);
      kernel.executions.forget(execution);
    }
  }

  async #writeInto(path: string, changed: ReadonlyMap<string, Execution>): Promise<void> {
    const file = await this.root.at(path);
    for (;;) {
      const before = (await stat(file)).mtimeMs;
      const notebook = await readNotebook(file);
      const trusted = this.trust.has(await readNotebook(file, { exact: false }));
      const cells = notebook.cells.filter((cell): cell is CodeCell => cell.cell_type === "code" && cell.id !== undefined && changed.has(cell.id));
      let differs = false;
      for (const cell of cells) {
        const execution = changed.get(cell.id ?? "");
        if (execution) differs = put(cell, execution) || differs;
      }
      if (!differs) return;
      // Whoever saved meanwhile is read again.
      if ((await stat(file)).mtimeMs !== before) continue;
      await writeWhole(file, notebookText(notebook));
      // These outputs were made here: the notebook is as trusted as it was.
      if (trusted || cells.length === notebook.cells.filter(hasOutputs).length) await this.trust.sign(JSON.parse(notebookText(notebook)) as Notebook);
      return;
    }
  }

  /** Writes what it can, for the last time. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await this.flush();
  }
}

const hasOutputs = (cell: Notebook["cells"][number]) => cell.cell_type === "code" && cell.outputs.length > 0;

/** @returns whether the cell is another now */
function put(cell: CodeCell, execution: Execution): boolean {
  const outputs = storedOutputs(execution);
  const count = execution.cell.execution_count;
  const same = cell.execution_count === count && JSON.stringify(cell.outputs, flat) === JSON.stringify(outputs, flat);
  cell.outputs = outputs;
  cell.execution_count = count;
  return !same;
}

const flat = (key: string, value: unknown): unknown => (key === "text" && (typeof value === "string" || Array.isArray(value)) ? joined(value as string | string[]) : value);
