import { stat } from "node:fs/promises";
import type { Root } from "../contents/place.js";
import { Refusal } from "../refusal.js";
import { LabKernel, type KernelEvents, type KernelModel } from "./kernel.js";
import { kernelNamed } from "./specs.js";

/** The kernels that run. */
export class Kernels {
  readonly #kernels = new Map<string, LabKernel>();
  #closed = false;

  constructor(readonly root: Root, readonly events: KernelEvents) {}

  list(): KernelModel[] {
    return [...this.#kernels.values()].map(({ model }) => model);
  }

  all(): LabKernel[] {
    return [...this.#kernels.values()];
  }

  /** @throws Refusal */
  get(id: string): LabKernel {
    const kernel = this.#kernels.get(id);
    if (!kernel) throw new Refusal(404, `kernel: ${id} (there is none of that id)`);
    return kernel;
  }

  /**
   * Starts a kernel.
   * @param folder where it works, below the lab's; one that is not there: the lab's own
   */
  async start(name: string | undefined, folder = ""): Promise<LabKernel> {
    const chosen = kernelNamed(name);
    const cwd = await this.root.at(folder === "." ? "" : folder).then(async (path) => ((await stat(path)).isDirectory() ? path : this.root.folder)).catch(() => this.root.folder);
    const kernel = await LabKernel.start(chosen, cwd, this.events).catch((error: Error) => {
      throw new Refusal(500, `kernel ${chosen.name}: did not start (${error.message})`);
    });
    if (this.#closed) await kernel.shutdown();
    else this.#kernels.set(kernel.id, kernel);
    return kernel;
  }

  async end(id: string): Promise<void> {
    const kernel = this.get(id);
    this.#kernels.delete(id);
    await kernel.shutdown();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#kernels.keys()].map((id) => this.end(id)));
  }
}
