import { basename, dirname, join } from "node:path";
import type * as TS from "@tslab/typescript-for-tslab";

interface LibFile {
  /** What its text depends on. */
  readonly version: string;
  readonly text: string;
}

/**
 * The language's library in as many files as the options name. TypeScript has it in sixty, which refer to one another, and goes
 * through all files of a program for every cell: each that is named holds the text of those that it refers to, these hold nothing.
 */
export class LibFiles {
  readonly #ts: typeof TS;
  readonly #folder: string;
  readonly #named: readonly string[];
  #files: ReadonlyMap<string, LibFile> | undefined;

  /** @param options the compiler's, whose `lib` names the files */
  constructor(ts: typeof TS, options: TS.CompilerOptions) {
    this.#ts = ts;
    this.#folder = dirname(ts.getDefaultLibFilePath(options));
    this.#named = options.lib ?? [];
  }

  /** A file of the library's, with its comments; undefined: it is none of those. */
  find(path: string): LibFile | undefined {
    if (dirname(path) !== this.#folder) return undefined;
    this.#files ??= this.#read();
    return this.#files.get(basename(path));
  }

  #read(): Map<string, LibFile> {
    const files = new Map<string, LibFile>();
    for (const [i, name] of this.#named.entries()) {
      const version = this.#named.slice(0, i + 1).join();
      const held: string[] = [];
      const whole = (file: string): string => {
        if (files.has(file) || held.includes(file)) return "";
        held.push(file);
        const text = this.#ts.sys.readFile(join(this.#folder, file)) ?? "";
        return text.replace(/^\/\/\/ <reference lib="(.*)" \/>$/gm, (_, lib: string) => whole(`lib.${lib}.d.ts`));
      };
      const text = whole(name);
      for (const file of held) files.set(file, { version, text: file === name ? text : "" });
    }
    return files;
  }
}
