import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Started {
  child: ChildProcess;
  ended: Promise<Ended>;
}

/** Starts the real command in a folder of its own. */
export function start(cwd: string, ...args: string[]): Started {
  const child = spawn(process.execPath, [join(packageRoot(), "lib", "cli", "sdtp.mjs"), ...args], { cwd, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, SDTP_CACHE: join(cwd, "cache"), SDTP_STATE: join(cwd, "state") } });
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name]!.setEncoding("utf8").on("data", (chunk: string) => (text[name] += chunk));
  return { child, ended: new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, ...text }))) };
}

export function sdtp(cwd: string, ...args: string[]): Promise<Ended> {
  return start(cwd, ...args).ended;
}

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-cli-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Waits until it is so. @throws when it takes too long */
export async function until(condition: () => boolean, seconds = 300): Promise<void> {
  for (const end = Date.now() + seconds * 1e3; !condition(); ) {
    if (Date.now() > end) throw new Error(`not so after ${seconds} s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
