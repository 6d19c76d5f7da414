import { basename, dirname, join } from "node:path";
import type * as TS from "@tslab/typescript-for-tslab";

/**
 * The language's library as one file. TypeScript has it in sixty, and goes through all files of a program for every cell:
 * the first one holds the text of all, the others nothing.
 */
export class LibFiles {
  readonly #ts: typeof TS;
  readonly #folder: string;
  readonly #first: string | undefined;
  /** Names of the files that the first one holds. */
  readonly #held = new Set<string>();
  #text: string | undefined;

  /** @param options the compiler's, whose `lib` names the files */
  constructor(ts: typeof TS, readonly options: TS.CompilerOptions) {
    this.#ts = ts;
    this.#folder = dirname(ts.getDefaultLibFilePath(options));
    const [first] = options.lib ?? [];
    this.#first = first;
  }

  /** Changes with {@link textOf}. */
  get version(): string {
    return (this.options.lib ?? []).join();
  }

  has(path: string): boolean {
    return dirname(path) === this.#folder;
  }

  /** The text of a file of the library's, with its comments; undefined: it is none of those. */
  textOf(path: string): string | undefined {
    if (this.#first === undefined || !this.has(path)) return undefined;
    this.#text ??= (this.options.lib ?? []).map((name) => this.#whole(name)).join("\n");
    const name = basename(path);
    if (name === this.#first) return this.#text;
    return this.#held.has(name) ? "" : undefined;
  }

  /** A file with those that it refers to in front of it, each once. */
  #whole(name: string): string {
    if (this.#held.has(name)) return "";
    this.#held.add(name);
    const text = this.#ts.sys.readFile(join(this.#folder, name)) ?? "";
    return text.replace(/^\/\/\/ <reference lib="(.*)" \/>$/gm, (_, lib: string) => this.#whole(`lib.${lib}.d.ts`));
  }
}
