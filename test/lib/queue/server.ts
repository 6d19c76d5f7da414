// A Redis server of the test's own, and real commands that use it.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import type { Ended } from "../cli/sdtp.js";

/** Another one than Debian's: a valkey-server. */
const serverCommand = process.env["SDTP_TEST_QUEUE_SERVER"] ?? "redis-server";

/** Why these tests cannot run, or false. */
export const noServer: string | false = (() => {
  try {
    execFileSync(serverCommand, ["--version"], { stdio: "ignore" });
    return false;
  } catch {
    return `needs ${serverCommand} (apt-get install redis-server, or SDTP_TEST_QUEUE_SERVER=…/valkey-server)`;
  }
})();

export interface Server {
  readonly url: string;
  readonly port: number;
  start(): Promise<void>;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** A server that has started, its data in `folder`; ended with the test. */
export async function redisServer(t: TestContext, folder: string, ...args: string[]): Promise<Server> {
  const port = await freePort();
  let child: ChildProcess | undefined;
  const start = async () => {
    child = spawn(serverCommand, ["--port", String(port), "--dir", folder, "--save", "", ...args], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    await new Promise<void>((resolve, reject) => {
      child!.stdout!.on("data", (text: Buffer) => (said += text).includes("Ready to accept connections") && resolve());
      child!.once("exit", () => reject(new Error(`${serverCommand} ended: ${said}`)));
    });
  };
  const kill = async (signal: NodeJS.Signals = "SIGKILL") => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child!.once("exit", resolve));
    child.kill(signal);
    await gone;
  };
  t.after(() => kill());
  await start();
  return { url: `redis://127.0.0.1:${port}`, port, start, kill };
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written to stderr. */
  said(): string;
  /** Resolves as soon as it has written this to stderr. */
  says(text: RegExp, seconds?: number): Promise<void>;
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** What runs it, as `ip netns exec NAME`. */
  readonly within?: readonly string[];
}

/** The real command, ended with the test. */
export function running(t: TestContext, cwd: string, args: readonly string[], { env, within = [] }: RunOptions = {}): Running {
  const [command, ...rest] = [...within, process.execPath, join(packageRoot(), "lib", "cli", "sdtp.mjs"), ...args] as [string, ...string[]];
  const child = spawn(command, rest, { cwd, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, SDTP_CACHE: join(cwd, "cache"), SDTP_MACHINE: "a", ...env } });
  const text = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) child[name].setEncoding("utf8").on("data", (chunk: string) => {
    text[name] += chunk;
    for (const listener of listeners) listener();
  });
  const ended = new Promise<Ended>((resolve) => child.on("close", (code, signal) => resolve({ code, signal, ...text })));
  t.after(async () => {
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await ended;
  });
  return {
    child, ended, said: () => text.stderr,
    says: (wanted, seconds = 300) => new Promise((resolve, reject) => {
      const timer = setTimeout(() => done(() => reject(new Error(`not said after ${seconds} s: ${wanted}; said: ${text.stderr}${text.stdout}`))), seconds * 1e3);
      const look = () => wanted.test(text.stderr) && done(resolve);
      const done = (end: () => void) => {
        clearTimeout(timer);
        listeners.delete(look);
        end();
      };
      listeners.add(look);
      void ended.then(() => done(() => (wanted.test(text.stderr) ? resolve() : reject(new Error(`ended without saying ${wanted}: ${text.stderr}`)))));
      look();
    }),
  };
}

/** A worker that ends by itself when there has been no work for a while. */
export function worker(t: TestContext, cwd: string, url: string, machine: string, args: readonly string[] = [], options: RunOptions = {}): Running {
  return running(t, cwd, ["worker", "--queue", url, "--output", `worker-${machine}`, "--lock-seconds", "2", ...args], { ...options, env: { SDTP_MACHINE: machine, ...options.env } });
}

/** A sweep of cells that take little. */
export const quick = (model: string, ...more: string[]): string[] =>
  ["sweep", "--model", model, "--config", "baseline", "keep07", "--threads", "1", "--repeats", "3", "--warmup", "0", "--no-memory", "--benchmark-mode", "prefill", "--scorer", "norm", "--json", ...more];

export interface Swept {
  readonly cells: number;
  readonly measured: number;
  readonly found: number;
  readonly left: number;
  readonly rows: readonly Record<string, unknown>[];
}

export async function swept({ ended }: Pick<Running, "ended">, code = 0): Promise<Swept> {
  const { code: found, stdout, stderr } = await ended;
  if (found !== code) throw new Error(`exit code ${found} (must be ${code}): ${stderr}`);
  return JSON.parse(stdout) as Swept;
}

/** Names of the cells that are kept in a folder, each a whole file. */
export function cellsIn(folder: string): string[] {
  const cells = join(folder, "cells");
  return existsSync(cells) ? readdirSync(cells).sort().map((name) => (JSON.parse(readFileSync(join(cells, name), "utf8")), name)) : [];
}

/** Rows of `rows.jsonl`, by length and configuration. */
export function rowNames(folder: string): string[] {
  return readFileSync(join(folder, "rows.jsonl"), "utf8").trim().split("\n").map((line) => {
    const { length, config, error } = JSON.parse(line) as { length: number; config: string; error: string | null };
    return `${length} ${config}${error === null ? "" : " failed"}`;
  });
}
