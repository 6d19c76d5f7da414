import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeOutput } from "../../files.js";
import { fileRefusal, Refusal } from "../refusal.js";

/** A text by its name: one file each. */
export class Store {
  /** @param ending of its files, with the dot */
  constructor(readonly folder: string, readonly ending: string) {}

  async read(name: string): Promise<{ text: string; created: string; lastModified: string } | undefined> {
    const file = this.#file(name);
    try {
      const [text, info] = await Promise.all([readFile(file, "utf8"), stat(file)]);
      return { text, created: info.birthtime.toISOString(), lastModified: info.mtime.toISOString() };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw fileRefusal(error, name);
    }
  }

  async write(name: string, text: string): Promise<void> {
    await writeOutput(this.#file(name), text, "settings").catch((error) => { throw fileRefusal(error, name); });
  }

  async remove(name: string): Promise<void> {
    await rm(this.#file(name), { force: true }).catch((error) => { throw fileRefusal(error, name); });
  }

  async texts(): Promise<string[]> {
    const names = await readdir(this.folder).catch(() => []);
    return Promise.all(names.filter((name) => name.endsWith(this.ending)).sort().map((name) => readFile(join(this.folder, name), "utf8")));
  }

  /** `@scope/package:plugin` is a file in folders of those names, as JupyterLab's own server has it. */
  #file(name: string): string {
    const parts = name.split(/[/:]/);
    if (name === "" || parts.some((part) => part === "" || part.startsWith(".") || /[\\\0]/.test(part))) throw new Refusal(400, `${name}: cannot be a name`);
    return `${join(this.folder, ...parts)}${this.ending}`;
  }
}

/** A name that any file system takes, for what has names of any kind. */
export function digestName(name: string): string {
  return createHash("sha256").update(name).digest("hex").slice(0, 24);
}
