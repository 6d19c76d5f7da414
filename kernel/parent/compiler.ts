import { Worker } from "node:worker_threads";
import type { Outcome } from "../compile/cells.js";
import type { Declared } from "../compile/earlier.js";
import type { Call, Methods, WorkerData } from "../compile/worker.js";

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
}

/** Megabytes of stack: text that is nested deeply is read by functions that call themselves. */
const STACK = 32;
/** Milliseconds for a cell, and for it once it was interrupted. */
const LONGEST = 60_000;
const LONGEST_INTERRUPTED = 1000;

/** Exit codes of ../compile/worker.ts, which is not loaded here. */
const WHY: Record<number, string> = { 70: "the cell is nested too deeply for TypeScript", 71: "TypeScript failed on the cell" };

/**
 * The compiler's thread, seen from the kernel. Calls are answered in order. Where it ends (a cell whose types take
 * all memory), what waits is rejected, and another starts that knows what earlier cells declared.
 */
export class CompilerThread {
  readonly #data: WorkerData;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #count = 0;
  #declared: Declared[] = [];
  /** The thread that compiles a cell now: another object for each cell. */
  #compiling: { worker: Worker | undefined } | undefined;
  /** Why a thread was ended. */
  #why: string | undefined;

  constructor(data: Omit<WorkerData, "declared">) {
    this.#data = { ...data, declared: [] };
    this.#worker = this.#start();
  }

  call<Name extends keyof Methods>(method: Name, ...args: Parameters<Methods[Name]>): Promise<ReturnType<Methods[Name]>> {
    const id = ++this.#count;
    // One that cannot even start would end again and again: the next call tries once more.
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, method, args } satisfies Call);
    });
  }

  /** Compiles a cell. @throws {@link CompilerEnded} where that takes too long, or fails in TypeScript itself. */
  async compile(source: string): Promise<ReturnType<Methods["compile"]>> {
    const worker = this.#worker;
    const timer = setTimeout(() => this.#end(worker, `it took more than ${LONGEST / 1000} s on the cell; // @ts-nocheck as its first line leaves out the types`), LONGEST);
    const compilation = (this.#compiling = { worker });
    try {
      return await this.call("compile", source);
    } finally {
      clearTimeout(timer);
      if (this.#compiling === compilation) this.#compiling = undefined;
    }
  }

  /** Ends a compilation that goes on for long, because the cell was interrupted. */
  interrupt(): void {
    const compilation = this.#compiling;
    if (compilation) setTimeout(() => this.#compiling === compilation && this.#end(compilation.worker, "the cell was interrupted"), LONGEST_INTERRUPTED).unref();
  }

  #end(worker: Worker | undefined, why: string): void {
    this.#why = why;
    void worker?.terminate();
  }

  /** Tells how the cell that was compiled last ended. */
  async commit(id: number, outcome: Outcome): Promise<void> {
    const change = await this.call("commit", id, outcome);
    if (!change) return;
    const gone = new Set(change.gone);
    if (gone.size > 0) this.#declared = this.#declared.filter((each) => !gone.has(each.id));
    this.#declared.push(change.declared);
  }

  /** The process that held the variables is gone. */
  reset(): void {
    this.#declared = [];
    // One that ended knows nothing in any case.
    this.call("reset").catch(() => undefined);
  }

  #start(): Worker {
    const worker = new Worker(new URL("../compile/worker.js", import.meta.url), { workerData: { ...this.#data, declared: this.#declared } satisfies WorkerData, resourceLimits: { stackSizeMb: STACK } });
    let answered = false;
    worker.on("message", ({ id, value, error }: { id: number; value?: never; error?: string }) => {
      answered = true;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value as never);
      else waiting?.reject(new Error(error));
    });
    let why = "";
    worker.on("error", ({ message }) => (why = message));
    worker.on("exit", (code) => {
      const lost = [...this.#waiting.values()];
      this.#waiting.clear();
      this.#worker = answered ? this.#start() : undefined;
      const reason = this.#why ?? (why || (WHY[code] ?? `exit code ${code}`));
      this.#why = undefined;
      for (const { reject } of lost) reject(new CompilerEnded(reason));
    });
    return worker;
  }
}

/** Rejects the calls that a thread which ended leaves behind. */
export class CompilerEnded extends Error {
  override name = "CompilerEnded";
  constructor(why: string) {
    super(`the compiler ended (${why}); variables are kept, another compiler starts`);
  }
}
