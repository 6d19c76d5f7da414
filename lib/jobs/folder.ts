import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Where jobs are kept, one folder each: the same for every terminal and notebook of a user, wherever they were opened.
 * `SDTP_STATE`; else `sdtp-notebook` in `XDG_STATE_HOME`, in `~/Library/Application Support` on macOS, in `%LOCALAPPDATA%`
 * on Windows, in `~/.local/state` elsewhere; there, `jobs`.
 */
export function jobsFolder({ env = process.env, platform = process.platform, home = homedir() } = {}): string {
  const state = () => {
    if (env.SDTP_STATE) return env.SDTP_STATE;
    if (env.XDG_STATE_HOME) return join(env.XDG_STATE_HOME, "sdtp-notebook");
    if (platform === "darwin") return join(home, "Library", "Application Support", "sdtp-notebook");
    if (platform === "win32") return join(env.LOCALAPPDATA ?? join(home, "AppData", "Local"), "sdtp-notebook", "State");
    return join(home, ".local", "state", "sdtp-notebook");
  };
  return join(state(), "jobs");
}

/** What a job's folder holds. Each attempt, the first and each time it was resumed, has its own process and its own end. */
export const files = {
  job: "job.json",
  progress: "progress.json",
  rows: "rows.jsonl",
  log: "log.txt",
  process: (attempt: number) => `process-${attempt}.json`,
  /** Somebody asked for its end. */
  stop: (attempt: number) => `stop-${attempt}.json`,
  end: (attempt: number) => `end-${attempt}.json`,
} as const;
