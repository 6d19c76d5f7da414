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
import { STOP } from "./stop.js";

/** Counts interrupts that the main thread has seen. */
const seen = new Int32Array((workerData as { seen: SharedArrayBuffer }).seen);

const call = (name: string) => ({ expression: `globalThis[Symbol.for("${STOP}")].${name}()`, returnByValue: true });

function stop(): void {
  session.post("Runtime.evaluate", call("mayStop"), (_: Error | null, answer?: { result?: { value?: unknown } }) => {
    if (answer?.result?.value !== true) return;
    session.post("Runtime.evaluate", call("clearContexts"));
    session.post("Runtime.terminateExecution");
  });
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
