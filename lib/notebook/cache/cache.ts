import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { cacheFolder } from "../../checkpoint/cache.js";
import { packageRoot } from "../../checkpoint/package-root.js";
import type { Kernel } from "../../jupyter/index.js";
import { cellNote, setCellNote } from "../cell-note.js";
import { stringifyExact } from "../json.js";
import { UsageError } from "../parameters/parameter.js";
import { readNotebook } from "../read.js";
import { runnableCells } from "../run/execute.js";
import type { ChosenKernel } from "../run/kernel.js";
import { inLines } from "../run/outputs.js";
import { cellRecord } from "../run/provenance.js";
import { joined, type CodeCell, type Notebook } from "../types.js";
import type { CellAnalysis } from "./analyse.js";
import { cellHashes } from "./hash.js";
import { plan } from "./plan.js";
import type { State } from "./snapshot.js";

export interface CacheOptions {
  notebook: Notebook;
  /** The notebook's own path, and where its run goes. */
  file: string;
  output: string;
  kernel: ChosenKernel;
  /** Use what an earlier run of this output left, and leave the same for the next. Otherwise only hashes are noted. */
  enabled: boolean;
  /** Position, from 1, of a cell that runs in any case, with all after it. */
  fromCell?: number;
}

/**
 * What a run takes from the run before it: outputs, from the output notebook, and variables, from the cache folder.
 * See {@link plan} for what makes that safe.
 */
export class RunCache {
  readonly #cells: CodeCell[];
  readonly #hashes: string[];
  #folder = "";
  #analyses: CellAnalysis[] = [];
  /** Cells at the top that keep their outputs. */
  first = 0;
  /** Why cells that did not change run all the same. */
  because: string | undefined;

  private constructor(readonly options: CacheOptions) {
    this.#cells = runnableCells(options.notebook);
    this.#hashes = cellHashes(options.notebook, options.file, options.kernel);
    // The notebook may be the output of an earlier run.
    for (const cell of this.#cells) setCellNote(cell, undefined);
  }

  /** @throws UsageError where there are fewer cells than `fromCell` */
  static async open(options: CacheOptions): Promise<RunCache> {
    const cache = new RunCache(options);
    if (options.enabled) await cache.#plan();
    return cache;
  }

  async #plan(): Promise<void> {
    const { output, kernel, fromCell } = this.options;
    const total = this.#cells.length;
    if (fromCell !== undefined && fromCell > total) throw new UsageError(`from-cell: ${fromCell} (the notebook has ${total} cells that run)`);
    const earlier = existsSync(output) ? await readNotebook(output).then(runnableCells, () => []) : [];
    const unchanged = Math.min(this.#unchanged(earlier), (fromCell ?? Infinity) - 1);
    this.first = unchanged;
    // The whole path names the folder: two outputs never share one.
    this.#folder = join(cacheFolder(), `notebook-${createHash("sha256").update(resolve(output)).digest("hex").slice(0, 24)}`);
    if (kernel.own) {
      const { analyse } = await import("./analyse.js");
      this.#analyses = this.#cells.map((cell) => analyse(joined(cell.source)));
    }
    if (unchanged < total) {
      const { first, because } = kernel.own
        ? plan(this.#analyses, unchanged, this.#hashes.slice(0, unchanged).map((hash) => this.#state(hash)))
        : { first: 0, because: unchanged > 0 ? `the variables of kernel ${kernel.name} cannot be restored` : undefined };
      this.first = first;
      this.because = because;
    }
    for (const [i, cell] of this.#cells.slice(0, this.first).entries()) take(cell, earlier[i] as CodeCell);
    for (const cell of this.#cells.slice(this.first, unchanged)) setCellNote(cell, { rerun: this.because ?? "" });
  }

  /** How many cells at the top completed before, under the same conditions. */
  #unchanged(earlier: CodeCell[]): number {
    const changed = this.#hashes.findIndex((hash, i) => {
      const cell = earlier[i];
      return !cell || cellNote(cell).hash !== hash || cellNote(cell).outputs !== outputsHash(cell) || cellRecord(cell).status !== "completed" || cell.outputs.some((output) => output.output_type === "error");
    });
    return changed < 0 ? this.#hashes.length : changed;
  }

  /** Call on a new kernel, before anything else runs on it. */
  async begin(kernel: Kernel): Promise<void> {
    if (!this.#saves) return;
    mkdirSync(this.#folder, { recursive: true });
    await silently(kernel, `(await import(${MODULE})).begin();`);
  }

  /**
   * Gives the kernel the variables of the cells that keep their outputs.
   * @throws where it does not work; the kernel is not to be used then
   */
  async restore(kernel: Kernel): Promise<void> {
    const state = this.#state(this.#hashes[this.first - 1] ?? "");
    if (!state) throw new Error("no saved variables");
    const values = JSON.stringify(join(this.#folder, state.values));
    await silently(kernel, `const __state = await import(${MODULE}); __state.open(${values}); globalThis[Symbol.for("sdtp.restored")] = __state.restored;`);
    for (const cell of this.#analyses.slice(0, this.first)) {
      const code = cell.skeleton((name) => `((globalThis as any)[Symbol.for("sdtp.restored")](${JSON.stringify(name)}) as never)`);
      // An empty cell as well: execution counts go on from those of the outputs that stay.
      const reply = await kernel.client.execute(code || "undefined", { stop_on_error: false });
      if (reply.status !== "ok") throw new Error(`${reply.ename}: ${reply.evalue}`);
    }
  }

  /** Notes that a cell has completed, and saves the variables as they are now. */
  async afterCell(kernel: Kernel, cell: CodeCell): Promise<void> {
    const position = this.#cells.indexOf(cell);
    const hash = this.#hashes[position] ?? "";
    setCellNote(cell, { ...cellNote(cell), hash });
    if (!this.#saves) return;
    const kinds = new Map(this.#analyses.slice(0, position + 1).flatMap((each) => [...[...each.values].map((name) => [name, "value"] as const), ...[...each.definitions.keys()].map((name) => [name, "definition"] as const)]));
    const readers = [...kinds.keys()].map((name) => `${JSON.stringify(name)}: () => ${name}`).join(", ");
    const definitions = [...kinds].filter(([, kind]) => kind === "definition").map(([name]) => name);
    // Where it cannot be saved (a full disk), the next run begins earlier: no reason to stop this one.
    await silently(kernel, `(await import(${MODULE})).save(${JSON.stringify(this.#folder)}, ${JSON.stringify(hash)}, { ${readers} }, ${JSON.stringify(definitions)});`).catch(() => undefined);
  }

  /** Nothing is kept after all. */
  giveUp(because: string): void {
    for (const cell of this.#cells.slice(0, this.first)) setCellNote(cell, { rerun: because });
    this.first = 0;
  }

  /** Removes what no cell of the notebook needs any more. */
  end(): void {
    if (!this.#saves || !existsSync(this.#folder)) return;
    const needed = new Set(this.#hashes.flatMap((hash) => [`${hash}.json`, this.#state(hash)?.values ?? ""]));
    for (const file of readdirSync(this.#folder)) if (!needed.has(file)) rmSync(join(this.#folder, file), { force: true });
  }

  get #saves(): boolean {
    return this.options.enabled && this.options.kernel.own;
  }

  #state(hash: string): State | undefined {
    try {
      const state = JSON.parse(readFileSync(join(this.#folder, `${hash}.json`), "utf8")) as State;
      return existsSync(join(this.#folder, state.values)) ? state : undefined;
    } catch {
      return undefined;
    }
  }
}

/** The module that runs in the kernel, as a literal. */
const MODULE = JSON.stringify(pathToFileURL(join(packageRoot(), "dist", "lib", "notebook", "cache", "snapshot.js")).href);

/** Runs code that no cell and no history shows. */
async function silently(kernel: Kernel, code: string): Promise<void> {
  const reply = await kernel.client.execute(`// @ts-nocheck\n{ ${code} }`, { silent: true, stop_on_error: false });
  if (reply.status !== "ok") throw new Error(`${reply.ename}: ${reply.evalue}`);
}

/** Outputs that another tool cleared or changed are not kept. */
export function outputsHash({ outputs }: CodeCell): string {
  return createHash("sha256").update(stringifyExact(inLines(outputs))).digest("hex").slice(0, 32);
}

function take(cell: CodeCell, earlier: CodeCell): void {
  cell.outputs = earlier.outputs;
  cell.execution_count = earlier.execution_count;
  const { papermill } = earlier.metadata;
  const { hash = "", outputs = "" } = cellNote(earlier);
  if (papermill !== undefined) cell.metadata.papermill = papermill;
  setCellNote(cell, { hash, outputs, cached: true });
}
