import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { JsonObject, MimeBundle } from "../../lib/jupyter/messages.js";
import { isBroken } from "../display/broken.js";
import { asGiven, toBundle } from "../display/bundle.js";
import type { Formatted } from "../display/format.js";
import { standaloneSvg } from "../display/elements.js";
import { imageBundle } from "../display/image.js";
import { plotlyBundle } from "../display/plotly.js";
import { registerFormat } from "../display/registry.js";
import type { Display, DisplayHandle, DisplayOptions, Host, Progress, ShownOutput, Task } from "./api.js";
import { Cell, currentCell, KeyboardInterrupt } from "./cell.js";
import { send } from "./channel.js";
import { Comms } from "./comm.js";
import { breakable } from "./breakable.js";
import { Inputs } from "./input.js";
import type { Modules } from "./modules.js";
import { currentRun } from "./output.js";
import { progress } from "./progress.js";

export interface ChildHost extends Host {
  comms: Comms;
  inputs: Inputs;
  /** Interrupts the work that runs beside the cells. */
  interruptTasks(): void;
}

/** Puts the functions of api.ts into effect for this process. */
export function installHost(modules: Modules): ChildHost {
  const inputs = new Inputs();
  const tasks = new Set<Cell>();
  const display = createDisplay();
  const host: ChildHost = {
    display,
    inputs,
    comms: new Comms(),
    bundle: (value) => (isDisplayHandle(value) ? { data: { "text/plain": "" }, metadata: {} } : toBundle(value)),
    task: (work, shown) => task(new Cell(currentRun(), modules), tasks, work, shown),
    interruptTasks: () => {
      for (const each of tasks) each.interrupt();
    },
    clearOutput: ({ wait = false } = {}) => {
      const shown = currentCell.getStore()?.shown;
      if (shown) shown({ type: "clear", wait });
      else send({ type: "clear", run: currentRun(), wait });
    },
    input: (prompt = "", { password = false } = {}) => inputs.ask(prompt, password),
    progress: ((items: number | unknown[], label?: string) => progress(display, items, label)) as unknown as Progress,
    get beside() {
      return currentCell.getStore()?.shown !== undefined;
    },
    get signal() {
      return currentCell.getStore()?.signal;
    },
    get stale() {
      return currentCell.getStore()?.stale ?? [];
    },
  };
  Object.defineProperty(globalThis, Symbol.for("sdtp.notebook"), { value: host, configurable: true });
  return host;
}

function task<T>(cell: Cell, tasks: Set<Cell>, work: (signal: AbortSignal) => T | Promise<T>, shown: (output: ShownOutput) => void): Task<T> {
  cell.shown = shown;
  tasks.add(cell);
  const run = async () => {
    const result = await cell.untilInterrupted(Promise.resolve(broken(() => work(cell.signal))));
    if (cell.pending.size > 0) await cell.untilInterrupted(Promise.all(cell.pending));
    return result;
  };
  const done = currentCell.run(cell, run).finally(() => tasks.delete(cell));
  return { done, drop: (reason) => cell.interrupt(reason) };
}

/** What an interrupt ended in the middle of JavaScript was interrupted. */
function broken<T>(work: () => T): T {
  try {
    return breakable(work);
  } catch (error) {
    throw isBroken(error) ? new KeyboardInterrupt() : error;
  }
}

const handles = new WeakSet<object>();

/** A cell that ends in `display(x)` has shown x: its handle is no result to show as well. */
export const isDisplayHandle = (value: unknown): boolean => typeof value === "object" && value !== null && handles.has(value);

function createDisplay(): Display {
  const show = (value: unknown, { displayId, raw = false }: DisplayOptions = {}): DisplayHandle => {
    const id = displayId ?? randomUUID();
    publish(raw ? asGiven(value as Formatted) : toBundle(value), id, false);
    const handle = { displayId: id, update: (next: unknown, options?: { raw?: boolean }) => display.update(id, next, options) };
    handles.add(handle);
    return handle;
  };
  const shape = (type: string) => (content: unknown) => show({ [type]: content, "text/plain": plainTwin(type, content) }, { raw: true });
  const display: Display = Object.assign(show, {
    update: (displayId: string, value: unknown, { raw = false }: { raw?: boolean } = {}) => publish(raw ? asGiven(value as Formatted) : toBundle(value), displayId, true),
    html: shape("text/html"),
    markdown: shape("text/markdown"),
    latex: shape("text/latex"),
    svg: (svg: string) => shape("image/svg+xml")(standaloneSvg(svg)),
    json: shape("application/json"),
    javascript: shape("application/javascript"),
    image: (image: string | Uint8Array | ArrayBuffer | Blob, options: { width?: number; height?: number; alt?: string } = {}) => {
      if (image instanceof Blob) return show({ [Symbol.for("Jupyter.display")]: async () => imageBundle(await image.arrayBuffer(), options) });
      return show(imageBundle(typeof image === "string" ? readFileSync(image) : image, options), { raw: true });
    },
    plotly: (data: object[], layout?: object, config?: object) =>
      show(plotlyBundle({ data, ...(layout ? { layout } : {}), ...(config ? { config } : {}) }), { raw: true }),
    register: (test: (value: unknown) => boolean, format: (value: never) => Formatted | undefined) =>
      registerFormat((value) => (test(value) ? format(value as never) : undefined)),
  });
  return display;
}

/** Sends a bundle; where it is still being made, the cell waits for it before it ends. */
function publish(bundle: MimeBundle | Promise<MimeBundle>, displayId: string, update: boolean): void {
  const run = currentRun();
  const shown = currentCell.getStore()?.shown;
  const deliver = (made: MimeBundle) => (shown ? shown({ type: "display", bundle: made, displayId, update }) : send({ type: "display", run, bundle: made, displayId, update }));
  if (!(bundle instanceof Promise)) return deliver(bundle);
  const work = bundle.then(deliver);
  const pending = currentCell.getStore()?.pending;
  pending?.add(work);
  void work.catch(() => undefined).then(() => pending?.delete(work));
}

function plainTwin(type: string, content: unknown): string {
  if (type === "text/html") return "HTML";
  if (type === "image/svg+xml") return "SVG";
  if (type === "application/json") return JSON.stringify(content as JsonObject) ?? "undefined";
  return String(content);
}
