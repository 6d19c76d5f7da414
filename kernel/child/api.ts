/**
 * What a notebook has without importing it. The declarations here are what completion and hover show,
 * so this file imports nothing that is slow to read.
 */

/** One value in several representations, keyed by MIME type. */
export interface MimeBundle {
  data: Record<string, unknown>;
  metadata?: Record<string, unknown>;
}

/** A type says how its values look by this method: `[Symbol.for("Jupyter.display")]()`. */
export interface Displayable {
  [displaySymbol](): Record<string, unknown> | MimeBundle | Promise<Record<string, unknown> | MimeBundle>;
}

/** `Symbol.for("Jupyter.display")`. */
export const displaySymbol: unique symbol = Symbol.for("Jupyter.display") as never;

export interface DisplayOptions {
  /** A name under which the output can be replaced later. */
  displayId?: string;
  /** The value is a MIME bundle itself: `{"text/html": "…"}`. */
  raw?: boolean;
}

/** An output that can be replaced. */
export interface DisplayHandle {
  readonly displayId: string;
  /** Shows `value` in the place of what was shown. @param options `raw`: it is a MIME bundle itself */
  update(value: unknown, options?: { raw?: boolean }): void;
}

export interface Display {
  /**
   * Shows a value below the cell, as a cell's last expression is shown.
   * @example
   * const handle = display("working …");
   * handle.update("done");
   */
  (value: unknown, options?: DisplayOptions): DisplayHandle;
  /** Replaces every output that was shown with this `displayId`. @param options `raw`: the value is a MIME bundle itself */
  update(displayId: string, value: unknown, options?: { raw?: boolean }): void;
  /** Shows HTML. */
  html(html: string): DisplayHandle;
  /** Shows Markdown. */
  markdown(markdown: string): DisplayHandle;
  /** Shows LaTeX, with its delimiters: `$$e^{i\pi} = -1$$`. */
  latex(latex: string): DisplayHandle;
  /** Shows SVG. */
  svg(svg: string): DisplayHandle;
  /** Shows a value as a JSON tree, where the client has one. */
  json(value: unknown): DisplayHandle;
  /** Runs JavaScript in the client. */
  javascript(code: string): DisplayHandle;
  /** Shows an image: a path, the bytes of a PNG, JPEG, GIF, WebP or SVG, or a Blob of them. */
  image(image: string | Uint8Array | ArrayBuffer | Blob, options?: { width?: number; height?: number; alt?: string }): DisplayHandle;
  /** Shows a Plotly figure. */
  plotly(data: object[], layout?: object, config?: object): DisplayHandle;
  /**
   * Says how values of a type of someone else's look. Later registrations come first.
   * @param test whether this is such a value
   * @param format its MIME bundle, or undefined to let others try
   */
  register<T>(test: (value: unknown) => value is T, format: (value: T) => Record<string, unknown> | MimeBundle | undefined): void;
}

export interface ProgressBar {
  /** Sets how much is done, and optionally what is being done. */
  update(done: number, text?: string): void;
  /** Adds to how much is done. */
  increment(by?: number, text?: string): void;
  /** Shows the last state at once; the time stops. */
  finish(text?: string): void;
}

export interface Progress {
  /** A progress bar that updates in place. */
  (total: number, label?: string): ProgressBar;
  /** Iterates with a progress bar. @example for (const n of progress([1, 2, 3], "lengths")) … */
  <T>(items: readonly T[] | Set<T>, label?: string): Iterable<T>;
}

/** One end of a channel between the notebook and a widget in the client. */
export interface Comm {
  readonly id: string;
  readonly target: string;
  send(data: object, metadata?: object, buffers?: Uint8Array[]): void;
  close(data?: object): void;
  onMessage(listener: (data: any, buffers: Uint8Array[]) => void): void;
  onClose(listener: (data: any) => void): void;
}

export interface Comms {
  /** Opens a comm to what the client registered as `target`. */
  open(target: string, data?: object, metadata?: object, buffers?: Uint8Array[]): Comm;
  /** Called when the client opens a comm to `target`. */
  register(target: string, opened: (comm: Comm, data: any, buffers: Uint8Array[]) => void): void;
}

/** What code shows: text that it prints, or a value that it displays. */
export type ShownOutput =
  | { readonly type: "stream"; readonly name: "stdout" | "stderr"; readonly text: string }
  | { readonly type: "display"; readonly bundle: Required<MimeBundle>; readonly displayId?: string; readonly update: boolean }
  | { readonly type: "clear"; readonly wait: boolean };

/** Work beside the cells, which can be dropped as a cell can be interrupted. */
export interface Task<T> {
  readonly done: Promise<T>;
  /** Ends the work as soon as it awaits something, and aborts what listens to its signal. `done` is rejected with `reason`. */
  drop(reason: Error): void;
}

/** What the execution process puts behind these functions. */
export interface Host {
  display: Display;
  clearOutput(options?: { wait?: boolean }): void;
  input(prompt?: string, options?: { password?: boolean }): Promise<string>;
  progress: Progress;
  comms: Comms;
  /** How a value looks, as `display` would show it. */
  bundle(value: unknown): Required<MimeBundle> | Promise<Required<MimeBundle>>;
  /**
   * Starts work of its own: what it shows goes to `shown` in place of an output, and an interrupt ends it as it ends a cell.
   * @param work is handed the signal that says it was dropped or interrupted
   */
  task<T>(work: (signal: AbortSignal) => T | Promise<T>, shown: (output: ShownOutput) => void): Task<T>;
  /** Whether what is shown now is a task's, and no output of a cell. */
  readonly beside: boolean;
  /** Aborted when the running cell is interrupted. */
  readonly signal: AbortSignal | undefined;
  /** Cells that were stale when the running cell began. */
  readonly stale: { cell?: string; count: number; because: string }[];
}

/**
 * The host of this process, undefined outside of a notebook. Code that cannot depend on the kernel, such
 * as a library that shows its progress, finds the same under `globalThis[Symbol.for("sdtp.notebook")]`.
 */
const host = (): Host => {
  const found = (globalThis as { [key: symbol]: unknown })[Symbol.for("sdtp.notebook")] as Host | undefined;
  if (!found) throw new Error("display: no notebook (these functions work in a cell)");
  return found;
};

/** Shows a value below the cell; see its members for HTML, Markdown, images and more. */
export const display: Display = new Proxy((() => undefined) as unknown as Display, {
  apply: (_, __, args: [unknown, DisplayOptions?]) => host().display(...args),
  get: (_, name) => host().display[name as keyof Display],
});

/** Removes what this cell has shown; with `wait`, when the next output comes (no flicker). */
export function clearOutput(options?: { wait?: boolean }): void {
  host().clearOutput(options);
}

/**
 * Asks the person at the notebook: `const name = await input("name? ")`.
 * @throws where the client cannot ask, as in a run without a person.
 */
export function input(prompt?: string, options?: { password?: boolean }): Promise<string> {
  return host().input(prompt, options);
}

/** A progress bar: `progress(100)`, or `for (const x of progress(items))`. */
export const progress: Progress = ((...args: Parameters<Progress>) => host().progress(...args)) as Progress;

/** Channels to widgets in the client. */
export const comms: Comms = {
  open: (...args) => host().comms.open(...args),
  register: (...args) => host().comms.register(...args),
};
