import { join } from "node:path";
import type { ExecuteReply, Kernel } from "../../jupyter/index.js";
import { cellNote, setCellNote } from "../cell-note.js";
import { chooseKernel, startKernel } from "../run/kernel.js";
import { OutputRecorder } from "../run/outputs.js";
import type { CodeCell, Notebook } from "../types.js";

/** Milliseconds that a stopped cell has to end by itself. */
const GRACE = 5000;

/** Marks the cells that the kernel calls stale, and no others. */
export function markStale(notebook: Notebook, { metadata }: ExecuteReply): void {
  const { stale = [] } = (metadata?.["sdtp"] ?? {}) as { stale?: { cell?: string; because: string }[] };
  for (const cell of notebook.cells) {
    const because = cell.id === undefined ? undefined : stale.find((each) => each.cell === cell.id)?.because;
    const { stale: before, ...note } = cellNote(cell);
    if (before !== because) setCellNote(cell, { ...note, ...(because !== undefined && { stale: because }) });
  }
}

/** Kernels that run: one for each notebook, and one for what belongs to none. Their variables stay from call to call. */
export class Sessions {
  readonly #kernels = new Map<string, Promise<Kernel>>();
  readonly #recorder = new OutputRecorder();
  /** Cells run one after the other: their outputs are recorded in one place. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(readonly folder: string) {}

  /**
   * Runs a cell in the kernel of a notebook, its outputs into the cell.
   * @param file of the notebook; undefined: a kernel of no notebook
   * @param signal interrupts it
   */
  run(file: string | undefined, notebook: Notebook, cell: CodeCell, code: string, signal?: AbortSignal): Promise<ExecuteReply> {
    const running = this.#last.then(() => this.#run(file, notebook, cell, code, signal));
    this.#last = running.catch(() => undefined);
    return running;
  }

  async #run(file: string | undefined, notebook: Notebook, cell: CodeCell, code: string, signal?: AbortSignal): Promise<ExecuteReply> {
    signal?.throwIfAborted();
    const kernel = await this.#kernel(file, notebook);
    const stop = () => void kernel.interrupt({ timeout: GRACE }).catch(() => undefined);
    signal?.addEventListener("abort", stop, { once: true });
    this.#recorder.begin(cell);
    try {
      const reply = await kernel.client.execute(code, {
        stop_on_error: false,
        ...(cell.id !== undefined && { metadata: { cellId: cell.id } }),
        onOutput: (message) => {
          if (message.header.msg_type === "execute_input") cell.execution_count = Number(message.content.execution_count);
          this.#recorder.receive(message);
        },
      });
      markStale(notebook, reply);
      return reply;
    } catch (error) {
      this.#kernels.delete(file ?? "");
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  #kernel(file: string | undefined, notebook: Notebook): Promise<Kernel> {
    const key = file ?? "";
    let kernel = this.#kernels.get(key);
    if (!kernel) {
      kernel = startKernel(chooseKernel(notebook), file ?? join(this.folder, "none.ipynb"), {});
      this.#kernels.set(key, kernel);
      kernel.catch(() => this.#kernels.delete(key));
    }
    return kernel;
  }

  /** Ends a notebook's kernel: its variables are gone. */
  async end(file: string): Promise<boolean> {
    const kernel = this.#kernels.get(file);
    this.#kernels.delete(file);
    await (await kernel)?.shutdown();
    return kernel !== undefined;
  }

  /** Ends all kernels. */
  async close(): Promise<void> {
    const kernels = [...this.#kernels.values()];
    this.#kernels.clear();
    await Promise.all(kernels.map((kernel) => kernel.then((each) => each.shutdown(), () => undefined)));
  }
}
