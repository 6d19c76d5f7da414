import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../checkpoint/package-root.js";
import { backend } from "../runtime/c-api/backend.js";
import { isPluginName, pluginOf } from "../runtime/providers/names.js";
import type { Provider } from "../runtime/session.js";
import type { Metadata } from "./record.js";

/** On what, and with what, something was measured. */
export type Environment = Required<Pick<Metadata, "versions" | "cpu" | "memory_bytes" | "platform" | "git_commit">>;

export function environment(): Environment {
  const installed = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  const own = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { version: string };
  return {
    versions: { "sdtp-notebook": own.version, "onnxruntime-node": installed.version, node: process.versions.node },
    cpu: { model: cpus()[0]?.model.trim() ?? "unknown", cores: cpus().length },
    memory_bytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    git_commit: packageCommit(),
  };
}

/**
 * As `environment`, and who calls ONNX Runtime on the CPU: `c-api` (through koffi) or `node` (onnxruntime-node's binding); with a plugin's provider, which it is. For
 * what measures.
 * @param device that it is measured on
 */
export async function measuredEnvironment(device: Provider = "cpu"): Promise<Environment> {
  const all = environment();
  const plugin = isPluginName(device) ? { [`provider ${pluginOf(device)}`]: await (await import("../runtime/providers/open.js")).pluginVersion(device) } : {};
  return { ...all, versions: { ...all.versions, "cpu backend": (await backend()).name, ...plugin } };
}

/**
 * Threads where none are asked for: one a physical core that this process may run on. ONNX Runtime would choose
 * so by itself, but would not say what it chose.
 */
export function defaultThreads(): number {
  const available = availableParallelism();
  try {
    const siblings = cpus().map((_, cpu) => readFileSync(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, "utf8"));
    return Math.max(1, Math.min(available, new Set(siblings).size));
  } catch {
    return available;
  }
}

/** The commit of the checkout this package runs from, marked where files differ from it; null for an installed package. */
function packageCommit(): string | null {
  const root = packageRoot();
  // An installed package may lie in another project's checkout.
  return git(root, "rev-parse", "--show-cdup") === "" ? gitCommit(root) : null;
}

/** The commit of the checkout that a folder is in, marked where files differ from it; null outside of one. */
export function gitCommit(folder: string): string | null {
  return git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*");
}

function git(folder: string, ...args: string[]): string | null {
  try {
    return execFileSync("git", ["-C", folder, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}
