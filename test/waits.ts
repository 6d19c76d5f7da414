/** Waits that end: each says what was awaited, and what was seen instead. */
import type { ChildProcess } from "node:child_process";

/** Milliseconds of one wait; the machine may be busy. */
export const PATIENCE = 180_000;

/** Milliseconds between two looks. */
const BETWEEN = 100;

export interface Awaiting {
  /** What there is instead, for the error. */
  readonly seen?: () => unknown;
  /** Milliseconds. */
  readonly patience?: number;
}

/** Looks until `look` gives something: neither undefined nor false. @returns it @throws where that takes too long */
export async function eventually<T>(what: string, look: () => T | Promise<T>, { seen, patience = PATIENCE }: Awaiting = {}): Promise<Exclude<T, undefined | false>> {
  const until = performance.now() + patience;
  for (;;) {
    const found = await within(what, Promise.resolve(look()), { ...(seen && { seen }), patience });
    if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>;
    if (performance.now() > until) throw await late(what, patience, seen);
    await new Promise((resolve) => setTimeout(resolve, BETWEEN));
  }
}

/** What a promise gives. @throws where that takes too long; what the promise rejects with, and what was awaited */
export async function within<T>(what: string, promise: Promise<T>, { seen, patience = PATIENCE }: Awaiting = {}): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<typeof OVER>((resolve) => (timer = setTimeout(() => resolve(OVER), patience)));
  try {
    const first = await Promise.race([promise, over]);
    if (first !== OVER) return first as T;
    promise.catch(() => undefined);
    throw await late(what, patience, seen);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a process that the test started, if need be by force. */
export async function ended(child: ChildProcess, patience = PATIENCE / 6): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill();
  await within("the end of a process", gone, { patience }).catch(() => void child.kill("SIGKILL"));
  await within("the end of a process that was killed", gone);
}

const OVER = Symbol("over");

/** What can be told of what is there instead, where that is told soon. */
async function late(what: string, patience: number, seen: (() => unknown) | undefined): Promise<Error> {
  const told = Promise.resolve().then(() => seen?.()).catch((error: Error) => error.message);
  const text = await Promise.race([told, new Promise((resolve) => setTimeout(resolve, 10_000, "no answer to that").unref())]);
  return new Error(`${what}: not within ${patience / 1000} s${text === undefined ? "" : `; instead: ${typeof text === "string" ? text : JSON.stringify(text)}`}`);
}
