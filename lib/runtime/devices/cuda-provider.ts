import { execFileSync } from "node:child_process";
import { closeSync, existsSync, lstatSync, openSync, readFileSync, readlinkSync, readSync, rmSync, symlinkSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { libraryPath, TRIED_VERSION } from "../c-api/library.js";
import { neededLibraries } from "./elf.js";

/** Names a folder in which ONNX Runtime's CUDA provider lies, for example `onnxruntime/capi` of the PyPI package onnxruntime-gpu. */
export const CUDA_VARIABLE = "SDTP_ORT_CUDA";

/** What ONNX Runtime looks for beside its own library, and nowhere else. */
export const PROVIDER_FILES = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"] as const;

/** Linux drivers from this one on run what was built with that CUDA (NVIDIA's CUDA compatibility guide, minor version compatibility). */
export const LEAST_DRIVER: Readonly<Record<number, string>> = { 12: "525.60.13", 13: "580.65.06" };

/** The CUDA provider as it lies on disk. */
export interface CudaProvider {
  /** Where it was looked for. */
  readonly folder: string;
  /** Files that are not there. */
  readonly missing: readonly string[];
  /** Of ONNX Runtime, as the package around it or the library itself says; null: neither does. */
  readonly version: string | null;
  /** Major version of CUDA that it was built for, and libraries that it needs and the system's loader would not find. */
  readonly cuda: number | null;
  readonly notFound: readonly string[];
  /** Why it cannot be used; null: nothing is known against it. */
  readonly problem: string | null;
}

/** Whether this platform has a CUDA provider at all. */
export const cudaPlatform = (): boolean => process.platform === "linux" && process.arch === "x64";

/** The folder in which ONNX Runtime itself lies. */
export const runtimeFolder = (): string => dirname(libraryPath());

/** Whether the provider's files are where ONNX Runtime looks for them, or in the folder that the environment names. Looks at nothing but their names. */
export function hasCudaFiles(env: NodeJS.ProcessEnv = process.env): boolean {
  if (!cudaPlatform()) return false;
  const folder = env[CUDA_VARIABLE] || runtimeFolder();
  return PROVIDER_FILES.every((file) => isLibrary(join(folder, file)));
}

/** Whether a library lies there. Where this package was installed by npm, small texts stand in for libraries that were not asked for. */
export function isLibrary(file: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch {
    return false;
  }
  try {
    const start = Buffer.alloc(4);
    return readSync(descriptor, start, 0, 4, 0) === 4 && start.toString("latin1") === "\x7fELF";
  } catch {
    return false;
  } finally {
    closeSync(descriptor);
  }
}

/** All that can be said of the provider without loading it. */
export function cudaProvider(env: NodeJS.ProcessEnv = process.env): CudaProvider {
  const folder = resolve(env[CUDA_VARIABLE] || runtimeFolder());
  const nothing = { folder, missing: [] as string[], version: null, cuda: null, notFound: [] as string[] };
  if (!cudaPlatform()) return { ...nothing, problem: `${process.platform} ${process.arch} (ONNX Runtime has a CUDA provider for linux x64 alone)` };
  const missing = PROVIDER_FILES.filter((file) => !isLibrary(join(folder, file)));
  if (missing.length > 0) return { ...nothing, missing, problem: `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} not in ${folder}` };
  const version = versionOf(folder);
  let needed: string[];
  try {
    needed = neededLibraries(join(folder, PROVIDER_FILES[1]));
  } catch (error) {
    return { ...nothing, version, problem: (error as Error).message };
  }
  const cuda = Number(needed.map((name) => /^libcudart\.so\.(\d+)/.exec(name)?.[1]).find(Boolean) ?? needed.map((name) => /^libcublas\.so\.(\d+)/.exec(name)?.[1]).find(Boolean) ?? 0) || null;
  const notFound = needed.filter((name) => !isFound(name, folder, env));
  const wrong = version !== null && version !== TRIED_VERSION ? `the provider in ${folder} is of ONNX Runtime ${version} (must be ${TRIED_VERSION}, as onnxruntime-node is: another one ends the process)` : null;
  return { folder, missing, version, cuda, notFound, problem: wrong ?? (notFound.length > 0 ? `the CUDA provider needs ${notFound.join(", ")}, which the system's loader does not find (set LD_LIBRARY_PATH to ${cuda === null ? "CUDA's" : `CUDA ${cuda}'s`} and cuDNN's folders)` : null) };
}

/**
 * Puts links to the provider's files beside ONNX Runtime's library, where alone it looks for them: of the folder that the environment names.
 * @throws where it is of another version, has not all files, or links cannot be made
 */
export function linkCudaProvider(env: NodeJS.ProcessEnv = process.env): void {
  if (!env[CUDA_VARIABLE]) return;
  const { folder, missing, version } = cudaProvider(env);
  if (missing.length > 0) throw new Error(`${CUDA_VARIABLE}: ${folder} (has no ${missing.join(" and no ")})`);
  if (version !== null && version !== TRIED_VERSION) throw new Error(`${CUDA_VARIABLE}: ${folder} (holds the provider of ONNX Runtime ${version}; must be ${TRIED_VERSION})`);
  const target = runtimeFolder();
  if (resolve(target) === folder) return;
  for (const file of PROVIDER_FILES) {
    const [from, to] = [join(folder, file), join(target, file)];
    try {
      const before = lstatSync(to, { throwIfNoEntry: false });
      if (before?.isSymbolicLink() && readlinkSync(to) === from) continue;
      // A file that is there is someone's own installation: it is not taken away.
      if (before && !before.isSymbolicLink() && isLibrary(to)) throw new Error(`is there already and no link (unset ${CUDA_VARIABLE} to use it, or remove it)`);
      if (before) rmSync(to);
      symlinkSync(from, to);
    } catch (error) {
      throw new Error(`${CUDA_VARIABLE}: ${to} (${(error as NodeJS.ErrnoException).code ?? (error as Error).message}: a link to ${from} must be there)`);
    }
  }
}

/** The PyPI package says its version beside its libraries; else it stands in the library itself, as a text of its own. */
function versionOf(folder: string): string | null {
  try {
    const info = readFileSync(join(folder, "build_and_package_info.py"), "utf8");
    const [, version] = /__version__ = ["']([^"']+)["']/.exec(info) ?? [];
    if (version !== undefined) return version;
  } catch {
    // Not out of that package.
  }
  const descriptor = openSync(join(folder, PROVIDER_FILES[1]), "r");
  try {
    const chunk = Buffer.alloc(2 ** 24);
    let rest = "";
    for (;;) {
      const length = readSync(descriptor, chunk, 0, chunk.length, null);
      if (length === 0) return null;
      const text = rest + chunk.toString("latin1", 0, length);
      const [, version] = /\0(1\.\d{1,3}\.\d{1,3})\0/.exec(text) ?? [];
      if (version !== undefined) return version;
      rest = text.slice(-16);
    }
  } finally {
    closeSync(descriptor);
  }
}

let cached: Set<string> | null = null;

function isFound(name: string, folder: string, env: NodeJS.ProcessEnv): boolean {
  const folders = [folder, ...(env["LD_LIBRARY_PATH"] ?? "").split(delimiter)].filter((each) => each !== "");
  if (folders.some((each) => existsSync(join(each, name)))) return true;
  return (cached ??= known()).has(name);
}

/** What the system's loader knows by name. */
function known(): Set<string> {
  for (const program of ["ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"]) {
    try {
      const listed = execFileSync(program, ["-p"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
      return new Set(listed.split("\n").map((line) => line.trim().split(" ")[0]!));
    } catch {
      // Said by none being found.
    }
  }
  return new Set();
}
