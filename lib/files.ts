import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import writeFileAtomic from "write-file-atomic";

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
    await writeFileAtomic(file, typeof content === "string" ? content : Buffer.from(content));
  } catch (error) {
    throw new Error(`${what}: ${file} (cannot be written: ${(error as NodeJS.ErrnoException).code ?? error})`);
  }
}
