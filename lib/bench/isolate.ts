import { fileURLToPath } from "node:url";
import { endedEarly } from "../ambient-signal.js";
import type { Job, JobResult, RunDone } from "./job.js";
import { type Placement, startPlaced } from "./placement.js";
import type { WorkerMessage } from "./worker.js";

export interface IsolateOptions {
  /** Ends the process and throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the process after this time. */
  readonly timeoutSeconds?: number | undefined;
  readonly onRun?: ((done: RunDone) => void) | undefined;
  /** Which card or processors the process is given; default: all that this one has. */
  readonly placement?: Placement | undefined;
}

/** What of a process's error output is kept for a message, in characters. */
const STDERR_TAIL = 2000;

/**
 * Runs a job in a process of its own, so that its peak memory and its caches are its own and its death is survived.
 * @throws when the model cannot be loaded, the process is killed (as the system does when memory runs out) or
 *   crashes, or the time is up; AbortError where it was interrupted. A method that fails alone is a `Failure` in the result instead.
 */
export async function isolate(job: Job, { signal, timeoutSeconds, onRun, placement }: IsolateOptions = {}): Promise<JobResult> {
  signal?.throwIfAborted();
  const child = startPlaced(fileURLToPath(new URL("./worker.js", import.meta.url)), ["--expose-gc"], placement);
  let stderr = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-STDERR_TAIL)));
  let timer: NodeJS.Timeout | undefined;
  // A run blocks the process for as long as it takes: no message would end it.
  const kill = () => child.kill("SIGKILL");
  let abort = () => {};
  try {
    return await new Promise<JobResult>((resolve, reject) => {
      child.on("message", (message: WorkerMessage) => {
        if ("run" in message) onRun?.(message.run);
        else if ("result" in message) resolve(message.result);
        else reject(new Error(message.error));
      });
      child.on("error", reject);
      child.on("close", (code, killer) => reject(endedEarly(killer, died(code, killer, stderr))));
      abort = () => reject(signal!.reason as Error);
      signal?.addEventListener("abort", abort);
      if (timeoutSeconds !== undefined) timer = setTimeout(() => reject(new Error(`timeout: ${timeoutSeconds} s (the measurement was not done)`)), timeoutSeconds * 1e3);
      child.send(job, (error) => error && reject(error));
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    kill();
  }
}

function died(code: number | null, killer: NodeJS.Signals | null, stderr: string): string {
  const last = lastWords(stderr);
  const said = last === "" ? "" : `: ${last}`;
  if (killer === "SIGKILL") return `measurement: killed by SIGKILL (the system does so when memory runs out)${said}`;
  return `measurement: ended with ${killer ?? `code ${code}`} before it was done${said}`;
}

/** What a process wrote last before it ended: of an error that nobody caught, its message, not the stack and the version under it. */
export function lastWords(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return (lines.findLast((line) => /^(?:\w+)?(?:Error|Rejection)\b/.test(line)) ?? lines.findLast((line) => !/^(?:Node\.js v|at )/.test(line)) ?? "").slice(0, 300);
}
