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
import { readConnectionFile } from "../lib/jupyter/connection.js";
import { userDataDir } from "../lib/jupyter/paths.js";
import { KernelServer } from "./parent/server.js";

/** Milliseconds between looks at whether the client's process still lives. */
const PARENT_POLL = 2000;

async function main(): Promise<void> {
  const args = process.argv.slice(2).filter((argument) => argument !== "-f");
  const [connectionFile] = args;
  if (connectionFile === undefined) throw new Error("kernel: no connection file (usage: main.js CONNECTION_FILE)");
  const packageRoot = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
  const { SDTP_PRELOAD: preload, SDTP_HISTORY: history } = process.env;
  const historyFolder = history === "none" ? undefined : history || join(userDataDir(), "sdtp-history");
  const server = new KernelServer(readConnectionFile(connectionFile), { packageRoot, preload, historyFolder });
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
