import { ambientSignal } from "../ambient-signal.js";

/** What of the kernel's functions is used here. The library does not depend on the kernel: it finds them where it runs in a cell. */
interface Notebook {
  display(value: unknown): { update(value: unknown): void };
}

/** The notebook whose cell is running; undefined elsewhere. */
export function notebook(): Notebook | undefined {
  return (globalThis as { [key: symbol]: unknown })[Symbol.for("sdtp.notebook")] as Notebook | undefined;
}

/** Aborted when the cell is interrupted, or by `signal`; undefined where there is neither. */
export function cellSignal(signal?: AbortSignal): AbortSignal | undefined {
  const own = ambientSignal();
  return own && signal ? AbortSignal.any([own, signal]) : (own ?? signal);
}
