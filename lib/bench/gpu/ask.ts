import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { endedEarly } from "../../ambient-signal.js";
import { lastWords } from "../isolate.js";
import type { Answer, RowResult, Task } from "./tasks.js";
import type { Failure } from "../job.js";

/** What of a process's error output is kept for a message, in characters. */
const STDERR_TAIL = 2000;

/**
 * Has a task done in a process of its own, which may die: a driver that fails takes only that one with it.
 * @param onRow told of each row as it is measured
 * @throws what the task failed with, or how its process ended; the signal's reason
 */
export async function ask(task: Task, { signal, onRow }: { readonly signal?: AbortSignal | undefined; readonly onRow?: (length: number, row: RowResult | Failure) => void } = {}): Promise<Extract<Answer, { kind: "done" }>["result"]> {
  signal?.throwIfAborted();
  const child = fork(fileURLToPath(new URL("./child.js", import.meta.url)), { execArgv: ["--expose-gc"], stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let stderr = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-STDERR_TAIL)));
  let abort = () => {};
  try {
    return await new Promise((resolve, reject) => {
      child.on("message", (answer: Answer) => {
        if (answer.kind === "row") onRow?.(answer.length, answer.row);
        else if (answer.kind === "done") resolve(answer.result);
        else reject(new Error(answer.error));
      });
      child.on("error", reject);
      child.on("close", (code, killer) => reject(endedEarly(killer, `its process ended with ${killer ?? `code ${code}`}${killer === "SIGKILL" ? " (the system does so when memory runs out)" : ""}${stderr.trim() === "" ? "" : `: ${lastWords(stderr)}`}`)));
      abort = () => reject(signal!.reason as Error);
      signal?.addEventListener("abort", abort);
      child.send(task, (error) => error && reject(error));
    });
  } finally {
    signal?.removeEventListener("abort", abort);
    child.kill("SIGKILL");
  }
}
