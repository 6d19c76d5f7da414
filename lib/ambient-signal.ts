/**
 * Aborted when the running notebook cell is interrupted; undefined outside of notebooks. What takes long and was
 * given no `signal` listens to this one, so that the notebook's stop button stops it. Ask while the cell runs, at
 * the start of the work: the answer is that of the cell whose code calls.
 */
export function ambientSignal(): AbortSignal | undefined {
  const notebook = (globalThis as { [key: symbol]: unknown })[Symbol.for("sdtp.notebook")] as { readonly signal?: AbortSignal } | undefined;
  return notebook?.signal;
}
