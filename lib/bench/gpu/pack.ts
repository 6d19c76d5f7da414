import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { chmod, mkdir, mkdtemp, open, readdir, rm, symlink, writeFile, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { packageRoot } from "../../checkpoint/package-root.js";
import { CUDA_VARIABLE, PROVIDER_FILES, cudaProvider, hasCudaFiles, runtimeFolder } from "../../runtime/devices/cuda-provider.js";

/** Largest piece, in bytes: what most ways of bringing a file to a machine still take. */
export const PIECE_BYTES = 60e6;

/** Packages that the run loads, by the imports of what it runs; theirs come with them. */
const PACKAGES = ["onnxruntime-node", "onnx-buf", "@bufbuild/protobuf", "commander", "zod", "koffi", "proper-lockfile", "cli-progress", "pickleparser", "@huggingface/gguf"];

export interface PackEnd {
  readonly pieces: readonly string[];
  readonly bytes: number;
  /** Whether the CUDA provider is in it. */
  readonly provider: boolean;
}

/**
 * Writes all that a bare machine of this platform needs for `sdtp bench gpu`: Node itself, this package as built, the packages it loads, and the CUDA
 * provider where it is installed here or named by `SDTP_ORT_CUDA`. In pieces, with `unpack.sh`, which checks and joins them with nothing but sh, cat, sha256sum, gzip and tar.
 * @param folder empty, or not there yet
 * @throws where it is not empty or cannot be written, or the provider is of another version; what was begun is taken away
 */
export async function packGpu(folder: string, { pieceBytes = PIECE_BYTES, env = process.env }: { readonly pieceBytes?: number; readonly env?: NodeJS.ProcessEnv } = {}): Promise<PackEnd> {
  if (!Number.isSafeInteger(pieceBytes) || pieceBytes < 1 || pieceBytes > PIECE_BYTES) throw new Error(`piece: ${pieceBytes} bytes (must be an integer from 1 to ${PIECE_BYTES})`);
  if (process.platform === "win32") throw new Error("pack: win32 (is for machines with sh and tar: Linux and macOS)");
  const target = resolve(folder);
  await mkdir(target, { recursive: true });
  if ((await readdir(target)).length > 0) throw new Error(`pack: ${target} (must be empty, or not there yet)`);
  const provider = providerToPack(env);
  const staging = await mkdtemp(join(tmpdir(), "sdtp-pack-"));
  try {
    await stage(join(staging, "sdtp"), provider);
    const pieces = await inPieces(tar(staging), target, pieceBytes);
    await writeFile(join(target, "SHA256SUMS"), pieces.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join(""));
    await script(join(target, "unpack.sh"), UNPACK);
    return { pieces: pieces.map(({ name }) => name), bytes: pieces.reduce((sum, { bytes }) => sum + bytes, 0), provider: provider !== null };
  } catch (error) {
    for (const name of await readdir(target)) await rm(join(target, name), { recursive: true, force: true });
    throw error;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** The folder of the provider; null: there is none to bring along. */
function providerToPack(env: NodeJS.ProcessEnv): string | null {
  const { folder, missing, problem, version } = cudaProvider(env);
  if (missing.length === 0 && problem !== null && version !== null && /must be/.test(problem)) throw new Error(`pack: ${problem}`);
  if (missing.length > 0 && env[CUDA_VARIABLE]) throw new Error(`pack: ${CUDA_VARIABLE}: ${problem}`);
  return missing.length === 0 && hasCudaFiles(env) ? folder : null;
}

/** The archive's tree, of links to what lies elsewhere. */
async function stage(root: string, provider: string | null): Promise<void> {
  const own = packageRoot();
  const link = async (from: string, to: string) => {
    await mkdir(dirname(to), { recursive: true });
    await symlink(realpathSync(from), to);
  };
  await link(process.execPath, join(root, "node"));
  for (const name of ["package.json", "dist/lib", "lib/cli", "lib/models", "lib/bench/prompts"]) await link(join(own, name), join(root, name));
  const binaries = runtimeFolder();
  const runtime = dirname(dirname(dirname(dirname(binaries))));
  for (const name of packages(own)) {
    const from = join(own, "node_modules", name);
    // Of ONNX Runtime's binaries, which are those of five platforms, this one's.
    if (realpathSync(from) !== realpathSync(dirname(runtime)) && realpathSync(from) !== realpathSync(runtime)) await link(from, join(root, "node_modules", name));
    else {
      for (const part of readdirSync(from).filter((each) => each !== "bin")) await link(join(from, part), join(root, "node_modules", name, part));
      const inside = binaries.slice(binaries.indexOf(join("bin", "napi")));
      for (const file of readdirSync(binaries).filter((each) => !(PROVIDER_FILES as readonly string[]).includes(each))) await link(join(binaries, file), join(root, "node_modules", name, inside, file));
      if (provider !== null) for (const file of PROVIDER_FILES) await link(join(provider, file), join(root, "node_modules", name, inside, file));
    }
  }
  await script(join(root, "bench-gpu.sh"), RUN);
}

/** `PACKAGES` and all that they depend on and is installed, by the paths in node_modules. */
function packages(own: string): string[] {
  const found = new Set<string>();
  const visit = (name: string): void => {
    const file = join(own, "node_modules", name, "package.json");
    // Binaries of other platforms are dependencies that are not installed.
    if (found.has(name) || !existsSync(file)) return;
    found.add(name);
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(file, "utf8")) as { dependencies?: object; optionalDependencies?: object };
    for (const each of Object.keys({ ...dependencies, ...optionalDependencies })) visit(each);
  };
  for (const name of PACKAGES) {
    if (!existsSync(join(own, "node_modules", name))) throw new Error(`pack: ${name} (is not in ${join(own, "node_modules")}: pack from a checkout)`);
    visit(name);
  }
  return [...found];
}

/** Links are followed: the archive has none. */
function tar(staging: string): Readable & { done: Promise<void> } {
  const child = spawn("tar", ["-chf", "-", "--exclude=*.map", "--exclude=*.d.ts", "-C", staging, "sdtp"], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const done = new Promise<void>((fulfil, reject) => {
    child.on("error", (error) => reject(new Error(`pack: tar (${error.message})`)));
    child.on("close", (code) => (code === 0 ? fulfil() : reject(new Error(`pack: tar (ended with ${code}: ${said.trim().split("\n").at(-1)})`))));
  });
  done.catch(() => {});
  return Object.assign(child.stdout, { done });
}

interface Piece {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

async function inPieces(source: Readable & { done: Promise<void> }, folder: string, pieceBytes: number): Promise<Piece[]> {
  const pieces: Piece[] = [];
  let [handle, hash, bytes] = [null as FileHandle | null, createHash("sha256"), 0];
  const name = () => `sdtp.tar.gz.${String(pieces.length).padStart(3, "0")}`;
  const close = async () => {
    if (!handle) return;
    await handle.sync();
    await handle.close();
    pieces.push({ name: name(), bytes, sha256: hash.digest("hex") });
    [handle, hash, bytes] = [null, createHash("sha256"), 0];
  };
  for await (const chunk of source.pipe(createGzip()) as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; ) {
      handle ??= await open(join(folder, name()), "wx");
      const part = chunk.subarray(at, at + pieceBytes - bytes);
      await handle.writeFile(part);
      hash.update(part);
      bytes += part.length;
      at += part.length;
      if (bytes === pieceBytes) await close();
    }
  }
  await close();
  await source.done;
  return pieces;
}

async function script(file: string, text: string): Promise<void> {
  await writeFile(file, text);
  await chmod(file, 0o755);
}

const UNPACK = `#!/bin/sh
# Checks the pieces beside this script, joins and unpacks them: unpack.sh [FOLDER]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=\${1:-$here/unpacked}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$here"
if ! sha256sum -c SHA256SUMS; then
  echo "unpack.sh: pieces are missing or damaged (above): bring them again" >&2
  exit 1
fi
sed 's/^[^ ]*  //' SHA256SUMS | while read -r piece; do cat "$piece"; done | gzip -dc | tar -xf - -C "$target"
echo "unpacked; run: $target/sdtp/bench-gpu.sh --minutes 12"
`;

const RUN = `#!/bin/sh
# sdtp bench gpu by what lies here: its own Node and packages, no network.
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/node" "$here/lib/cli/sdtp.mjs" bench gpu "$@"
`;
