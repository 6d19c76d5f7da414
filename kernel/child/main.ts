/**
 * The execution process: runs cells, holds the notebook's variables. The kernel (../main.ts) starts it
 * and may lose it at any time without losing the connection to its clients.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { ToChild } from "../messages.js";
import * as api from "./api.js";
import { absorbSignal } from "./breakable.js";
import { Cell, currentCell, installPromiseInspection, KeyboardInterrupt } from "./cell.js";
import { backlog, flush, send } from "./channel.js";
import { asError, letGo, Running, type Notebook } from "./execute.js";
import { installHost } from "./host.js";
import { guardListeners } from "./listeners.js";
import { Modules } from "./modules.js";
import { captureStreams, currentRun, setLastRun } from "./output.js";
import { installStop } from "./stop.js";
import { preload } from "./preload.js";
import { Scopes, type Scope } from "./scopes.js";
import { installSourceText } from "./source-text.js";
import { Stacks } from "./stack.js";
import { installStdin } from "./stdin.js";
import { installVariables } from "./variables.js";

const here = dirname(fileURLToPath(import.meta.url));
const packageRoot = join(here, "..", "..", "..");

const modules = new Modules(process.cwd(), packageRoot);
const stacks = new Stacks();
const preloaded: Scope = {};
const scopes = new Scopes(preloaded);
const notebook: Notebook = { modules, stacks, scopes };
const host = installHost(modules);
const { display, clearOutput, input, progress, comms } = api;
preload(preloaded, process.env.SDTP_PRELOAD, modules, { display, clearOutput, input, progress, comms });

const seen = new Int32Array(new SharedArrayBuffer(4));
const stopState = new Int32Array(new SharedArrayBuffer(4));
const watchdog = new Worker(new URL("./watchdog.js", import.meta.url), { workerData: { seen: seen.buffer, state: stopState.buffer, backlog: backlog.memory } });
watchdog.unref();

installStop(stopState, seen);

/** Cells that run, by their runs: one a shell. They take turns wherever they await. */
const running = new Map<number, Running>();
/** Whether there was an interrupt since the last cell began. */
let interrupted = false;
/** Milliseconds that an interrupted cell has to end by itself once the event loop turns. */
const LAST_WORDS = 100;

/** The event loop turns: what waits is interrupted. What computes was by the signal, which may come in the middle of it. */
function interrupt(runs: number[], quiet: boolean): void {
  if (!quiet) {
    Atomics.add(seen, 0, 1);
    send({ type: "interrupted" });
    interrupted = true;
    host.interruptTasks();
  }
  // An interrupt that was meant for another cell may come late.
  for (const current of runs.map((run) => running.get(run)).filter((each) => each !== undefined)) {
    current.cell.interrupt();
    // Where JavaScript was ended in the middle, what would tell of the cell's end is gone with it.
    setTimeout(() => {
      current.fail(new KeyboardInterrupt());
      ended(current);
    }, LAST_WORDS);
  }
}

function receive(message: ToChild): void {
  switch (message.type) {
    case "run":
      void run(message);
      break;
    case "comm":
      void currentCell.run(new Cell(message.run, modules), () => host.comms.receive(message));
      break;
    case "input":
      host.inputs.receive(message.id, message.value, message.error);
      break;
    case "go":
      letGo(message.run);
      break;
    case "interrupt":
      interrupt(message.runs, message.quiet === true);
      break;
  }
}

async function run(job: ToChild & { type: "run" }): Promise<void> {
  setLastRun(job.run);
  if (interrupted) absorbSignal();
  interrupted = false;
  const cell = new Cell(job.run, modules, job.cell.links, (scope) => scopes.set(job.cell.id, scope));
  const current = new Running(notebook, job, cell);
  running.set(job.run, current);
  await current.run();
  ended(current);
}

function ended(current: Running): void {
  if (running.delete(current.job.run)) listen();
}

// A promise that nobody awaits, or a callback, failed: the cell is over or cannot know, so it is only said.
function report(kind: string, thrown: unknown): void {
  const { traceback } = asError(thrown);
  send({ type: "stream", run: currentRun(), name: "stderr", text: `${kind}:\n${traceback.join("\n")}\n` });
}

const listen = guardListeners({
  // Without a listener it would end the process.
  SIGINT: () => undefined,
  message: receive,
  disconnect: () => process.kill(process.pid, "SIGKILL"),
  uncaughtException: (error) => report("Uncaught exception", error),
  unhandledRejection: (reason) => report("Unhandled rejection", reason),
});

captureStreams();
// What ends the process at once leaves no time to send what was printed in a burst.
process.on("exit", flush);
for (const name of ["abort", "kill"] as const) {
  const end = process[name] as (...args: unknown[]) => unknown;
  Object.defineProperty(process, name, { configurable: true, writable: true, value: (...args: unknown[]) => (flush(), end.apply(process, args)) });
}
stacks.install();
installSourceText();
installStdin(host.inputs);
installVariables(scopes);
installPromiseInspection();
// Cells have no business with the channel to the kernel.
process.send = process.disconnect = undefined as never;
send({ type: "ready" });
