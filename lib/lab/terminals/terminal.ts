import { endPty } from "./end.js";
import { History } from "./history.js";
import type { Pty } from "./pty.js";

/** The websocket of a tab that shows a terminal. */
export interface Screen {
  send(text: string): void;
  close(code: number, reason: string): void;
  /** Bytes that the browser has not taken yet. */
  readonly buffered: number;
}

interface Size {
  rows: number;
  columns: number;
}

/**
 * Characters in so many milliseconds at most: a browser draws no more, and would go on drawing long after the program that
 * floods was stopped. What comes faster waits in the program.
 */
const MOST = 256 * 1024;
const WINDOW = 50;

/** Bytes that a tab may be behind, and milliseconds that it may stay so. */
const BEHIND = 2 ** 20;
const STUCK = 10_000;

/** Characters that are typed or pasted at once at most. */
const TYPED = 8 * 2 ** 20;

/** Of a terminal's window: the system's limit is 65535. */
const WIDEST = 10_000;

/** A shell with any number of tabs. It goes on without one; a tab that comes gets what was printed last. */
export class Terminal {
  readonly #screens = new Map<Screen, Size | undefined>();
  readonly #history = new History();
  /** Resolves when the shell has ended. */
  readonly exited: Promise<void>;
  #hasExited = false;
  #lastActivity = new Date();
  #since = 0;
  #printed = 0;
  #paused = false;

  constructor(readonly name: string, readonly pty: Pty) {
    pty.onData((text) => this.#print(text));
    this.exited = new Promise((resolve) => pty.onExit(() => {
      this.#hasExited = true;
      for (const screen of this.#screens.keys()) {
        screen.send(JSON.stringify(["disconnect", 1]));
        screen.close(1000, "the shell has ended");
      }
      this.#screens.clear();
      resolve();
    }));
  }

  /** As Jupyter Server has it. */
  get model(): { name: string; last_activity: string } {
    return { name: this.name, last_activity: this.#lastActivity.toISOString() };
  }

  attach(screen: Screen): void {
    this.#screens.set(screen, undefined);
    screen.send(JSON.stringify(["setup", {}]));
    const before = String(this.#history);
    if (before !== "") screen.send(JSON.stringify(["stdout", before]));
  }

  detach(screen: Screen): void {
    this.#screens.delete(screen);
    this.#resize();
  }

  /**
   * A message of a tab: `["stdin", text]` or `["set_size", rows, columns, …]`.
   * @throws Error where it is none
   */
  receive(screen: Screen, text: string): void {
    const [kind, ...content] = parsed(text);
    if (kind === "stdin") {
      const [typed] = content;
      if (typeof typed !== "string") throw new Error(`stdin: ${typeof typed} (must be text)`);
      if (typed.length > TYPED) throw new Error(`stdin: ${typed.length} characters (at most ${TYPED} at once)`);
      this.#lastActivity = new Date();
      if (!this.#hasExited) this.pty.write(typed);
    } else if (kind === "set_size") {
      const [rows, columns] = content;
      if (!isSize(rows) || !isSize(columns)) throw new Error(`set_size: ${JSON.stringify([rows, columns])} (must be rows and columns, from 1 to ${WIDEST})`);
      this.#screens.set(screen, { rows, columns });
      this.#resize();
    } else throw new Error(`message: ${JSON.stringify(kind)?.slice(0, 40)} (must be stdin or set_size)`);
  }

  /** Ends the shell and what runs in it. */
  end(): Promise<void> {
    return this.#hasExited ? this.exited : endPty(this.pty, this.exited);
  }

  /** The window that fits all tabs. */
  #resize(): void {
    const sizes = [...this.#screens.values()].filter((size) => size !== undefined);
    if (sizes.length === 0 || this.#hasExited) return;
    try {
      this.pty.resize(Math.min(...sizes.map(({ columns }) => columns)), Math.min(...sizes.map(({ rows }) => rows)));
    } catch {
      // The shell ended a moment ago.
    }
  }

  #print(text: string): void {
    this.#lastActivity = new Date();
    this.#history.add(text);
    const message = JSON.stringify(["stdout", text]);
    for (const screen of this.#screens.keys()) screen.send(message);
    const now = performance.now();
    if (now - this.#since > WINDOW) [this.#since, this.#printed] = [now, 0];
    this.#printed += text.length;
    if (!this.#paused && (this.#printed > MOST || this.#behind().length > 0)) {
      this.#paused = true;
      this.pty.pause();
      setTimeout(() => this.#goOn(now), WINDOW);
    }
  }

  /** @param since when it was paused */
  #goOn(since: number): void {
    if (this.#hasExited) return;
    if (performance.now() - since > STUCK) {
      for (const screen of this.#behind()) {
        // The tab connects anew and gets what was printed last.
        this.detach(screen);
        screen.close(1013, "the terminal prints faster than the tab reads");
      }
    }
    if (this.#behind().length > 0) return void setTimeout(() => this.#goOn(since), WINDOW);
    this.#paused = false;
    this.#printed = 0;
    this.pty.resume();
  }

  #behind(): Screen[] {
    return [...this.#screens.keys()].filter(({ buffered }) => buffered > BEHIND);
  }
}

function parsed(text: string): unknown[] {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    message = undefined;
  }
  if (!Array.isArray(message)) throw new Error("message: must be a JSON list");
  return message as unknown[];
}

function isSize(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= WIDEST;
}
