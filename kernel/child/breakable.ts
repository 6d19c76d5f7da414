import vm from "node:vm";

const WORK = Symbol.for("sdtp.work");
const script = new vm.Script("globalThis[Symbol.for('sdtp.work')]()", { filename: import.meta.filename });
const scope = globalThis as unknown as { [WORK]?: () => unknown };

/** Calls `work` so that an interrupt ends it, wherever it is in JavaScript, and is thrown here. */
export function breakable<T>(work: () => T): T {
  scope[WORK] = work;
  return script.runInThisContext({ breakOnSigint: process.platform !== "win32", displayErrors: false }) as T;
}
