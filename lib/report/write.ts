import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import writeFileAtomic from "write-file-atomic";

export const writeText = (file: string, text: string): Promise<void> => writeOutput(file, text);

/** Writes a file whole or not at all, its folder too. @throws an error that names it */
export async function writeOutput(file: string, content: string | Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomic(file, typeof content === "string" ? content : Buffer.from(content));
  } catch (error) {
    throw new Error(`output: ${file} (cannot be written: ${(error as NodeJS.ErrnoException).code ?? error})`);
  }
}
