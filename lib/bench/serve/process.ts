import { readFileSync } from "node:fs";

/** Clock ticks of a second in /proc, the same on every Linux. */
const TICKS = 100;

/** Resident bytes and processor seconds of a process, as Linux tells; null elsewhere, and of one that has ended. */
export function processUse(pid: number): { readonly resident: number; readonly cpuSeconds: number } | null {
  try {
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    // The name before it may hold anything, parentheses too.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
    return resident === undefined ? null : { resident: 1024 * Number(resident), cpuSeconds: (user! + system!) / TICKS };
  } catch {
    return null;
  }
}
