import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, type Stats, statSync, writeFileSync } from "node:fs";
import { mkdir, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** A text file. @param what it is to the user, who is told where it cannot be read or is no text */
export async function readText(what: string, file: string): Promise<string> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${what}: ${file} (${error.code === "ENOENT" ? "no such file" : `cannot be read: ${error.code ?? error.message}`})`);
  });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`${what}: ${file} (is not UTF-8 text)`);
  }
}

/** Makes a folder and those above it. Node's own way never returns where one cannot be made below a folder that is there (`/proc`). @returns those that were not there, the upper ones first */
export async function makeFolder(folder: string): Promise<string[]> {
  const make = () => mkdir(folder).then(() => [folder], (error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
    return [];
  });
  try {
    return await make();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(folder) === folder) throw error;
    return [...(await makeFolder(dirname(folder))), ...(await make())];
  }
}

/** Writes a file whole or not at all, its folder too. @throws an error that names it, as `what` it is to the user */
export async function writeOutput(file: string, content: string | Uint8Array, what = "output"): Promise<void> {
  try {
    await makeFolder(dirname(file));
    await writeWhole(file, content);
  } catch (error) {
    throw new Error(`${what}: ${file} (cannot be written: ${(error as NodeJS.ErrnoException).code ?? error})`);
  }
}

/**
 * Writes a file whole or not at all: beside it, to the disk, then under its name. On a full disk a system writes a part and says
 * so only when it is asked for the rest, which a single write does not do.
 */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const target = await realpath(file).catch(() => file);
  const before = await stat(target).catch(() => undefined);
  const temporary = `${target}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
  const remove = () => rmSync(temporary, { force: true });
  process.once("exit", remove);
  try {
    const handle = await open(temporary, "wx", before ? before.mode & 0o7777 : 0o666);
    try {
      await handle.writeFile(content);
      await handle.sync();
      // Whoever may not give files away keeps them.
      if (before) await Promise.allSettled([handle.chown(before.uid, before.gid), handle.chmod(before.mode & 0o7777)]);
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    process.off("exit", remove);
  }
}

/** `writeWhole` for what cannot wait. @param mode of the file; default: that of the one before, or the usual one */
export function writeWholeSync(file: string, content: string | Uint8Array, mode?: number): void {
  const target = attempt(() => realpathSync(file)) ?? file;
  const before: Stats | undefined = statSync(target, { throwIfNoEntry: false });
  const wanted = mode ?? (before && before.mode & 0o7777);
  const temporary = `${target}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
  try {
    const handle = openSync(temporary, "wx", wanted ?? 0o666);
    try {
      // Bytes, of which Node asks for the rest; of a string it does not in every version.
      writeFileSync(handle, typeof content === "string" ? Buffer.from(content) : content);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    if (before) attempt(() => chownSync(temporary, before.uid, before.gid));
    // Of what is asked for when it is opened, the process's mask takes some.
    if (wanted !== undefined) attempt(() => chmodSync(temporary, wanted));
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
