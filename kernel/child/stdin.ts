import { syncBuiltinESMExports } from "node:module";
import readline from "node:readline";
import readlinePromises from "node:readline/promises";
import { Readable } from "node:stream";
import { currentCell } from "./cell.js";
import type { Inputs } from "./input.js";
import { unfinishedLine } from "./output.js";

type Anything = (...args: unknown[]) => unknown;
type Reader = readline.Interface | readlinePromises.Interface;

/**
 * `process.stdin` in a notebook: each line that a program reads is asked of the person at the client. Where the client
 * cannot ask, the cell that reads fails at once.
 */
export function installStdin(inputs: Inputs): void {
  let stdin = new Lines(inputs);
  // Whoever stops a `for await` over it ends the stream; the next cell wants another.
  Object.defineProperty(process, "stdin", { get: () => (stdin.destroyed ? (stdin = new Lines(inputs)) : stdin), configurable: true, enumerable: true });
  for (const module of [readline, readlinePromises] as unknown as { createInterface: Anything }[]) {
    const { createInterface } = module;
    module.createInterface = (...args) => {
      const reader = createInterface(...args) as Reader;
      if (inputOf(reader) instanceof Lines) (inputOf(reader) as Lines).serves(reader);
      return reader;
    };
  }
  // A question has a text of its own, and one answer: nothing else should be asked for it.
  const { question } = readline.Interface.prototype as unknown as { question: Anything };
  readline.Interface.prototype.question = function (this: Reader, text: string, ...rest: unknown[]) {
    if (!(inputOf(this) instanceof Lines)) return void question.call(this, text, ...rest);
    void inputs.ask(text, false).then(rest.findLast((each) => typeof each === "function") as (answer: string) => void, failCell);
  };
  const { question: promised } = readlinePromises.Interface.prototype as unknown as { question: Anything };
  readlinePromises.Interface.prototype.question = function (this: Reader, text: string, ...rest: unknown[]) {
    return inputOf(this) instanceof Lines ? inputs.ask(text, false) : (promised.call(this, text, ...rest) as Promise<string>);
  };
  syncBuiltinESMExports();
}

function inputOf(reader: Reader): unknown {
  return (reader as unknown as { input?: unknown }).input;
}

/** Whoever reads a stream, or waits for a callback, has no way to be told that there is no answer. */
function failCell(error: Error): void {
  currentCell.getStore()?.interrupt(error);
}

class Lines extends Readable {
  readonly fd = 0;
  readonly isTTY = false;
  readonly #readers = new Set<Reader>();
  #asking = false;

  constructor(readonly inputs: Inputs) {
    super({ highWaterMark: 0 });
    this.on("newListener", (event) => void ((event === "data" || event === "readable") && this.#look()));
    this.on("resume", () => this.#look());
  }

  /** An interface of readline listens from the start, but wants a line only when somebody listens to its lines. */
  serves(reader: Reader): void {
    this.#readers.add(reader);
    reader.on("newListener", (event) => void (event === "line" && this.#look()));
    reader.once("close", () => this.#readers.delete(reader));
  }


  setRawMode(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** Lines come when somebody is seen to read, not to fill a buffer. */
  override _read(): void {}

  get #isRead(): boolean {
    if (this.listenerCount("readable") > 0) return true;
    if (this.isPaused()) return false;
    const readers = [...this.#readers];
    return this.listenerCount("data") > readers.length || readers.some((reader) => reader.listenerCount("line") > 0);
  }

  /** Asks, unless whoever began to read has stopped in the same turn. */
  #look(): void {
    setImmediate(() => {
      if (this.#asking || this.destroyed || !this.#isRead) return;
      this.#asking = true;
      this.inputs.ask(unfinishedLine(), false).then(
        (line) => {
          this.#asking = false;
          this.push(`${line}\n`);
          this.#look();
        },
        (error: Error) => {
          this.#asking = false;
          failCell(error);
        },
      );
    });
  }
}
