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
