import { ask, type Sample, type Target } from "./client.js";
import type { Planned } from "./workload.js";

export interface Sending {
  readonly to: Target;
  readonly body: (request: Planned) => Buffer;
  /** Requests on their way at once at most; null: no limit. */
  readonly maxConcurrency: number | null;
  /** Seconds that were measured before. */
  readonly offset: number;
  readonly signal: AbortSignal;
  readonly onSent?: () => void;
  readonly onEnd?: (sample: Sample, running: number) => void;
}

/** Sends requests when their time has come and there is room. @returns whether all have ended; not where the signal stopped it */
export async function sendAll(requests: readonly Planned[], { to, body, maxConcurrency, offset, signal, onSent, onEnd }: Sending): Promise<boolean> {
  const begin = performance.now();
  const running = new Set<Promise<void>>();
  for (const request of requests) {
    await until(begin + 1e3 * request.sendAt, signal);
    while (maxConcurrency !== null && running.size >= maxConcurrency && !signal.aborted) await Promise.race(running);
    if (signal.aborted) break;
    const bytes = body(request);
    onSent?.();
    const one: Promise<void> = ask(to, request, bytes, begin, offset, signal).then((sample) => {
      running.delete(one);
      if (sample) onEnd?.(sample, running.size);
    });
    running.add(one);
  }
  await Promise.all(running);
  to.agent.destroy();
  return !signal.aborted;
}

function until(time: number, signal: AbortSignal): Promise<void> {
  const wait = time - performance.now();
  if (wait <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, wait);
    signal.addEventListener("abort", done);
  });
}
