/**
 * The compiler's thread. TypeScript blocks its thread for up to seconds; in a thread of its own it
 * does not keep the kernel from answering heartbeats, interrupts and kernel_info meanwhile.
 */
import { parentPort, workerData } from "node:worker_threads";
// First: it sets a flag of V8's, and kept code is only good for the flags it was made with.
import { trimHeap } from "./heap.js";
import { CellCompiler, type Outcome } from "./cells.js";
import type { Declared } from "./earlier.js";
import { complete } from "./complete.js";
import { inspect } from "./inspect.js";
import { isComplete } from "./iscomplete.js";
import { prelude } from "./prelude.js";
import { keepCode } from "./typescript.js";

export interface WorkerData {
  packageRoot: string;
  preload: string | undefined;
  /** Declarations of earlier cells, where another thread ended before this one. */
  declared: Declared[];
}

const { packageRoot, preload, declared } = workerData as WorkerData;
const cells = new CellCompiler(packageRoot, prelude(packageRoot, preload));
cells.restore(declared);

/** Milliseconds without a cell after which garbage is collected. */
const QUIET = 30;
let trimming: NodeJS.Timeout | undefined;
/** Milliseconds without a cell after which code is kept for the next start: once, by then used functions are known. */
const IDLE = 2000;
let keeping: NodeJS.Timeout | undefined;

function whenIdle(): void {
  cells.project.complete();
  void keepCode();
}

const methods = {
  /** What a tsconfig.json asks for in vain. */
  remark: () => cells.remark,
  compile: (source: string) => cells.compile(source),
  /** Returns what the cell declares, and which earlier cells' declarations are of no use any more. */
  commit: (id: number, outcome: Outcome): { declared: Declared; gone: number[] } | undefined => {
    clearTimeout(trimming);
    trimming = setTimeout(trimHeap, QUIET);
    keeping = (keeping ?? setTimeout(whenIdle, IDLE)).refresh();
    return cells.commit(id, outcome);
  },
  reset: () => cells.reset(),
  complete: (code: string, cursor: number) => complete(cells, code, cursor),
  inspect: (code: string, cursor: number, detail: number) => inspect(cells, code, cursor, detail),
  isComplete: (code: string) => isComplete(code),
};

export type Methods = typeof methods;

/** Exit codes: the stack ran out; something else went wrong inside TypeScript. */
export const [TOO_DEEP, FAILED] = [70, 71];

export interface Call {
  id: number;
  method: keyof Methods;
  args: unknown[];
}

parentPort?.on("message", ({ id, method, args }: Call) => {
  try {
    const value = (methods[method] as (...args: unknown[]) => unknown)(...args);
    parentPort?.postMessage({ id, value });
  } catch (error) {
    // What TypeScript knew is not to be relied on where it stopped in the middle: another thread starts anew.
    if (method === "compile") process.exit(error instanceof RangeError ? TOO_DEEP : FAILED);
    parentPort?.postMessage({ id, error: (error as Error).stack ?? String(error) });
  }
});
