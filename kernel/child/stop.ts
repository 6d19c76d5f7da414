/**
 * What the watchdog (watchdog.ts) calls in the main thread before it ends JavaScript there. It runs in the middle of
 * whatever the main thread is doing.
 */

/** Where an end would tear a message to the kernel in two. */
const SENDING = /[\\/]kernel[\\/]child[\\/](channel|frame|backlog)\.js$/;

/** Where a message of the kernel's is taken in, perhaps the interrupt itself: on a busy machine that comes late. */
const RECEIVING = /[\\/]kernel[\\/]child[\\/]main\.js$/;

/** Native code that calls JavaScript back and aborts the process if that JavaScript is ended. */
const FRAGILE = /[\\/]onnxruntime-(node|common)[\\/]/;
/** Milliseconds that the watchdog has to ask for the end. */
const PATIENCE = 1000;

/** Between the two threads: nothing; the main thread is prepared and waits; the end was asked for. */
export const [IDLE, PREPARED, ASKED] = [0, 1, 2];

/** `never`: JavaScript must not be ended here; `later`: not at this very place. */
export type Answer = "never" | "later" | "ended";

/** Files of the JavaScript that is running, innermost first, this one's left out. */
function running(): string[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Error.stackTraceLimit = Infinity;
  Error.prepareStackTrace = (_, frames) => frames.map((frame) => frame.getFileName() ?? "");
  const files = new Error().stack as unknown as string[];
  Error.prepareStackTrace = prepareStackTrace;
  Error.stackTraceLimit = stackTraceLimit;
  return files.filter((file) => file !== "" && file !== import.meta.filename && file !== import.meta.url);
}

/**
 * Ending JavaScript skips what Node does behind a callback, among it taking the callback off the stack of async contexts.
 * Node 20 and 22 keep the running cell on it (AsyncLocalStorage), so there it is emptied, as Node does for an uncaught
 * exception; its own function for that is not public. Later ones keep it elsewhere, and have no such function. None checks
 * the stack at the end of a turn, which would abort the process: `--no-force-async-hooks-checks` in parent/execution.ts.
 */
const clearContexts = findClear();

function findClear(): () => void {
  const nothing = () => undefined;
  if (Number(process.versions.node.split(".")[0]) >= 24) return nothing;
  try {
    const { binding } = process as unknown as { binding?(name: string): { clearAsyncIdStack?(): void } };
    return binding?.call(process, "async_wrap").clearAsyncIdStack ?? nothing;
  } catch {
    return nothing;
  }
}

let untouched = 0;

/** Runs `work` to its end whatever is asked for meanwhile: for what would be left half done for good. A signal must be held off apart from that. */
export function whole<T>(work: () => T): T {
  untouched++;
  try {
    return work();
  } finally {
    untouched--;
  }
}

export const STOP = "sdtp.stop";

/** @param seen counts interrupts that the event loop has seen */
export function installStop(state: Int32Array, seen: Int32Array): void {
  // Looked up once now: the first use loads code, and later there may be no room for that.
  clearContexts();
  /**
   * @param count interrupts that were seen when this one was asked for: by now, another cell may be running
   * @param insist even in the middle of a function of Node's, which may be about to put a context on the stack
   */
  const prepare = (count: number, insist: boolean): Answer => {
    if (Atomics.load(seen, 0) !== count) return "never";
    if (untouched > 0) return "later";
    const files = running();
    if (files.some((file) => FRAGILE.test(file))) return "never";
    if ((!insist && files[0]?.startsWith("node:")) || RECEIVING.test(files[0] ?? "") || files.some((file) => SENDING.test(file))) return "later";
    clearContexts();
    Atomics.store(state, 0, PREPARED);
    Atomics.notify(state, 0);
    // A flood of microtasks would fill the stack again before the end is asked for.
    Atomics.wait(state, 0, PREPARED, PATIENCE);
    return "ended";
  };
  Object.defineProperty(globalThis, Symbol.for(STOP), { value: prepare });
}
