/**
 * The execution process: runs cells, holds the notebook's variables. The kernel (../main.ts) starts it
 * and may lose it at any time without losing the connection to its clients.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { ToChild } from "../messages.js";
import * as api from "./api.js";
import { Cell, currentCell, installPromiseInspection } from "./cell.js";
import { send } from "./channel.js";
import { asError, execute, type Notebook } from "./execute.js";
import { installHost } from "./host.js";
import { guardListeners } from "./listeners.js";
import { Modules } from "./modules.js";
import { captureStreams, currentRun, setLastRun } from "./output.js";
import { installStop } from "./stop.js";
import { Stacks } from "./stack.js";
import { createVariables, preload } from "./variables.js";

const here = dirname(fileURLToPath(import.meta.url));
const packageRoot = join(here, "..", "..", "..");

const modules = new Modules(process.cwd(), packageRoot);
const stacks = new Stacks();
const variables: Record<string, unknown> = {};
const notebook: Notebook = { modules, stacks, variables: createVariables(variables) };
const host = installHost();
const { display, clearOutput, input, progress, comms } = api;
preload(variables, process.env.SDTP_PRELOAD, modules, { display, clearOutput, input, progress, comms });

const seen = new Int32Array(new SharedArrayBuffer(4));
const stopState = new Int32Array(new SharedArrayBuffer(4));
const watchdog = new Worker(new URL("./watchdog.js", import.meta.url), { workerData: { seen: seen.buffer, state: stopState.buffer } });
watchdog.unref();

installStop(stopState);

let running: Cell | undefined;

function interrupt(): void {
  Atomics.add(seen, 0, 1);
  send({ type: "interrupted" });
  running?.interrupt();
}

function receive(message: ToChild): void {
  switch (message.type) {
    case "run":
      void run(message);
      break;
    case "comm":
      void currentCell.run(new Cell(message.run, modules, notebook.variables), () => host.comms.receive(message));
      break;
    case "input":
      host.inputs.receive(message.id, message.value, message.error);
      break;
    case "interrupt":
      interrupt();
      break;
  }
}

async function run(job: ToChild & { type: "run" }): Promise<void> {
  setLastRun(job.run);
  running = new Cell(job.run, modules, notebook.variables);
  await execute(notebook, job, running);
  running = undefined;
  listen();
}

// A promise that nobody awaits, or a callback, failed: the cell is over or cannot know, so it is only said.
function report(kind: string, thrown: unknown): void {
  const { traceback } = asError(thrown);
  send({ type: "stream", run: currentRun(), name: "stderr", text: `${kind}:\n${traceback.join("\n")}\n` });
}

const listen = guardListeners({
  SIGINT: interrupt,
  message: receive,
  disconnect: () => process.kill(process.pid, "SIGKILL"),
  uncaughtException: (error) => report("Uncaught exception", error),
  unhandledRejection: (reason) => report("Unhandled rejection", reason),
});

captureStreams();
stacks.install();
installPromiseInspection();
// Cells have no business with the channel to the kernel.
process.send = process.disconnect = undefined as never;
send({ type: "ready" });
