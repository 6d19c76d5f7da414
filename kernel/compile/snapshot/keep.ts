/** The snapshot on disk: where it is, and making it. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { join } from "node:path";
import v8 from "node:v8";
import { cached, cacheFolder, clearCache, listCache } from "../../../lib/checkpoint/cache.js";

const FILE = "compiler.blob";
/** Of the niceness of a process: it makes something that nobody waits for. */
const LOW = 10;

/** Name of the cache entry; changes with Node, TypeScript, and this package's compiler. */
function key(packageRoot: string): string {
  const compile = join(packageRoot, "dist", "kernel", "compile");
  const { version } = createRequire(join(packageRoot, "dist", "index.js"))("@tslab/typescript-for-tslab/package.json") as { version: string };
  const files = readdirSync(compile, { recursive: true }).map(String).filter((name) => /\.c?js$/.test(name)).sort();
  const hash = createHash("sha256");
  // Flags of V8's count: a snapshot only fits those it was made with.
  hash.update(JSON.stringify([packageRoot, version, v8.cachedDataVersionTag(), files.map((name) => [name, statSync(join(compile, name)).mtimeMs])]));
  return `${prefix()}${hash.digest("hex").slice(0, 16)}`;
}

const prefix = () => `compiler-node${process.versions.node}-${process.arch}-`;

/** The snapshot's file, if it was made. */
export function snapshotFile(packageRoot: string): string | undefined {
  const file = join(cacheFolder(), key(packageRoot), FILE);
  return existsSync(file) ? file : undefined;
}

/**
 * Makes the snapshot, in a process of its own, where there is none; it takes some seconds, 60 MB in the cache folder,
 * and replaces those of earlier versions of this package.
 * @param signal ends it; nothing is left then
 * @returns its file
 * @throws where Node cannot make it, or the cache folder cannot be written to
 */
export async function makeSnapshot(packageRoot: string, signal?: AbortSignal): Promise<string> {
  const own = key(packageRoot);
  const folder = await cached(own, (temporary) => build(packageRoot, join(temporary, FILE), signal));
  const old = (await listCache()).map((entry) => entry.key).filter((each) => each.startsWith(prefix()) && each !== own);
  if (old.length > 0) await clearCache(old).catch(() => undefined);
  return join(folder, FILE);
}

function build(packageRoot: string, file: string, signal?: AbortSignal): Promise<void> {
  const script = `${file}.cjs`;
  // Node runs it with less around it than a CommonJS module has.
  writeFileSync(script, `var exports = {}; ${readFileSync(join(packageRoot, "dist", "kernel", "compile", "snapshot", "build.cjs"), "utf8")}`);
  return new Promise((resolve, reject) => {
    // The folder of the package, not that of a notebook, whose tsconfig.json would count.
    const builder = spawn(process.execPath, ["--no-warnings", "--snapshot-blob", file, "--build-snapshot", script, packageRoot], {
      cwd: join(packageRoot, "dist"),
      env: { ...process.env, NODE_OPTIONS: "", NODE_PATH: "" },
      stdio: ["ignore", "ignore", "pipe"],
      ...(signal ? { signal } : {}),
    });
    let errors = "";
    builder.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-2000)));
    builder.on("spawn", () => {
      try {
        os.setPriority(builder.pid as number, LOW);
      } catch {
        // It runs as anything else then.
      }
    });
    builder.on("error", reject);
    builder.on("exit", (code, killed) => {
      rmSync(script, { force: true });
      if (code === 0 && existsSync(file)) resolve();
      else reject(new Error(`the compiler's snapshot: not made (${errors.trim() || `exit ${code ?? killed}`})`));
    });
  });
}
