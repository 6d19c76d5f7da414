import type { SourceMap } from "node:module";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { CompiledCell } from "../../compile/cells.js";
import { originalPosition, readMaps } from "../../source-maps.js";
import { murmur2 } from "./hash.js";

/** Under this prefix, a hash and this suffix a front end knows the source of a cell. Nothing is ever written there. */
export const PREFIX = `${join(tmpdir(), `sdtp_${process.pid}`)}${sep}`;
export const SUFFIX = ".ts";
export const SEED = 0x73647470;

export const cellPath = (code: string): string => `${PREFIX}${murmur2(code, SEED)}${SUFFIX}`;

/** What the compiler puts behind a cell. */
const BEHIND = "function __published__()";
/** Cells whose sources are known: more would be kept for nothing. */
const MOST = 5000;

/** A cell or module as it runs. */
export interface Script {
  /** Its name for V8. */
  name: string;
  /** The cell's text; undefined for a module, which is a file. */
  text?: string;
  /** Where the front end finds its source. */
  path: string;
  maps: SourceMap[];
  /** Lines of its code: what is behind them is the kernel's. */
  lines: number;
}

interface Noted extends Pick<Script, "name" | "text" | "lines"> {
  payloads: string[];
  script?: Script;
}

export interface Position {
  /** From 1. */
  line: number;
  column: number;
}

/** The code that ran or is about to, as the front end and as V8 know it. */
export class Scripts {
  readonly #noted = new Map<string, Noted>();
  /** V8's ids of scripts by their names, and back. */
  readonly #ids = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #awaited = new Map<string, () => void>();

  /** Notes a cell that is about to run, and the modules that it imports. */
  note(name: string, text: string, { code, maps, modules }: CompiledCell): void {
    const behind = code.lastIndexOf(BEHIND);
    this.#noted.set(name, { name, text, payloads: maps, lines: lineCount(behind < 0 ? code : code.slice(0, behind)) });
    for (const module of modules) if (module.maps.length > 0) this.#noted.set(module.path, { name: module.path, payloads: module.maps, lines: Infinity });
    if (this.#noted.size > MOST) this.#noted.delete(this.#noted.keys().next().value as string);
  }

  /** V8 has compiled a script. */
  parsed(url: string, id: string): void {
    const name = url.startsWith("file:") ? fileURLToPath(url) : url;
    this.#ids.set(name, id);
    this.#names.set(id, name);
    this.#awaited.get(name)?.();
    this.#awaited.delete(name);
  }

  /** V8's id of a script, as soon as it tells it. */
  async id(name: string): Promise<string> {
    if (!this.#ids.has(name)) await new Promise<void>((resolve) => this.#awaited.set(name, resolve));
    return this.#ids.get(name) as string;
  }

  /** V8's ids of what came from a source. */
  at(path: string): string[] {
    return [...this.#ids].filter(([name]) => this.#of(name)?.path === path).map(([, id]) => id);
  }

  script(id: string): Script | undefined {
    return this.#of(this.#names.get(id) ?? "");
  }

  /** Files whose code runs: the notebook's own modules, and whatever V8 has told of. By name, as somebody would import them. */
  modules(): { id: string; name: string; path: string }[] {
    const noted = [...this.#noted.values()].filter(({ text }) => text === undefined).map(({ name }) => name);
    const paths = new Set([...noted, ...this.#ids.keys()].filter(isAbsolute));
    return [...paths].map((path) => ({ id: path, name: moduleName(path), path })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The text of a cell by its path. */
  text(path: string): string | undefined {
    for (const [name, { text }] of this.#noted) if (text !== undefined && this.#of(name)?.path === path) return text;
    return undefined;
  }

  /** Where a place in the code that runs came from; undefined where it is none of the cell's. Line and column from 0. */
  original(id: string, line: number, column: number): Position | undefined {
    const script = this.script(id);
    if (!script || line < 0 || line >= script.lines) return undefined;
    const found = originalPosition(script.maps, line, column);
    return { line: Math.max(1, script.text === undefined ? found.line + 1 : found.line), column: found.column + 1 };
  }

  /** The process with the scripts ended. */
  clear(): void {
    this.#ids.clear();
    this.#names.clear();
    for (const resolve of this.#awaited.values()) resolve();
    this.#awaited.clear();
  }

  #of(name: string): Script | undefined {
    const noted = this.#noted.get(name);
    if (!noted) return undefined;
    const { text, lines, payloads } = noted;
    return (noted.script ??= { name, ...(text !== undefined && { text }), path: text === undefined ? name : cellPath(text), maps: readMaps(payloads), lines });
  }
}

/** What is in a package, from the package's name on; what is in the notebook's folder, from there on. */
function moduleName(path: string): string {
  const [, inPackage] = /^.*[\\/]node_modules[\\/](.*)$/.exec(path) ?? [];
  const below = inPackage ?? relative(process.cwd(), path);
  return (below.startsWith("..") ? path : below).replaceAll(sep, "/");
}

function lineCount(code: string): number {
  let lines = 0;
  for (let at = code.indexOf("\n"); at >= 0; at = code.indexOf("\n", at + 1)) lines++;
  return lines;
}
