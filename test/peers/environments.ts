import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { cached } from "../../lib/checkpoint/cache.js";
import { packageRoot } from "../../lib/checkpoint/package-root.js";
import { lastWords } from "../../lib/bench/isolate.js";
import { checkedPlugin } from "../../lib/runtime/devices/verdict.js";
import { addProvider } from "../../lib/runtime/providers/install/add.js";
import { pluginFile } from "../../lib/runtime/providers/installed.js";
import type { Peer } from "./peers.js";

export const source = (...parts: string[]): string => join(packageRoot(), "test", "peers", ...parts);

/** How a peer's driver is started. */
export interface Start {
  readonly command: string;
  readonly args: readonly string[];
}

/** The command that starts a peer's driver; installs what it needs, once, into the cache folder. @throws why it cannot be installed */
export async function startOf({ driver, environment }: Peer, signal?: AbortSignal): Promise<Start> {
  // What a run before left is collected before the next one begins.
  if (environment === "own") return { command: process.execPath, args: ["--expose-gc", source("drivers", driver)] };
  if (environment !== "node") return { command: await python(environment, signal), args: [source("drivers", driver)] };
  const folder = await nodePackages(signal);
  // Packages are found from where a file lies.
  for (const name of ["peer.mjs", driver]) await copyFile(source("drivers", name), join(folder, name));
  return { command: process.execPath, args: ["--expose-gc", join(folder, driver)] };
}

/** A plugin provider that a row of this package computes on, brought and held against the CPU, once. @throws why it cannot be had or is refused */
export async function provider(name: string, signal?: AbortSignal): Promise<void> {
  const { installed } = await addProvider(name, { ...(signal && { signal }) });
  const plugin = { ...(await pluginFile(installed.device, join(installed.folder, installed.library))), version: installed.version };
  const { verdict } = await checkedPlugin(plugin);
  if (!verdict.ok) throw new Error(`${name}: refused (${verdict.reason})`);
}

async function nodePackages(signal?: AbortSignal): Promise<string> {
  const content = await readFile(source("package.json"));
  return cached(`peers-node-${process.versions.modules}-${short(content)}`, async (folder) => {
    await copyFile(source("package.json"), join(folder, "package.json"));
    // Binaries are in packages of their own: nothing has to be built or fetched by scripts.
    await command("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"], { cwd: folder, signal });
  });
}

/** A Python with the packages of a requirements file. @returns its path */
export async function python(requirements: string, signal?: AbortSignal): Promise<string> {
  const file = source(requirements);
  const name = requirements.replace(/^requirements-|\.txt$/g, "");
  const folder = await cached(`peers-python-${name}-${short(await readFile(file))}`, async (temporary) => {
    await command("python3", ["-m", "venv", temporary], { signal });
    await command(join(temporary, "bin", "python"), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", file], { signal });
  });
  return join(folder, "bin", "python");
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a command to its end. @throws with what it wrote last */
export async function command(name: string, args: readonly string[], { cwd, env = {}, signal }: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(name, [...args], { cwd, env: { ...process.env, ...env }, maxBuffer: 2 ** 28, ...(signal && { signal }) }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      if (signal?.aborted) return reject(signal.reason as Error);
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return reject(new Error(`${name} is not installed`));
      const lines = stderr.split("\n").filter((line) => !/^\s*(WARNING|\[notice\])/.test(line)).join("\n");
      reject(new Error(`${name.replace(/.*\//, "")} ${args.slice(0, 3).join(" ")} …: ${lastWords(lines) || error.message}`));
    });
  });
}

const short = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex").slice(0, 12);
