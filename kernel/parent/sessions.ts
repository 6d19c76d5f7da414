import { appendFileSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/** A cell that was run. */
export interface Entry {
  session: number;
  line: number;
  input: string;
  /** text/plain of its result; only known of this session's cells. */
  output: string | null;
}

/** What is kept of earlier sessions. */
const MOST_SESSIONS = 200;
const MOST_BYTES = 4 * 2 ** 20;

/**
 * The inputs of all sessions, in a folder: a file a session, named by its number, a line of JSON a cell.
 * A kernel writes to its own file only, so that several may run at once. Without a folder, or where it
 * cannot be written to, nothing is kept.
 */
export class Sessions {
  readonly #folder: string | undefined;
  #own: { number: number; file?: string } | undefined;

  constructor(folder: string | undefined) {
    this.#folder = folder;
  }

  /** This session's number. A session without cells has none of its own: the next free one. */
  get current(): number {
    return this.#own?.number ?? (this.#numbers().at(-1) ?? 0) + 1;
  }

  append(line: number, input: string): void {
    this.#own ??= this.#open();
    const { file } = this.#own;
    if (!file) return;
    try {
      appendFileSync(file, `${JSON.stringify({ line, input })}\n`, { mode: 0o600 });
    } catch {
      // A full disk must not keep cells from running.
    }
  }

  /** Cells of other sessions, oldest first; of those that run at this moment, too. */
  others(): Entry[] {
    return this.#numbers().flatMap((session) => (session === this.#own?.number ? [] : this.#read(session)));
  }

  #open(): { number: number; file?: string } {
    const folder = this.#folder;
    if (folder === undefined) return { number: 1 };
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      this.#prune(folder);
      for (let number = this.current; ; number++) {
        const file = path(folder, number);
        try {
          // Fails where another kernel took the number.
          closeSync(openSync(file, "wx", 0o600));
          return { number, file };
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        }
      }
    } catch {
      return { number: this.current };
    }
  }

  #numbers(): number[] {
    if (this.#folder === undefined) return [];
    try {
      const names = readdirSync(this.#folder).map((name) => /^(\d+)\.jsonl$/.exec(name)?.[1]);
      return names.filter((name) => name !== undefined).map(Number).sort((a, b) => a - b);
    } catch {
      return [];
    }
  }

  #read(session: number): Entry[] {
    let text: string;
    try {
      text = readFileSync(path(this.#folder as string, session), "utf8");
    } catch {
      return [];
    }
    return text.split("\n").flatMap((line) => {
      try {
        const { line: number, input } = JSON.parse(line) as Partial<Entry>;
        return typeof number === "number" && typeof input === "string" ? [{ session, line: number, input, output: null }] : [];
      } catch {
        // The last line of a kernel that was killed.
        return [];
      }
    });
  }

  /** Removes the oldest sessions where there are too many. */
  #prune(folder: string): void {
    let bytes = 0;
    const numbers = this.#numbers().reverse();
    numbers.forEach((number, i) => {
      const file = path(folder, number);
      bytes += statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      if (i >= MOST_SESSIONS - 1 || bytes > MOST_BYTES) rmSync(file, { force: true });
    });
  }
}

function path(folder: string, session: number): string {
  return join(folder, `${session}.jsonl`);
}
