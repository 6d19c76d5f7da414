import { AsyncLocalStorage } from "node:async_hooks";
import { inspect } from "node:util";
import type { ShownOutput } from "./api.js";
import type { Modules } from "./modules.js";
import type { Scope } from "./scopes.js";

/** Thrown into a cell that was interrupted. */
export class KeyboardInterrupt extends Error {
  override name = "KeyboardInterrupt";
  constructor() {
    super("the cell was interrupted");
  }
}

/** Puts what Node hangs on a promise out of sight, so that one shows its state alone. */
export function installPromiseInspection(): void {
  const value = function (this: Promise<unknown>): Promise<unknown> {
    for (const key of Object.getOwnPropertySymbols(this)) {
      const { description = "" } = key;
      if (/^(async_id_symbol|trigger_async_id_symbol|kResourceStore)$/.test(description)) Object.defineProperty(this, key, { enumerable: false });
    }
    return this;
  };
  Object.defineProperty(Promise.prototype, inspect.custom, { value, writable: true, configurable: true });
}

/** How often an interrupted cell may await again (to clean up in `finally`) before it is left waiting for ever. */
const AWAITS_AFTER_INTERRUPT = 16;

/** The cell that the running code belongs to, in timers and after awaits too. */
export const currentCell = new AsyncLocalStorage<Cell>();

/**
 * One run of a cell; its code reaches it as `__cell__`. Compiled code calls these methods at every
 * `await`, also in functions that other cells defined: they act on the cell that is running.
 */
export class Cell {
  readonly #controller = new AbortController();
  readonly #interrupted: Promise<never>;
  #interrupt!: (reason: Error) => void;
  #awaitsLeft = AWAITS_AFTER_INTERRUPT;
  /** Its variables, once they can be read. */
  scope: Scope | undefined;
  /** Value of the last expression. */
  result: unknown;
  /** Cells that were stale as it began. */
  stale: { cell?: string; count: number; because: string }[] = [];
  /** What must finish before the cell does: displays that are being made. */
  readonly pending = new Set<Promise<unknown>>();
  /** Takes what it shows, in place of an output. */
  shown: ((output: ShownOutput) => void) | undefined;

  constructor(
    readonly run: number,
    readonly modules: Modules,
    /** Local modules by the names under which its code imports them. */
    readonly links: Record<string, string> = {},
    readonly published: (scope: Scope) => void = () => undefined,
  ) {
    this.#interrupted = new Promise<never>((_, reject) => (this.#interrupt = reject));
    this.#interrupted.catch(() => undefined);
  }

  /** Aborted when the cell is interrupted. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the cell as soon as it awaits something. */
  interrupt(reason: Error = new KeyboardInterrupt()): void {
    this.#controller.abort(reason);
    this.#interrupt(reason);
  }

  /** `work`, or a rejection as soon as the cell is interrupted. */
  untilInterrupted<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#interrupted]);
  }

  /** Node hangs the cell on what was made in it, such as timers, where people see it. */
  [inspect.custom](): string {
    return "[Cell]";
  }

  /** Called with what is about to be awaited. */
  pass(value: unknown): unknown {
    const cell = currentCell.getStore();
    if (!cell?.signal.aborted) return value;
    // A loop that catches every rejection would go on in the background: it gets no further than here.
    return cell.#awaitsLeft-- > 0 ? value : new Promise(() => undefined);
  }

  /** Called with what was awaited. @throws KeyboardInterrupt where the cell was interrupted meanwhile. */
  resume(value: unknown): unknown {
    currentCell.getStore()?.signal.throwIfAborted();
    return value;
  }

  /** What `for await` iterates over; an interrupt ends it, and lets the producer clean up. */
  iterate(source: AsyncIterable<unknown> | Iterable<unknown>): AsyncIterable<unknown> {
    return { [Symbol.asyncIterator]: () => interruptible(source) };
  }

  import(specifier: unknown): Promise<unknown> {
    return this.modules.import(String(specifier), this.links);
  }

  /** What a static import becomes. */
  require(specifier: string): unknown {
    return this.modules.load(specifier, this.links);
  }

  /** Called first of all by a cell's code, with its variables. */
  publish(scope: Scope): void {
    this.scope = scope;
    this.published(scope);
  }

  get meta(): object {
    return this.modules.meta;
  }
}

function interruptible(source: AsyncIterable<unknown> | Iterable<unknown>): AsyncIterator<unknown> {
  const iterator =
    Symbol.asyncIterator in source
      ? (source as AsyncIterable<unknown>)[Symbol.asyncIterator]()
      : fromSync((source as Iterable<unknown>)[Symbol.iterator]());
  return {
    async next() {
      const step = await iterator.next();
      const signal = currentCell.getStore()?.signal;
      if (signal?.aborted) {
        void iterator.return?.();
        throw signal.reason;
      }
      return step;
    },
    async return(value?: unknown) {
      return (await iterator.return?.(value)) ?? { done: true, value };
    },
  };
}

function fromSync(iterator: Iterator<unknown>): AsyncIterator<unknown> {
  return {
    next: async () => {
      const { done, value } = iterator.next();
      return done ? { done, value: await value } : { done: false, value: await value };
    },
    return: async (value) => iterator.return?.(value) ?? { done: true, value },
  };
}
