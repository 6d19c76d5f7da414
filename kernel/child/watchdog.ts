/**
 * A thread of the execution process that can stop the main thread when nothing else can: JavaScript
 * that never returns to the event loop after an await or in a timer sees no signal. The parent writes
 * a line here; V8 then ends what runs, and variables stay. A long native call is not touched: the
 * request takes effect when it comes back to JavaScript.
 */
import { Session } from "node:inspector";
import { Socket } from "node:net";
import { workerData } from "node:worker_threads";
import { WATCHDOG_FD } from "../messages.js";

/** Counts interrupts that the main thread has seen. */
const seen = new Int32Array((workerData as { seen: SharedArrayBuffer }).seen);

/**
 * Ending JavaScript skips what Node does behind a callback, among it taking the callback off the stack of
 * async contexts; a stack that is not empty at the end of a turn aborts the process. So it is emptied
 * first, as Node does for an uncaught exception.
 */
function stop(): void {
  session.post("Runtime.evaluate", { expression: "globalThis[Symbol.for('sdtp.stop')]()" });
  session.post("Runtime.terminateExecution");
}

const session = new Session();
session.connectToMainThread();

const socket = new Socket({ fd: WATCHDOG_FD, readable: true, writable: false });
socket.setEncoding("utf8");
socket.on("data", (lines: string) => {
  for (const line of String(lines).split("\n").filter(Boolean)) {
    // The line holds how many interrupts the parent knows to be seen. If there are more by now, nothing hangs.
    if (Atomics.load(seen, 0) === Number(line)) stop();
  }
});
// The parent is gone. The main thread would notice by itself, but perhaps it never returns.
socket.on("close", () => process.kill(process.pid, "SIGKILL"));
socket.on("error", () => undefined);
