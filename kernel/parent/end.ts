import type { ErrorContent } from "../../lib/jupyter/messages.js";

/** In the log of a process that was ended because what it sent could not be read. */
export const DAMAGED = "the kernel could not read what the process sent";

/**
 * What to tell the author of a cell whose process ended.
 * @param log what the process wrote to stdout and stderr past JavaScript, its last words
 */
export function describeEnd(code: number | null, signal: NodeJS.Signals | null, log: string): ErrorContent {
  const [ename, what] = classify(code, signal, log);
  return content(ename, `${what}; all variables are gone, a new process is ready`);
}

/** What to tell where the process ended before it could run anything. */
export function describeFailedStart(code: number | null, signal: NodeJS.Signals | null, log: string): ErrorContent {
  const lines = log.trimEnd().split("\n");
  const { ename, evalue, traceback } = content("ProcessNotStarted", `the process that runs cells ended while it started (${signal ?? `exit code ${code}`}); the next cell tries again`);
  return { ename, evalue, traceback: [...traceback, ...lines] };
}

function content(ename: string, evalue: string): ErrorContent {
  return { ename, evalue, traceback: [`\x1b[31m${ename}\x1b[39m: ${evalue}`] };
}

function classify(code: number | null, signal: NodeJS.Signals | null, log: string): [string, string] {
  if (/heap out of memory|Allocation failed - JavaScript/i.test(log)) return ["OutOfMemory", "the cell ran out of JavaScript heap memory"];
  if (log.includes(DAMAGED)) return ["ProcessKilled", "the process was ended: something other than the kernel wrote to its file descriptor 3"];
  if (signal === "SIGKILL") return ["ProcessKilled", "the process was killed (SIGKILL: perhaps the system ran out of memory)"];
  if (signal !== null) return ["ProcessCrashed", `the process crashed in native code (${signal})`];
  return ["ProcessExit", `the process ended with exit code ${code} (process.exit?)`];
}
