import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { lastWords } from "../../lib/bench/isolate.js";
import type { Start } from "./environments.js";

/** What a run gave: seconds, ids. */
export interface Ran {
  readonly prefill: number;
  readonly decode: readonly number[];
  readonly tokens: readonly number[];
  /** SHA-256 of the prompt's ids as they were fed. */
  readonly fed: string;
}

export interface Loaded {
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
}

type Message = { readonly loaded: Loaded } | { readonly first: true } | { readonly ran: Ran } | { readonly error: string };

/** What of a process's error output is kept for a message, in characters. */
const STDERR_TAIL = 4000;

/** A peer in a process of its own, spoken to as drivers/peer.mjs says. */
export class PeerProcess {
  private readonly child: ChildProcess;
  private readonly started = performance.now();
  private readonly replies: Exclude<Message, { first: true }>[] = [];
  private waiting: { resolve: (message: Exclude<Message, { first: true }>) => void; reject: (error: Error) => void } | null = null;
  private ended: Error | null = null;
  private stderr = "";
  /** Seconds from the start of the process to the first token of its first run. */
  firstToken: number | null = null;

  constructor({ command, args }: Start, env: Readonly<Record<string, string>>) {
    // In a group of its own: a Ctrl-C is for the one who measures.
    this.child = spawn(command, args, { stdio: ["pipe", "ignore", "pipe", "pipe"], env: { ...process.env, ...env }, detached: true });
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.stderr = (this.stderr + text).slice(-STDERR_TAIL)));
    this.child.stdin!.on("error", () => {});
    createInterface({ input: this.child.stdio[3] as Duplex }).on("line", (line) => this.heard(JSON.parse(line) as Message));
    // Whatever ends this process, it measures for nobody then.
    const kill = () => this.kill();
    process.once("exit", kill);
    this.child.once("close", () => process.off("exit", kill));
    this.child.on("error", (error) => this.end(error));
    this.child.on("close", (code, signal) => this.end(new Error(`ended with ${signal ?? `code ${code}`}${lastWords(this.stderr) && `: ${lastWords(this.stderr)}`}`)));
  }

  /** Largest resident size so far, in bytes; null where the system does not say. */
  get peakMemory(): number | null {
    try {
      return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, "utf8"))![1]);
    } catch {
      return null;
    }
  }

  /** Seconds of processors that it has used; null where the system does not say. */
  get cpuSeconds(): number | null {
    try {
      // utime and stime in hundredths of a second, after the name in brackets.
      const fields = readFileSync(`/proc/${this.child.pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
      return (Number(fields[11]) + Number(fields[12])) / 100;
    } catch {
      return null;
    }
  }

  send(message: object): void {
    this.child.stdin!.write(`${JSON.stringify(message)}\n`);
  }

  async loaded(): Promise<Loaded> {
    const message = await this.next();
    if (!("loaded" in message)) throw new Error(`protocol: ${Object.keys(message).join()} (loaded was awaited)`);
    return message.loaded;
  }

  async ran(): Promise<Ran> {
    const message = await this.next();
    if (!("ran" in message)) throw new Error(`protocol: ${Object.keys(message).join()} (ran was awaited)`);
    return message.ran;
  }

  /** Ends it, at once. */
  kill(): void {
    this.child.kill("SIGKILL");
  }

  private async next(): Promise<Exclude<Message, { first: true } | { error: string }>> {
    const message = this.replies.shift() ?? (await new Promise<Exclude<Message, { first: true }>>((resolve, reject) => {
      if (this.ended) reject(this.ended);
      else this.waiting = { resolve, reject };
    }));
    if ("error" in message) throw new Error(message.error);
    return message;
  }

  private heard(message: Message): void {
    if ("first" in message) {
      this.firstToken ??= (performance.now() - this.started) / 1e3;
    } else if (this.waiting) {
      this.waiting.resolve(message);
      this.waiting = null;
    } else {
      this.replies.push(message);
    }
  }

  private end(error: Error): void {
    this.ended ??= error;
    this.waiting?.reject(this.ended);
    this.waiting = null;
  }
}
