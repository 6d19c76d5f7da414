import { accessSync, constants } from "node:fs";
import { stat } from "node:fs/promises";
import type { Root } from "../contents/place.js";
import { Refusal } from "../refusal.js";
import type { Spawn } from "./pty.js";
import { Terminal } from "./terminal.js";

/** What a client asks for. */
export interface TerminalAsked {
  /** Default: the first number that is free. */
  name?: unknown;
  /** A folder of the lab, default its uppermost. */
  cwd?: unknown;
}

/** Before a tab says how large it is. */
const SIZE = { cols: 80, rows: 24 };

/** The shells of a lab, by their names. */
export class Terminals {
  readonly #terminals = new Map<string, Terminal>();
  #closed = false;

  /** @param spawn undefined where there are no pseudoterminals */
  constructor(readonly root: Root, readonly spawn: Spawn | undefined) {}

  /** Whether there can be any. */
  get offered(): boolean {
    return this.spawn !== undefined;
  }

  list(): Terminal["model"][] {
    return [...this.#terminals.values()].map(({ model }) => model);
  }

  get(name: string): Terminal {
    const terminal = this.#terminals.get(name);
    if (!terminal) throw new Refusal(404, `terminal: ${name} (there is none of that name)`);
    return terminal;
  }

  /** The terminal of a name, a new one where there is none. @throws Refusal */
  async open({ name, cwd = "" }: TerminalAsked): Promise<Terminal["model"]> {
    if (name !== undefined && (typeof name !== "string" || !/^[\w-]{1,64}$/.test(name))) throw new Refusal(400, `name: ${JSON.stringify(name)} (must be letters, digits, _ and -)`);
    if (typeof cwd !== "string") throw new Refusal(400, `cwd: ${JSON.stringify(cwd)} (must be a folder of the lab)`);
    const folder = await this.root.at(cwd);
    if (!(await stat(folder).then((info) => info.isDirectory(), () => false))) throw new Refusal(404, `${cwd || "/"}: there is no such folder`);
    return (name === undefined ? undefined : this.#terminals.get(name))?.model ?? this.#start(name ?? this.#free(), folder).model;
  }

  /** Ends one. @throws Refusal */
  async end(name: string): Promise<void> {
    const terminal = this.get(name);
    this.#terminals.delete(name);
    await terminal.end();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#terminals.keys()].map((name) => this.end(name)));
  }

  #start(name: string, cwd: string): Terminal {
    if (!this.spawn) throw new Refusal(501, "terminals: none (the lab said why when it started)");
    if (this.#closed) throw new Refusal(409, "terminals: none any more (the lab ends)");
    const [shell, ...args] = shellCommand();
    let terminal: Terminal;
    try {
      terminal = new Terminal(name, this.spawn(shell, args, { ...SIZE, name: "xterm-256color", cwd, env: { ...process.env, TERM: "xterm-256color", COLORTERM: "truecolor" } }));
    } catch (error) {
      throw new Refusal(500, `terminal: ${shell} did not start (${(error as Error).message})`);
    }
    this.#terminals.set(name, terminal);
    void terminal.exited.then(() => { if (this.#terminals.get(name) === terminal) this.#terminals.delete(name); });
    return terminal;
  }

  #free(): string {
    for (let n = 1; ; n++) if (!this.#terminals.has(String(n))) return String(n);
  }
}

/** The user's shell. */
function shellCommand(): [string, ...string[]] {
  if (process.platform === "win32") return ["powershell.exe"];
  const shell = process.env.SHELL;
  // A Mac's terminals open login shells: the path is set there.
  return [shell !== undefined && runs(shell) ? shell : "/bin/sh", ...(process.platform === "darwin" ? ["-l"] : [])];
}

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
