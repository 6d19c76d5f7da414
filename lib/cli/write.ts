import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import writeFileAtomic from "write-file-atomic";

/** Writes a file whole or not at all, its folder too. @throws an error that names it */
export async function writeText(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomic(file, text);
  } catch (error) {
    throw new Error(`output: ${file} (cannot be written: ${(error as NodeJS.ErrnoException).code ?? error})`);
  }
}
