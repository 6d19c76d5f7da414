import type { FromChild } from "../messages.js";

/** Who holds the lock. */
const FREE = 0;
export const MAIN = 1;
export const WATCHDOG = 2;

const [LOCK, LENGTH, RUN, STREAM] = [0, 1, 2, 3];
const HEAD = 16;
const SIZE = 256 * 1024;
const STREAMS = ["stdout", "stderr"] as const;

/**
 * Printed text on its way out, in memory that the main thread and the watchdog share: the main thread adds to it, and
 * either sends it. The main thread may be ended at any place, also while it holds the lock; it then finds the lock its
 * own. The watchdog waits for nobody.
 */
export class Backlog {
  readonly #state: Int32Array;
  readonly #bytes: Buffer;

  constructor(readonly memory = new SharedArrayBuffer(HEAD + SIZE)) {
    this.#state = new Int32Array(memory, 0, HEAD / 4);
    this.#bytes = Buffer.from(memory as unknown as ArrayBuffer, HEAD);
  }

  get length(): number {
    return Atomics.load(this.#state, LENGTH);
  }

  /** Calls `work` while nobody else sends. Does nothing where the watchdog cannot have the lock now. */
  locked(who: number, work: () => void): void {
    for (;;) {
      const holder = Atomics.compareExchange(this.#state, LOCK, FREE, who);
      if (holder === FREE || holder === who) break;
      if (who === WATCHDOG) return;
      Atomics.wait(this.#state, LOCK, holder, 50);
    }
    try {
      work();
    } finally {
      Atomics.store(this.#state, LOCK, FREE);
      Atomics.notify(this.#state, LOCK);
    }
  }

  /** Adds text; false where it does not fit behind what is there. Only for the main thread. */
  add(run: number, name: "stdout" | "stderr", text: string): boolean {
    const stream = STREAMS.indexOf(name);
    let added = false;
    this.locked(MAIN, () => {
      const length = this.length;
      if (length > 0 && (this.#state[RUN] !== run || this.#state[STREAM] !== stream)) return;
      // A character takes at most three bytes for each of its units.
      if (length + text.length * 3 > SIZE) return;
      this.#state[RUN] = run;
      this.#state[STREAM] = stream;
      Atomics.store(this.#state, LENGTH, length + this.#bytes.write(text, length, "utf8"));
      added = true;
      if (length === 0) Atomics.notify(this.#state, LENGTH);
    });
    return added;
  }

  /** Takes the text out. Only with the lock. */
  take(): (FromChild & { type: "stream" }) | undefined {
    const { length } = this;
    if (length === 0) return undefined;
    // Text in shared memory could change while it is decoded.
    const text = Buffer.from(this.#bytes.subarray(0, length)).toString("utf8");
    Atomics.store(this.#state, LENGTH, 0);
    return { type: "stream", run: this.#state[RUN] as number, name: STREAMS[this.#state[STREAM] as number] as "stdout", text };
  }

  /** Resolves when there is something to send. */
  async filled(): Promise<void> {
    const { waitAsync } = Atomics as unknown as { waitAsync(array: Int32Array, index: number, value: number): { value: string | Promise<string> } };
    if (this.length === 0) await waitAsync(this.#state, LENGTH, 0).value;
  }
}
