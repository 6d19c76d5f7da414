import { readdir, readFile } from "node:fs/promises";
import type { Pty } from "./pty.js";

/** Milliseconds that a shell has to end by itself, and then to be ended. */
const GRACE = 2_000;

/**
 * Ends a terminal as closing its window does: all that runs in it is told (SIGHUP), the shell is ended where it does not hear.
 * What was started to outlive its terminal (nohup, setsid) does.
 * @param exited resolves when the shell has ended
 */
export async function endPty(pty: Pty, exited: Promise<void>): Promise<void> {
  if (process.platform === "win32") {
    pty.kill();
    return void (await within(GRACE, exited));
  }
  // A shell need not pass it on to what it runs in the background.
  for (const pid of [...(await session(pty.pid)), pty.pid]) {
    signal(pid, "SIGHUP");
    signal(pid, "SIGCONT");
  }
  if (await within(GRACE, exited)) return;
  signal(-pty.pid, "SIGKILL");
  signal(pty.pid, "SIGKILL");
  await within(GRACE, exited);
}

/** Processes of a session but its leader, where the system lists them (Linux). */
async function session(leader: number): Promise<number[]> {
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const members = await Promise.all(pids.map(async (pid) => {
    // proc(5): behind the command in brackets come state, parent, process group, session.
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    return pid !== leader && Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]) === leader ? [pid] : [];
  }));
  return members.flat();
}

/** To a process that may have ended. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has.
  }
}

async function within(milliseconds: number, done: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), milliseconds)));
  return Promise.race([done.then(() => true), late]).finally(() => clearTimeout(timer));
}
