import { fork, type ChildProcess } from "node:child_process";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { ErrorContent, MimeBundle } from "../../lib/jupyter/messages.js";
import { OUTPUT_FD, WATCHDOG_FD, type FromChild, type InspectorCall, type RunCell, type ToChild } from "../messages.js";
import { DAMAGED, describeEnd, describeFailedStart } from "./end.js";
import { nativeOutput } from "./native-output.js";
import { frameReader } from "./frames.js";

/** Milliseconds after an interrupt until the watchdog stops what does not return to the event loop. */
const BLOCKED_AFTER = 250;
/** Milliseconds after an interrupt until the kernel goes on without the cell. */
const ABANDONED_AFTER = 700;
/** Milliseconds after an interrupt until a process that still computes is ended. */
const GIVEN_UP_AFTER = 9000;
/** Milliseconds between two tries to stop what did not stop. */
const AGAIN_AFTER = 1000;

export interface RunResult {
  error?: ErrorContent;
  bundle?: MimeBundle;
  reached: string[];
  /** The process ended: all variables are gone. */
  died?: boolean;
}

interface Running {
  run: number;
  settle: (result: RunResult) => void;
  settled: boolean;
  interrupted: boolean;
  /** Resolves once the process has left the cell, perhaps long after the kernel has replied for it. */
  over: Promise<void>;
  end: () => void;
}

/**
 * Supervises the execution process: starts it, hands it cells, one at a time of each shell, interrupts it, and starts
 * another when it ends.
 */
export class Execution {
  #child!: ChildProcess;
  /** Whether the process listens; before that a signal would end it. */
  #ready = false;
  /** Why the last process ended before it was ready. */
  #failed: ErrorContent | undefined;
  /** Cells that the process has not left, oldest first. */
  readonly #running = new Map<number, Running>();
  #generation = 0;
  /** Resolves when the process listens, or has ended before it did. */
  #started!: Promise<void>;
  #release!: () => void;
  /** How many interrupts were sent, and which of them the event loop is known to have seen. */
  #interrupts = 0;
  #lastSeen = 0;
  /** How often it said so: signals that arrive together are seen once. */
  #acknowledged = 0;
  #log = "";
  #closing = false;
  /** The process was ended because nothing else stopped it. */
  #givenUp = false;
  #notice: string | undefined;

  constructor(
    readonly receive: (message: FromChild) => void,
    readonly ended: (end: ErrorContent) => void,
  ) {
    this.#start();
  }

  /** Resolves when the process is free: it may still be starting, or work on a cell that the kernel has given up. */
  async idle(): Promise<void> {
    if (this.#failed) this.#start();
    // The process that was waited for may end, and another start in its place.
    for (;;) {
      const givenUp = [...this.#running.values()].find(({ settled }) => settled);
      if (this.#ready && !givenUp) return;
      if (this.#failed) return;
      await (this.#ready ? givenUp?.over : this.#started);
    }
  }

  /** Counts processes; variables are those of one process. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Runs a cell, beside those of other shells. Resolves however it ends, also with its process. Call when {@link idle}.
   * @param generation the process that the cell was compiled for
   */
  run(job: RunCell, generation: number): Promise<RunResult> {
    if (this.#failed) return Promise.resolve({ error: this.#failed, reached: [], died: true });
    if (generation !== this.#generation) return Promise.resolve({ error: LOST, reached: [], died: true });
    let end!: () => void;
    const over = new Promise<void>((resolve) => (end = resolve));
    return new Promise((resolve) => {
      const running: Running = {
        run: job.run,
        settled: false,
        interrupted: false,
        over,
        end,
        settle: (result) => {
          if (running.settled) return;
          running.settled = true;
          resolve(result);
        },
      };
      this.#running.set(job.run, running);
      this.send(job);
    });
  }

  send(message: ToChild): void {
    // A process that just ended takes no more messages; its end is reported elsewhere.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** Sends a request to V8's inspector of the process; the answer comes as a message. @param ends what stands still is to end as soon as it goes on */
  inspect(call: InspectorCall, ends = false): void {
    (this.#child.stdio[WATCHDOG_FD] as Writable).write(`${JSON.stringify(ends ? { ...call, ends: this.#acknowledged } : call)}\n`);
  }

  /** What nobody was told yet: the process ended, and no cell that it ran is left to say so. */
  takeNotice(): string | undefined {
    const notice = this.#notice;
    this.#notice = undefined;
    return notice;
  }

  /**
   * Interrupts what runs, the cells of all shells or a callback that one left behind. In this order: a signal, which V8 sees, and a message,
   * which the event loop sees; the watchdog, where neither does, again and again; meanwhile the kernel replies for the cell;
   * at last the process is ended, where native code does not come back. A process that is still starting runs nothing.
   * @param stands at a breakpoint, where the debugger ends it: a signal ends nothing of a cell that has awaited, and one that came
   * behind that end could end the process
   */
  interrupt(stands = false): void {
    if (!this.#ready) return;
    const number = ++this.#interrupts;
    const child = this.#child;
    const running = [...this.#running.values()];
    for (const each of running) each.interrupted = true;
    const isOver = ({ run }: Running) => !this.#running.has(run);
    const isStopped = () => this.#child !== child || this.#closing || (running.length > 0 ? running.every(isOver) : this.#lastSeen >= number);
    const later = (ms: number, act: () => void) => setTimeout(() => !isStopped() && act(), ms).unref();
    const stop = () => {
      // A waiting cell that was told is about to end by itself.
      if (this.#lastSeen < number) (child.stdio[WATCHDOG_FD] as Writable).write(`${this.#acknowledged}\n`);
    };
    if (!stands) signal(child);
    this.send({ type: "interrupt", runs: running.map(({ run }) => run) });
    later(BLOCKED_AFTER, stop);
    later(ABANDONED_AFTER, () => running.forEach((each) => isOver(each) || each.settle({ error: ABANDONED, reached: [] })));
    for (let ms = BLOCKED_AFTER + AGAIN_AFTER; ms < GIVEN_UP_AFTER; ms += AGAIN_AFTER) later(ms, stop);
    later(GIVEN_UP_AFTER, () => {
      this.#givenUp = true;
      kill(child);
    });
  }

  /** Interrupts one cell where it waits, and nothing that other shells compute. */
  interruptRun(run: number): void {
    const running = this.#running.get(run);
    if (!running) return;
    running.interrupted = true;
    this.send({ type: "interrupt", runs: [run], quiet: true });
  }

  /** Ends the process and everything that cells started in it. */
  async close(): Promise<void> {
    this.#closing = true;
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    kill(child);
    await exited;
  }

  #start(): void {
    const child = fork(fileURLToPath(new URL("../child/main.js", import.meta.url)), [], {
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "ipc"],
      serialization: "advanced",
      // A process group of its own: signals reach what cells started, and not the kernel.
      detached: true,
      // `require` of ES modules is experimental in Node 20; DEP0111 and the checks: see child/stop.ts.
      execArgv: ["--disable-warning=ExperimentalWarning", "--disable-warning=DEP0111", "--no-force-async-hooks-checks"],
    });
    this.#child = child;
    this.#ready = false;
    this.#failed = undefined;
    this.#started = new Promise((resolve) => (this.#release = resolve));
    this.#log = "";
    this.#interrupts = this.#lastSeen = this.#acknowledged = 0;
    const read = frameReader((message) => this.#receive(child, message));
    (child.stdio[OUTPUT_FD] as NodeJS.ReadableStream).on("data", (chunk: Buffer) => {
      try {
        read(chunk);
      } catch {
        // A cell wrote into the pipe itself: no message behind that can be told from another.
        this.#log += DAMAGED;
        kill(child);
      }
    });
    // A write to a process that has just ended fails; its end says more.
    child.stdio[WATCHDOG_FD]?.on("error", () => undefined);
    child.on("error", () => undefined);
    for (const name of ["stdout", "stderr"] as const) {
      // What bypassed JavaScript: native code, and processes that a cell started.
      const worthShowing = nativeOutput();
      child[name]?.setEncoding("utf8").on("data", (raw: string) => {
        this.#log = (this.#log + raw).slice(-8192);
        const text = worthShowing(raw);
        if (text !== "") this.receive({ type: "stream", run: this.#running.keys().next().value ?? 0, name, text });
      });
    }
    child.once("exit", (code, signalName) => {
      // Output may still be in the pipes; one held open by a process that survives must not delay us for ever.
      const finish = once(() => this.#ended(child, code, signalName));
      child.once("close", finish);
      setTimeout(finish, 300);
    });
  }

  #receive(child: ChildProcess, message: FromChild): void {
    if (message.type === "ready") {
      this.#ready = true;
      this.#release();
    } else if (message.type === "interrupted") {
      this.#lastSeen = this.#interrupts;
      this.#acknowledged++;
    } else if (message.type === "done") {
      const running = this.#running.get(message.run);
      if (child !== this.#child || !running) return;
      this.#running.delete(message.run);
      const { error } = message;
      // What a process or a native call threw because the signal hit it as well.
      const result = running.interrupted && error && error.ename !== INTERRUPTED.ename ? { ...message, error: { ...INTERRUPTED, traceback: [...INTERRUPTED.traceback, ...error.traceback] } } : message;
      running.settle(result);
      this.receive(message);
      running.end();
    } else if (!("run" in message && this.#running.get(message.run)?.settled)) {
      // What a cell shows after the kernel has replied for it would come behind its end.
      this.receive(message);
    }
  }

  #ended(child: ChildProcess, code: number | null, signalName: NodeJS.Signals | null): void {
    kill(child);
    if (this.#closing) return;
    const end = this.#givenUp ? GIVEN_UP : this.#ready ? describeEnd(code, signalName, this.#log) : describeFailedStart(code, signalName, this.#log);
    this.#givenUp = false;
    const running = [...this.#running.values()];
    if (this.#ready && running.every(({ settled }) => settled)) this.#notice = `${end.evalue}\n`;
    this.#running.clear();
    this.#generation++;
    const release = this.#release;
    // One that cannot even start would fail again and again: the next cell tries once more.
    if (this.#ready) this.#start();
    else this.#failed = end;
    this.ended(end);
    for (const each of running) {
      each.settle({ error: end, reached: [], died: true });
      each.end();
    }
    release();
  }
}

const INTERRUPTED: ErrorContent = {
  ename: "KeyboardInterrupt",
  evalue: "the cell was interrupted",
  traceback: ["\x1b[31mKeyboardInterrupt\x1b[39m: the cell was interrupted"],
};

const ABANDONED: ErrorContent = {
  ...INTERRUPTED,
  traceback: [...INTERRUPTED.traceback, `It is inside native code. Its result is dropped. The next cell starts when it returns; after ${GIVEN_UP_AFTER / 1000} s its process is ended, and all variables with it.`],
};

const GIVEN_UP: ErrorContent = {
  ename: "ProcessEnded",
  evalue: `the cell that was interrupted did not stop within ${GIVEN_UP_AFTER / 1000} s (native code), so its process was ended; all variables are gone, a new process is ready`,
  traceback: ["\x1b[31mProcessEnded\x1b[39m: the interrupted cell did not stop"],
};

const LOST: ErrorContent = {
  ename: "ProcessEnded",
  evalue: "the process ended before the cell ran; all variables are gone, a new process is ready",
  traceback: ["\x1b[31mProcessEnded\x1b[39m: before the cell ran"],
};

function signal(child: ChildProcess): void {
  if (process.platform !== "win32") group(child, "SIGINT");
}

function kill(child: ChildProcess): void {
  if (process.platform === "win32") child.kill("SIGKILL");
  else group(child, "SIGKILL");
}

function group(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch {
    // Already gone.
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}
