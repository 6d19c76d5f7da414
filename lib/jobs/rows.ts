import { open } from "node:fs/promises";
import { files } from "./folder.js";
import { jobFile } from "./store.js";

/** Rows of a job as they come: what was read once is not read again. */
export class JobRows<Row extends object> {
  #rows: Row[] = [];
  /** The file that was read, and how much of it. */
  #inode = 0n;
  #offset = 0;

  constructor(private readonly id: string) {}

  /** All rows that there are by now, whole ones. */
  async read(): Promise<readonly Row[]> {
    const handle = await open(jobFile(this.id, files.rows)).catch(() => undefined);
    if (!handle) return (this.#rows = []);
    try {
      const { ino, size } = await handle.stat({ bigint: true });
      // Another attempt began anew.
      if (ino !== this.#inode || size < this.#offset) [this.#rows, this.#inode, this.#offset] = [[], ino, 0];
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(Number(size) - this.#offset), 0, Number(size) - this.#offset, this.#offset);
      // After the last line break is one that is being written.
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
      const lines = buffer.toString("utf8", 0, end).split("\n").filter((line) => line !== "");
      this.#rows = [...this.#rows, ...lines.map((line) => JSON.parse(line) as Row)];
      this.#offset += end;
      return this.#rows;
    } finally {
      await handle.close();
    }
  }
}
