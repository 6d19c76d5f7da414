import { Worker } from "node:worker_threads";
import type { Call, Methods, WorkerData } from "../compile/worker.js";

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
}

/** The compiler's thread, seen from the kernel. Calls are answered in order. */
export class CompilerThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;

  constructor(data: WorkerData) {
    this.#worker = new Worker(new URL("../compile/worker.js", import.meta.url), { workerData: data });
    this.#worker.on("message", ({ id, value, error }: { id: number; value?: never; error?: string }) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value as never);
      else waiting?.reject(new Error(error));
    });
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("compiler: ended")));
  }

  call<Name extends keyof Methods>(method: Name, ...args: Parameters<Methods[Name]>): Promise<ReturnType<Methods[Name]>> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, args } satisfies Call);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
