/**
 * What the watchdog (watchdog.ts) calls in the main thread before it ends JavaScript there. Both
 * functions run in the middle of whatever the main thread is doing.
 */

/** Native code that calls JavaScript back and aborts the process if that JavaScript is ended. */
const FRAGILE = /[\\/]onnxruntime-(node|common)[\\/]/;

/** Whether JavaScript may be ended now. */
function mayStop(): boolean {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Error.stackTraceLimit = Infinity;
  Error.prepareStackTrace = (_, frames) => frames.map((frame) => frame.getFileName() ?? "");
  const files = new Error().stack as unknown as string[];
  Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  return !files.some((file) => FRAGILE.test(file));
}

/**
 * Ending JavaScript skips what Node does behind a callback, among it taking the callback off the stack of
 * async contexts; a stack that is not empty at the end of a turn aborts the process. So it is emptied
 * first, as Node does for an uncaught exception. Node's own function for it is not public.
 */
function clearContexts(): void {
  (process as unknown as { binding?(name: string): { clearAsyncIdStack?(): void } }).binding?.("async_wrap").clearAsyncIdStack?.();
}

export const STOP = "sdtp.stop";

export function installStop(): void {
  // Looked up once now: the first use loads code, and later there may be no room for that.
  clearContexts();
  Object.defineProperty(globalThis, Symbol.for(STOP), { value: { mayStop, clearContexts } });
}
