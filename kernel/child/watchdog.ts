/**
 * A thread of the execution process that can stop the main thread when nothing else can: JavaScript
 * that never returns to the event loop after an await or in a timer sees no signal. The parent writes
 * a line here; V8 then ends what runs, and variables stay. A long native call is not touched: the
 * request takes effect when it comes back to JavaScript.
 */
import { Session } from "node:inspector";
import { Socket } from "node:net";
import { workerData } from "node:worker_threads";
import { type InspectorCall, WATCHDOG_FD } from "../messages.js";
import { Backlog, WATCHDOG } from "./backlog.js";
import { writeFrame } from "./frame.js";
import { type Answer, ASKED, IDLE, PREPARED, STOP } from "./stop.js";

const buffers = workerData as { seen: SharedArrayBuffer; state: SharedArrayBuffer; backlog: SharedArrayBuffer };
/** Counts interrupts that the main thread has seen. */
const seen = new Int32Array(buffers.seen);
/** See stop.ts. */
const state = new Int32Array(buffers.state);

/** Milliseconds for which a better place to stop at is looked for. */
const CHOOSY = 200;

/** Milliseconds for which one is looked for where JavaScript stands still, and nothing will change. */
const STANDS = 1000;

type WaitAsync = (array: Int32Array, index: number, value: number, timeout: number) => { value: string | Promise<string> };
/** Newer than the TypeScript library of this project. */
const { waitAsync } = Atomics as unknown as { waitAsync: WaitAsync };

function prepare(count: number, insist: boolean): Promise<Answer | undefined> {
  const expression = `globalThis[Symbol.for("${STOP}")](${count}, ${insist})`;
  return new Promise((resolve) => {
    session.post("Runtime.evaluate", { expression, returnByValue: true }, (_: Error | null, answer?: { result?: { value?: Answer } }) => resolve(answer?.result?.value));
  });
}

/** @param count how many interrupts are seen; once there are more, nothing hangs any more */
async function stop(count: number): Promise<void> {
  const started = performance.now();
  while (Atomics.load(seen, 0) === count) {
    Atomics.store(state, 0, IDLE);
    const prepared = Promise.resolve(waitAsync(state, 0, IDLE, Infinity).value).then(() => PREPARED);
    const answer = await Promise.race([prepared, prepare(count, performance.now() - started > CHOOSY)]);
    if (answer === PREPARED) {
      session.post("Runtime.terminateExecution");
      Atomics.store(state, 0, ASKED);
      Atomics.notify(state, 0);
    }
    if (answer !== "later") return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Milliseconds that printed text may wait for the main thread to send it. */
const LATE = 10;

/** Sends what the main thread printed and does not come to send. */
async function sendOn(): Promise<void> {
  const backlog = new Backlog(buffers.backlog);
  for (;;) {
    await backlog.filled();
    await new Promise((resolve) => setTimeout(resolve, LATE));
    backlog.locked(WATCHDOG, () => {
      const text = backlog.take();
      if (text) writeFrame(text);
    });
  }
}
void sendOn();

const session = new Session();
session.connectToMainThread();

const load = () => import("./inspector.js").then(({ awake, openInspector }) => ({ awake, inspector: openInspector(new Backlog(buffers.backlog)) }));
let loaded: ReturnType<typeof load> | undefined;

async function inspect(call: InspectorCall): Promise<void> {
  const { awake, inspector } = await (loaded ??= load());
  if (call.ends !== undefined) {
    // What stands at a breakpoint and is let go on before it is to end may come to its own end first.
    const stopped = awake(session);
    await Promise.race([stop(call.ends), new Promise((resolve) => setTimeout(resolve, STANDS))]);
    stopped();
  }
  inspector(call);
}

let unfinished = "";
const socket = new Socket({ fd: WATCHDOG_FD, readable: true, writable: false });
socket.setEncoding("utf8");
socket.on("data", (lines: string) => {
  const whole = (unfinished + String(lines)).split("\n");
  unfinished = whole.pop() as string;
  for (const line of whole.filter(Boolean)) {
    // The line holds how many interrupts the parent knows to be seen, or a request to the inspector.
    if (line.startsWith("{")) void inspect(JSON.parse(line) as InspectorCall);
    else void stop(Number(line));
  }
});
// The parent is gone. The main thread would notice by itself, but perhaps it never returns.
socket.on("close", () => process.kill(process.pid, "SIGKILL"));
socket.on("error", () => undefined);
