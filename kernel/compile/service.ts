/** The compiler as the kernel calls it, from whatever thread or process it runs in. */
import { isCaught } from "./caught.js";
import { CellCompiler, type Outcome } from "./cells.js";
import { checkCells } from "./check.js";
import { complete } from "./complete.js";
import type { Declared } from "./earlier.js";
import { trimHeap } from "./heap.js";
import { inspect } from "./inspect.js";
import { isComplete } from "./iscomplete.js";
import { prelude } from "./prelude.js";

export interface ServiceData {
  packageRoot: string;
  preload: string | undefined;
  /** Declarations of earlier cells, where another compiler ended before this one. */
  declared: Declared[];
}

/** Milliseconds without a cell after which garbage is collected. */
const QUIET = 30;
/** Milliseconds without a cell after which comes what nobody should have to wait for. */
const IDLE = 2000;

/** @param whenIdle is called each time no cell has come for a while */
export function createMethods({ packageRoot, preload, declared }: ServiceData, whenIdle: () => void) {
  const cells = new CellCompiler(packageRoot, prelude(packageRoot, preload));
  cells.restore(declared);
  let trimming: NodeJS.Timeout | undefined;
  let idle: NodeJS.Timeout | undefined;
  const rest = () => {
    cells.project.complete();
    whenIdle();
  };
  return {
    /** What a tsconfig.json asks for in vain. */
    remark: () => cells.remark,
    compile: (source: string, beside: boolean) => cells.compile(source, beside),
    discard: (id: number) => cells.discard(id),
    /** Returns what the cell declares, and which earlier cells' declarations are of no use any more. */
    commit: (id: number, outcome: Outcome): { declared: Declared; gone: number[] } | undefined => {
      clearTimeout(trimming);
      trimming = setTimeout(trimHeap, QUIET);
      idle = (idle ?? setTimeout(rest, IDLE)).refresh();
      return cells.commit(id, outcome);
    },
    reset: () => cells.reset(),
    complete: (code: string, cursor: number) => complete(cells, code, cursor),
    inspect: (code: string, cursor: number, detail: number) => inspect(cells, code, cursor, detail),
    isComplete: (code: string) => isComplete(code),
    isCaught: (text: string, line: number, column: number) => isCaught(text, line, column),
    /** Compiles a notebook's cells beside what is known of the running one. */
    check: (sources: string[]) => checkCells(packageRoot, prelude(packageRoot, preload), sources),
  };
}

export type Methods = ReturnType<typeof createMethods>;

export interface Call {
  id: number;
  method: keyof Methods;
  args: unknown[];
}

export interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

/** Exit codes: the stack ran out; something else went wrong inside TypeScript. */
export const [TOO_DEEP, FAILED] = [70, 71];

/** Answers a call; where TypeScript stops in the middle of a cell, the process or thread ends. */
export function answer(methods: Methods, { id, method, args }: Call): Answer {
  try {
    return { id, value: (methods[method] as (...args: unknown[]) => unknown)(...args) };
  } catch (error) {
    // What TypeScript knew is not to be relied on any more: another compiler starts anew.
    if (method === "compile") process.exit(error instanceof RangeError ? TOO_DEEP : FAILED);
    return { id, error: (error as Error).stack ?? String(error) };
  }
}
