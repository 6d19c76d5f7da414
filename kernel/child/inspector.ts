/**
 * The kernel's way to V8's inspector of the main thread, through the watchdog's thread, which answers also while the main one
 * computes or stands at a breakpoint. No port is opened. Loaded with the first request of a debugger's.
 */
import { Session } from "node:inspector";
import type { FromChild, InspectorCall } from "../messages.js";
import { type Backlog, WATCHDOG } from "./backlog.js";
import { writeFrame } from "./frame.js";

/** Scripts of Node's and of the kernel's own, which nobody looks for. */
const FOREIGN = /^node:|[\\/]dist[\\/]kernel[\\/]|^$/;

/** Milliseconds until a request is followed by another that does nothing, and the longest between two of those. */
const FIRST = 20;
const LAST = 1000;

/**
 * Wakes the main thread until it has answered: on Node 26 one that stands at a breakpoint may not notice a request until the next
 * one comes. @returns ends it
 */
export function awake(session: Session): () => void {
  let timer: NodeJS.Timeout;
  const again = (after: number) => {
    timer = setTimeout(() => {
      session.post("Runtime.getIsolateId" as "Runtime.enable", () => undefined);
      again(Math.min(2 * after, LAST));
    }, after);
  };
  again(FIRST);
  return () => clearTimeout(timer);
}

type Notification = { method: string; params: Record<string, unknown> };

/** @returns takes a request to the inspector; answers and notifications are sent to the kernel */
export function openInspector(backlog: Backlog): (call: InspectorCall) => void {
  const session = new Session();
  session.connectToMainThread();
  const send = (message: FromChild) => {
    let sent = false;
    const write = () => {
      const text = backlog.take();
      if (text) writeFrame(text);
      writeFrame(message);
      sent = true;
    };
    // The main thread never stands still while it sends: see the kernel's blackbox patterns.
    while (!sent) {
      backlog.locked(WATCHDOG, write);
      if (!sent) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  };
  session.on("inspectorNotification", (message) => {
    const { method, params } = message as unknown as Notification;
    if (method === "Debugger.scriptParsed") {
      const { url, scriptId } = params as { url: string; scriptId: string };
      if (!FOREIGN.test(url)) send({ type: "inspector-event", method, params: { url, scriptId } });
    } else if (method === "Debugger.paused" || method === "Debugger.resumed") {
      send({ type: "inspector-event", method, params: params ?? {} });
    }
  });
  const post = session.post.bind(session) as (method: string, params: object, answer: (error: Error | null, result?: object) => void) => void;
  return ({ id, method, params }) => {
    const answered = awake(session);
    post(method, params, (error, result) => {
      answered();
      send(error ? { type: "inspector", id, error: error.message } : { type: "inspector", id, result: result ?? {} });
    });
  };
}
