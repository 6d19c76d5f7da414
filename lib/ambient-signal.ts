/**
 * Aborted when the running notebook cell is interrupted; undefined outside of notebooks. What takes long and was
 * given no `signal` listens to this one, so that the notebook's stop button stops it. Ask while the cell runs, at
 * the start of the work: the answer is that of the cell whose code calls.
 */
export function ambientSignal(): AbortSignal | undefined {
  const notebook = (globalThis as { [key: symbol]: unknown })[Symbol.for("sdtp.notebook")] as { readonly signal?: AbortSignal } | undefined;
  return notebook?.signal;
}

/** What `work` gives; or, as soon as the signal is aborted, its reason: the work goes on for nobody. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", (abort = () => reject(signal.reason as Error))));
  work.catch(() => {});
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * What a process that ended with `signal` before it was done is to the one that waits for it. A stop button and a terminal's
 * Ctrl-C reach both; one that has not come to its first line yet ends of it, and that is no failure of its work.
 */
export function endedEarly(signal: NodeJS.Signals | null, message: string): Error {
  return signal === "SIGINT" ? new DOMException("interrupted", "AbortError") : new Error(message);
}

/** Whether work was stopped on request, which is never a result. */
export function isAbort(error: unknown): boolean {
  return (error as Error | undefined)?.name === "AbortError";
}
