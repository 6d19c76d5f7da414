import { spawn } from "node:child_process";
import { Worker } from "node:worker_threads";
import type { Answer, Call, ServiceData } from "../compile/service.js";

/** Where a compiler runs. */
export interface CompilerHost {
  post(call: Call): void;
  end(): void;
}

interface Events {
  answer(answer: Answer): void;
  /** @param why it ended, where that is not told by the exit code */
  ended(code: number | undefined, why: string | undefined): void;
}

/** Megabytes of a thread's stack: text that is nested deeply is read by functions that call themselves. */
const STACK = 32;

/** Starts the compiler as a thread. @param events.idle is called when no cell has come for a while */
export function startThread(data: ServiceData, events: Events & { idle(): void }): CompilerHost {
  const worker = new Worker(new URL("../compile/worker.js", import.meta.url), { workerData: data, resourceLimits: { stackSizeMb: STACK } });
  worker.on("message", (message: Answer | "idle") => (message === "idle" ? events.idle() : events.answer(message)));
  let why: string | undefined;
  worker.on("error", ({ message }) => (why = message));
  worker.on("exit", (code) => events.ended(code, why));
  return { post: (call) => worker.postMessage(call), end: () => void worker.terminate() };
}

/**
 * Starts the compiler from its snapshot. It is a process: threads cannot start from one.
 * @param snapshot file, see ../compile/snapshot/keep.ts
 */
export function startProcess(snapshot: string, data: ServiceData, { answer, ended }: Events): CompilerHost {
  const child = spawn(process.execPath, ["--no-warnings", "--snapshot-blob", snapshot], {
    // A snapshot does not start with other flags than those that it was made with.
    // glibc is to give back what V8 took to optimise a function, 100 MB for the largest of TypeScript's.
    env: { ...process.env, NODE_OPTIONS: "", MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "131072" },
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    serialization: "advanced",
  });
  let over = false;
  const end = (code: number | undefined, why: string | undefined) => {
    if (!over) ended(code, why);
    over = true;
  };
  child.on("message", (message: Answer) => answer(message));
  child.on("error", ({ message }) => end(undefined, message));
  child.on("exit", (code, signal) => end(code ?? undefined, signal === "SIGABRT" ? "it ran out of memory" : signal ? `it was ended by ${signal}` : undefined));
  // What cannot be sent is answered by its end.
  const send = (message: Call | ServiceData) => void (child.connected && child.send(message, () => undefined));
  send(data);
  return { post: send, end: () => void child.kill("SIGKILL") };
}
