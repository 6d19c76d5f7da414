import { Worker } from "node:worker_threads";
import type { Outcome } from "../compile/cells.js";
import type { Declared } from "../compile/earlier.js";
import type { Call, Methods, WorkerData } from "../compile/worker.js";

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
}

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

  /** Tells how the cell that was compiled last ended. */
  async commit(id: number, outcome: Outcome): Promise<void> {
    const declared = await this.call("commit", id, outcome);
    if (declared) this.#declared.push(declared);
  }

  /** The process that held the variables is gone. */
  reset(): void {
    this.#declared = [];
    // One that ended knows nothing in any case.
    this.call("reset").catch(() => undefined);
  }

  #start(): Worker {
    const worker = new Worker(new URL("../compile/worker.js", import.meta.url), { workerData: { ...this.#data, declared: this.#declared } satisfies WorkerData });
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
      for (const { reject } of lost) reject(new CompilerEnded(why || `exit code ${code}`));
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
