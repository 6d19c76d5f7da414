import { spawn } from "node:child_process";
import { createWriteStream, existsSync, statSync } from "node:fs";
import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { TRIED_VERSION } from "../c-api/library.js";
import { CUDA_VARIABLE, cudaPlatform, cudaProvider, linkCudaProvider, PROVIDER_FILES, runtimeFolder, type CudaProvider } from "./cuda-provider.js";

/** The PyPI package that has the provider too, of the version that fits. */
export const WHEEL = `onnxruntime-gpu==${TRIED_VERSION}`;

export interface CudaInstallOptions {
  readonly signal?: AbortSignal;
  /** Told what the programs that fetch print. */
  readonly onOutput?: (text: string) => void;
}

/**
 * Puts ONNX Runtime's CUDA provider where ONNX Runtime looks for it.
 * @param source `npm`: onnxruntime-node's own install script fetches it; `pip`: pip fetches the wheel of onnxruntime-gpu; a wheel's file; a folder that
 * has the provider's files, to which links are made
 * @returns what is there then
 * @throws where it is of another version, cannot be fetched or written; AbortError on `signal`
 */
export async function installCuda(source: string, { signal, onOutput = () => {} }: CudaInstallOptions = {}): Promise<CudaProvider> {
  if (!cudaPlatform()) throw new Error(`cuda: ${process.platform} ${process.arch} (ONNX Runtime has a CUDA provider for linux x64 alone)`);
  signal?.throwIfAborted();
  if (source === "npm") await byNpm(signal, onOutput);
  else if (source === "pip") await byPip(signal, onOutput);
  else if (source.endsWith(".whl")) await fromWheel(resolve(source), signal);
  else if (existsSync(source) && statSync(source).isDirectory()) linkCudaProvider({ ...process.env, [CUDA_VARIABLE]: resolve(source) });
  else throw new Error(`cuda: ${source} (must be npm, pip, a wheel of ${WHEEL}, or a folder with ${PROVIDER_FILES.join(" and ")})`);
  const { [CUDA_VARIABLE]: _, ...env } = process.env;
  const provider = cudaProvider(env);
  if (provider.missing.length > 0) throw new Error(`cuda: ${provider.problem} (${source} did not bring it)`);
  return provider;
}

/** The install script writes beside ONNX Runtime's library by itself. */
async function byNpm(signal: AbortSignal | undefined, onOutput: (text: string) => void): Promise<void> {
  const root = runtimeFolder().slice(0, runtimeFolder().indexOf(join("node_modules", "onnxruntime-node")));
  await run("npm", ["rebuild", "onnxruntime-node", "--ignore-scripts=false", "--foreground-scripts"], { cwd: root, env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "cuda12" }, signal }, onOutput);
}

async function byPip(signal: AbortSignal | undefined, onOutput: (text: string) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sdtp-cuda-"));
  try {
    // Whatever Python runs pip, the libraries in the wheels of all of them are the same.
    await run("python3", ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", folder, WHEEL], { cwd: folder, env: process.env, signal }, onOutput);
    const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
    if (!wheel) throw new Error(`cuda: pip (brought no wheel of ${WHEEL})`);
    await fromWheel(join(folder, wheel), signal);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A wheel is a zip, its name has its version. */
async function fromWheel(file: string, signal: AbortSignal | undefined): Promise<void> {
  const [, version] = /^onnxruntime_gpu-([^-]+)-/.exec(basename(file)) ?? [];
  if (version !== TRIED_VERSION) throw new Error(`cuda: ${file} (${version === undefined ? "is no wheel of onnxruntime-gpu" : `is of ONNX Runtime ${version}`}; must be ${WHEEL}, as onnxruntime-node is)`);
  const { openPromise } = await import("yauzl");
  const target = runtimeFolder();
  const zip = await openPromise(file, { lazyEntries: true }).catch((error: unknown) => {
    throw new Error(`cuda: ${file} (cannot be read: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`);
  });
  const found = new Set<string>();
  try {
    for await (const entry of zip.eachEntry()) {
      const name = basename(entry.fileName);
      if (dirname(entry.fileName) !== "onnxruntime/capi" || !(PROVIDER_FILES as readonly string[]).includes(name)) continue;
      const temporary = join(target, `.${name}.${process.pid}.tmp`);
      try {
        await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(temporary, { flush: true }), { signal });
        await rename(temporary, join(target, name));
      } finally {
        await rm(temporary, { force: true });
      }
      found.add(name);
    }
  } finally {
    zip.close();
  }
  const missing = PROVIDER_FILES.filter((name) => !found.has(name));
  if (missing.length > 0) throw new Error(`cuda: ${file} (has no ${missing.join(" and no ")})`);
}

function run(program: string, args: readonly string[], { cwd, env, signal }: { cwd: string; env: NodeJS.ProcessEnv; signal: AbortSignal | undefined }, onOutput: (text: string) => void): Promise<void> {
  return new Promise((fulfil, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], ...(signal && { signal }) });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-2000);
      onOutput(text);
    });
    child.on("error", (error: NodeJS.ErrnoException) => reject(error.code === "ENOENT" ? new Error(`cuda: ${program} (is not on the PATH)`) : error));
    child.on("close", (code) => {
      if (code === 0) return fulfil();
      const lines = said.split("\n").map((line) => line.trim()).filter((line) => line !== "");
      const last = lines.findLast((line) => /Error:|ENOTFOUND|EAI_AGAIN|ECONN/.test(line)) ?? lines.findLast((line) => /error/i.test(line) && !/complete log|command/.test(line)) ?? lines.at(-1);
      reject(new Error(`cuda: ${program} (ended with ${code}: ${last?.slice(0, 300)})`));
    });
  });
}
