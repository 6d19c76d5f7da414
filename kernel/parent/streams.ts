/** Milliseconds for which output is collected into one message. */
const INTERVAL = 15;
/** Characters at which it is sent at once. */
const FULL = 65_536;

interface Batch {
  run: number;
  name: "stdout" | "stderr";
  parts: string[];
  length: number;
}

/** Joins consecutive writes of one cell to one stream: a message for each would drown a client. */
export class StreamBatches {
  #batch: Batch | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly emit: (run: number, name: "stdout" | "stderr", text: string) => void) {}

  add(run: number, name: "stdout" | "stderr", text: string): void {
    if (this.#batch && (this.#batch.run !== run || this.#batch.name !== name)) this.flush();
    this.#batch ??= { run, name, parts: [], length: 0 };
    this.#batch.parts.push(text);
    this.#batch.length += text.length;
    if (this.#batch.length >= FULL) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), INTERVAL);
  }

  /** Sends what was collected; call before any other message, so that the order holds. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch) this.emit(batch.run, batch.name, batch.parts.join(""));
  }
}
