import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { writeWholeSync } from "../lib/files.js";
import { listKernels, type InstalledKernel, type KernelSpec } from "../lib/jupyter/kernelspec.js";
import { PROTOCOL_VERSION } from "../lib/jupyter/messages.js";
import { sysPrefix, userDataDir, type PathContext } from "../lib/jupyter/paths.js";
import { launcher } from "./launcher.js";
import { LOGOS } from "./logos.js";

/** Key in a kernelspec's metadata by which we know our own. */
const OURS = "sdtp";

export interface InstallOptions extends PathContext {
  /** Where: the user's folder (default), a prefix such as /usr/local, or the active Python environment. */
  where?: "user" | { prefix: string } | "sys-prefix";
  /** Name of the kernel's folder, and what notebooks refer to. Default `sdtp`. */
  name?: string;
  displayName?: string;
  /** Environment of the kernel, such as `SDTP_PRELOAD=none`. */
  vars?: Record<string, string>;
}

/**
 * Makes the kernel known to Jupyter and VS Code.
 * @returns the folder of its kernel.json
 * @throws for a name that Jupyter would not accept, or where there is no Python environment to install into.
 */
export function installKernel(options: InstallOptions = {}): string {
  const { name = "sdtp", displayName = "TypeScript (sdtp)", vars = {}, platform = process.platform } = options;
  if (!/^[a-z0-9._-]+$/i.test(name)) throw new Error(`name: ${name} (must be letters, digits, ".", "-" and "_")`);
  const folder = join(kernelsFolder(options), name.toLowerCase());
  mkdirSync(folder, { recursive: true });
  const main = fileURLToPath(new URL("./main.js", import.meta.url));
  const start = launcher({ node: process.execPath, main, platform });
  const script = join(folder, start.file);
  writeWholeSync(script, start.text, 0o755);
  for (const [file, data] of Object.entries(LOGOS)) writeWholeSync(join(folder, file), data);
  const spec: KernelSpec = {
    argv: [...start.command, script, "{connection_file}"],
    display_name: displayName,
    language: "typescript",
    interrupt_mode: "message",
    env: vars,
    kernel_protocol_version: PROTOCOL_VERSION,
    metadata: { debugger: true, supported_encryption: "curve", [OURS]: { main, node: process.execPath } },
  };
  writeWholeSync(join(folder, "kernel.json"), `${JSON.stringify(spec, null, 2)}\n`);
  return folder;
}

/** A kernel that Jupyter finds; `ours` where this package installed it, `problem` where it cannot start. */
export interface ListedKernel extends InstalledKernel {
  ours: boolean;
  problem?: string;
}

/** The kernels that Jupyter finds. */
export function installedKernels(context: PathContext = {}): ListedKernel[] {
  return listKernels(context).map((kernel) => {
    const ours = kernel.spec.metadata[OURS] as { main?: string; node?: string } | undefined;
    if (!ours) return { ...kernel, ours: false };
    if (ours.main && !existsSync(ours.main)) {
      return { ...kernel, ours: true, problem: `${ours.main} is gone: run \`sdtp kernel install\` again` };
    }
    // Elsewhere the start script falls back to the Node on PATH.
    if (ours.node && (context.platform ?? process.platform) === "win32" && !existsSync(ours.node)) {
      return { ...kernel, ours: true, problem: `${ours.node} is gone: run \`sdtp kernel install\` again` };
    }
    return { ...kernel, ours: true };
  });
}

/**
 * Removes a kernel that this package installed.
 * @returns the folder that was removed
 * @throws where there is no such kernel, or it is another package's.
 */
export function uninstallKernel(name = "sdtp", context: PathContext = {}): string {
  const kernels = installedKernels(context);
  const kernel = kernels.find((each) => each.name === name.toLowerCase());
  const ours = kernels.filter((each) => each.ours).map((each) => each.name);
  if (!kernel) throw new Error(`kernel: ${name} (installed by this package: ${ours.join(", ") || "none"})`);
  if (!kernel.ours) throw new Error(`kernel: ${name} in ${kernel.folder} (was not installed by this package)`);
  rmSync(kernel.folder, { recursive: true });
  return kernel.folder;
}

/** `kernels` in the data folder that the options choose. */
function kernelsFolder(options: InstallOptions): string {
  const { where = "user" } = options;
  if (where === "user") return join(userDataDir(options), "kernels");
  const prefix = where === "sys-prefix" ? sysPrefix(options) : resolve(where.prefix);
  if (!prefix) throw new Error("sys-prefix: no Python environment is active (VIRTUAL_ENV and CONDA_PREFIX are not set)");
  return join(prefix, "share", "jupyter", "kernels");
}
