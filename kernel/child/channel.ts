import type { FromChild } from "../messages.js";
import { Backlog, MAIN } from "./backlog.js";
import { writeFrame } from "./frame.js";

/**
 * Lines that are written faster than this are collected: a frame for each would take longer than the printing. What a
 * cell printed before has left this process even if the next statement crashes it or never yields.
 */
const BURST = { writes: 100, ms: 20 };
/** Bytes at which collected text is sent. */
const FULL = 64 * 1024;

/** Text that is printed in a burst. The watchdog's thread sends it on where this one never comes to it. */
export const backlog = new Backlog();
let windowStart = 0;
let writes = 0;

/** Sends to the parent before it returns, waiting where the pipe is full, behind all that was printed. */
export function send(message: FromChild): void {
  backlog.locked(MAIN, () => {
    const text = backlog.take();
    if (text) writeFrame(text);
    writeFrame(message);
  });
}

/** Sends what was written to a stream. */
export function sendText(run: number, name: "stdout" | "stderr", text: string): void {
  const now = performance.now();
  if (now - windowStart > BURST.ms) {
    windowStart = now;
    writes = 0;
  }
  if (++writes <= BURST.writes || text.length > FULL / 4 || !backlog.add(run, name, text)) send({ type: "stream", run, name, text });
  else if (backlog.length > FULL) flush();
}

/** Sends what was collected. */
export function flush(): void {
  backlog.locked(MAIN, () => {
    const text = backlog.take();
    if (text) writeFrame(text);
  });
}
