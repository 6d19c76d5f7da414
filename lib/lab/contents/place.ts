import { lstat, realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { fileRefusal, Refusal } from "../refusal.js";

/** The parts of a path of the API. @throws Refusal for what is hidden, leaves the folder, or is no name of a file */
export function partsOf(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  for (const part of parts) {
    if (part === "." || part === ".." || /[\\\0]/.test(part) || (process.platform === "win32" && /[<>:"|?*]/.test(part))) throw new Refusal(400, `${JSON.stringify(path)}: ${JSON.stringify(part)} cannot be in a path`);
    if (part.startsWith(".")) throw new Refusal(404, `${path}: hidden files are not served`);
  }
  return parts;
}

/** The folder that the lab serves; nothing outside it can be named. */
export class Root {
  /** @param folder its real path */
  constructor(readonly folder: string) {}

  /**
   * Where a path of the API is on the disk; it need not be there.
   * @throws Refusal for one that leaves the folder, through a link too
   */
  async at(path: string): Promise<string> {
    const parts = partsOf(path);
    const file = join(this.folder, ...parts);
    const real = await realOf(file).catch((error) => { throw fileRefusal(error, path); });
    if (real !== this.folder && !real.startsWith(this.folder.endsWith(sep) ? this.folder : this.folder + sep)) throw new Refusal(403, `${path}: leads out of the folder`);
    return file;
  }
}

/** The real path of a file that is not there yet: that of the nearest folder above it that is. */
async function realOf(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(file) === file) throw error;
    // A link to nothing would be followed by whoever writes.
    if (await lstat(file).then(() => true, () => false)) throw new Refusal(403, `${file.split(sep).at(-1)}: is a link to what is not there`);
    return join(await realOf(dirname(file)), file.slice(dirname(file).length));
  }
}
