import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type * as TS from "@tslab/typescript-for-tslab";

/**
 * Modules of Node's whose types are long and that few cells use. Reading them takes a third of the time until the first
 * cell can run, so they wait until somebody imports them, or nobody waits for anything.
 */
const RARE = ["cluster", "dgram", "http2", "inspector", "inspector/promises", "inspector.generated", "punycode", "quic", "repl", "sea", "sqlite", "test", "test/reporters", "trace_events", "wasi"];

/** Types of Node's modules, of which some wait. */
export class NodeTypes {
  /** Their index.d.ts; undefined where there are none. */
  readonly path: string | undefined;
  #complete = false;

  constructor(ts: typeof TS, folder: string, packageRoot: string) {
    this.path = find(ts, folder, packageRoot);
  }

  /** Changes with {@link textOf}. */
  get version(): string {
    return this.#complete ? "complete" : "common";
  }

  /**
   * Whether a module's name, imported by a file, has waited until now; one that is wanted makes all there. Node's own
   * types name every module, for functions that are given a name (process.getBuiltinModule): that wants none of them.
   */
  wants(module: string, file: string): boolean {
    if (this.#complete || !RARE.includes(module.replace(/^node:/, ""))) return false;
    if (this.path !== undefined && file.startsWith(dirname(this.path))) return false;
    this.#complete = true;
    return true;
  }

  /** Makes all there. @returns whether something was missing */
  complete(): boolean {
    const missing = !this.#complete;
    this.#complete = true;
    return missing;
  }

  /** The text of {@link path}: a list of files. */
  textOf(index: string): string {
    if (this.#complete) return index;
    return index.replace(/^\/\/\/ <reference path="(.*)\.d\.ts" \/>$/gm, (line, name: string) => (RARE.includes(name) ? "" : line));
  }
}

/** Those that the notebook's project has, else those that this package has for the running Node. */
function find(ts: typeof TS, folder: string, packageRoot: string): string | undefined {
  const major = Number(process.versions.node.split(".")[0]);
  const roots = ts.getEffectiveTypeRoots({ configFilePath: join(folder, "tsconfig.json") }, { getCurrentDirectory: () => folder }) ?? [];
  // Beside @types/node, which is that of the oldest release.
  const own = [...[26, 24, 22].filter((each) => each <= major).map((each) => `types-node-${each}`), "@types/node"];
  const require = createRequire(join(packageRoot, "dist", "index.js"));
  const folders = own.flatMap((name) => require.resolve.paths(name)?.map((base) => join(base, name)) ?? []);
  return [...roots.map((root) => join(root, "node")), ...folders].map((each) => join(each, "index.d.ts")).find((file) => ts.sys.fileExists(file));
}
