/**
 * The Jupyter kernel: `node main.js CONNECTION_FILE`.
 *
 *   client ── zeromq ── kernel process: sockets, heartbeat, queue      (this file, parent/)
 *                        ├─ compiler, completion, hover: a process from a snapshot, else a thread  (compile/)
 *                        └─ child process: runs cells, has variables   (child/, display/)
 *                            └─ thread: watchdog, stops what hangs
 *
 * The kernel process never computes, so it always answers; the child may crash, hang or exit without
 * taking the connection with it.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeSnapshot, snapshotFile } from "./compile/snapshot/keep.js";
import { Compiler } from "./parent/compiler.js";

/** Milliseconds between looks at whether the client's process still lives. */
const PARENT_POLL = 2000;

async function main(): Promise<void> {
  const args = process.argv.slice(2).filter((argument) => argument !== "-f");
  const [connectionFile] = args;
  if (connectionFile === undefined) throw new Error("kernel: no connection file (usage: main.js CONNECTION_FILE)");
  const packageRoot = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
  const { SDTP_PRELOAD: preload, SDTP_HISTORY: history } = process.env;
  const making = new AbortController();
  // The next kernel starts from it; that it cannot be made only costs time.
  const make = () => void makeSnapshot(packageRoot, making.signal).catch(() => undefined);
  // The first cell waits for the compiler: it starts while this process loads what it needs itself.
  const compiler = new Compiler({ packageRoot, preload }, snapshotFile(packageRoot), make);
  const [{ readConnectionFile }, { userDataDir }, { KernelServer }] = await Promise.all([import("../lib/jupyter/connection.js"), import("../lib/jupyter/paths.js"), import("./parent/server.js")]);
  const historyFolder = history === "none" ? undefined : history || join(userDataDir(), "sdtp-history");
  const server = new KernelServer(readConnectionFile(connectionFile), { compiler, historyFolder, closing: () => making.abort() });
  process.on("SIGINT", () => server.interrupt());
  process.on("SIGTERM", () => void server.shutdown());
  await server.start();
  const parent = process.ppid;
  // A client that was killed cannot ask us to end.
  if (process.env.JPY_PARENT_PID) setInterval(() => process.ppid !== parent && void server.shutdown(), PARENT_POLL);
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
