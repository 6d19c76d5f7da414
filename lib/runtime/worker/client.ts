import { Worker } from "node:worker_threads";
import { BUSY, ENDING, type Answers, type Handle, type Message, type Reply, type Request } from "./protocol.js";

interface Waiting {
  resolve(result: never): void;
  reject(error: Error): void;
}

const states = new Set<Int32Array>();

function waitForRuns(): void {
  for (const state of states) Atomics.store(state, ENDING, 1);
  for (const state of states) while (Atomics.load(state, BUSY) === 1) Atomics.wait(state, BUSY, 1);
}

/**
 * The thread that runs a model's graphs, seen from the main one. It is never terminated: to end a thread in the middle of a run
 * crashes the process. So an exit waits for the run that is under way. When nothing is under way it does not keep the process alive.
 */
export class WorkerThread {
  private readonly state = new Int32Array(new SharedArrayBuffer(8));
  private readonly worker = new Worker(new URL("./thread.js", import.meta.url), { execArgv: [], workerData: this.state });
  private readonly waiting = new Map<number, Waiting>();
  /** What JavaScript collects here is freed there. */
  private readonly forgotten = new FinalizationRegistry<Handle>((handle) => void this.free(handle));
  private count = 0;
  private died: Error | null = null;

  constructor() {
    if (states.size === 0) process.once("exit", waitForRuns);
    states.add(this.state);
    this.worker.on("message", (reply: Reply) => {
      const waiting = this.waiting.get(reply.id)!;
      this.settled(reply.id);
      if ("error" in reply) waiting.reject(reply.error);
      else waiting.resolve(reply.result as never);
    });
    // After the listener, which holds the process as long as there may be messages.
    this.worker.unref();
    this.worker.on("error", (error) => this.end(error as Error));
    this.worker.on("exit", () => {
      // It cannot say any more that it is done.
      Atomics.store(this.state, BUSY, 0);
      this.end(new Error("worker: its thread has ended"));
    });
  }

  /** A number for something that is to be kept there. */
  handle(): Handle {
    return ++this.count;
  }

  /** Frees `handle` there when `owner` is collected here. */
  tie(owner: object, handle: Handle): void {
    this.forgotten.register(owner, handle, owner);
  }

  /** @param signal tells the worker that the answer is no longer wanted: a run ends then, where runs can be stopped @throws what the request threw there */
  ask<Op extends Request["op"]>(request: Extract<Request, { op: Op }>, signal?: AbortSignal): Promise<Answers[Op]> {
    if (this.died) return Promise.reject(this.died);
    const id = ++this.count;
    const stop = () => this.send({ stop: id });
    signal?.addEventListener("abort", stop);
    return new Promise<Answers[Op]>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.ref();
      this.send({ id, request });
    }).catch((error: unknown) => {
      throw signal?.aborted ? signal.reason : error;
    }).finally(() => signal?.removeEventListener("abort", stop));
  }

  free(handle: Handle, owner?: object): Promise<null> {
    if (owner) this.forgotten.unregister(owner);
    return this.ask({ op: "free", handle });
  }

  private send(message: Message): void {
    this.worker.postMessage(message);
  }

  private settled(id: number): void {
    this.waiting.delete(id);
    if (this.waiting.size === 0) this.worker.unref();
  }

  private end(error: Error): void {
    this.died ??= error;
    for (const { reject } of this.waiting.values()) reject(this.died);
    this.waiting.clear();
  }
}
