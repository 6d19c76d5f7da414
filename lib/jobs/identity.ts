import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { hostname, uptime } from "node:os";

/** A process for good: its number alone is given to another one after its end. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, as its system tells it; null where that is not told. */
  readonly started: string | null;
  readonly host: string;
  /** When this was written down, ISO 8601; not in those of earlier versions. */
  readonly at?: string;
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, started: startOf(process.pid), host: hostname(), at: new Date().toISOString() };
}

/** Whether this very process is still there. On another machine that cannot be seen: `elsewhere`. */
export function isAlive({ pid, started, host }: ProcessIdentity): boolean | "elsewhere" {
  if (host !== hostname()) return "elsewhere";
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: there, of another user; so it is not ours, unless its start says so.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return started !== null && startOf(pid) === started;
}

/** Whether its machine was started anew since: the process is gone with it. */
export function machineRestarted({ started, at }: ProcessIdentity): boolean {
  const boot = process.platform === "linux" ? started?.split(" ")[1] : undefined;
  if (boot !== undefined) return boot !== bootId();
  return at !== undefined && Date.parse(at) < Date.now() - uptime() * 1e3;
}

const bootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

/** When a process started; null where there is none, or it has ended and only waits for its parent. */
function startOf(pid: number): string | null {
  try {
    if (process.platform === "linux") {
      // The name, in parentheses, may hold anything: fields are counted after it. 3 is the state, 22 the start in ticks since the boot.
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
      if (fields[0] === "Z" || fields[0] === "X") return null;
      return `${fields[19]} ${bootId()}`;
    }
    const [command, ...args]: [string, ...string[]] = process.platform === "win32"
      ? ["powershell", "-NoProfile", "-Command", `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`]
      : ["ps", "-o", "lstart=", "-p", String(pid)];
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], env: { ...process.env, LC_ALL: "C" } }).trim() || null;
  } catch {
    return null;
  }
}
