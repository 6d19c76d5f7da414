import vm from "node:vm";

const WORK = Symbol.for("sdtp.work");
const script = new vm.Script("globalThis[Symbol.for('sdtp.work')]()", { filename: import.meta.filename });
const scope = globalThis as unknown as { [WORK]?: () => unknown };

/** Calls `work` so that an interrupt ends it, wherever it is in JavaScript, and is thrown here. */
export function breakable<T>(work: () => T): T {
  scope[WORK] = work;
  return script.runInThisContext({ breakOnSigint: process.platform !== "win32", displayErrors: false }) as T;
}

/** Milliseconds in which a signal that Node holds back shows itself. */
const HELD_BACK = 30;

/**
 * Takes up a signal that came while a script was about to end. Node's thread that waits for signals then leaves its
 * semaphore raised, and would end the next script at once. Call after an interrupt, before another cell runs.
 */
export function absorbSignal(): void {
  try {
    breakable(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HELD_BACK));
  } catch {
    // That was it.
  }
}
