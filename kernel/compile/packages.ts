import { join } from "node:path";
import type * as TS from "@tslab/typescript-for-tslab";

/** Packages beyond which completion does not look for things to import: each costs its types. */
const MOST = 100;

/** A program over the types of the packages that are installed for a notebook: what completion can offer to import. */
export function autoImportProgram(ts: typeof TS, folder: string, options: TS.CompilerOptions): TS.Program | undefined {
  const names = installedPackages(ts, folder);
  if (names.length === 0) return undefined;
  const host = ts.createCompilerHost(options);
  const resolve = (name: string) => ts.resolveModuleName(name, join(folder, "index.ts"), options, host).resolvedModule?.resolvedFileName;
  const roots = names.map(resolve).filter((file) => file !== undefined && /\.d\.[mc]?ts$/.test(file)) as string[];
  return roots.length > 0 ? ts.createProgram({ rootNames: roots, options: { ...options, noLib: true, types: [], declaration: false }, host }) : undefined;
}

/** Names from the nearest package.json at or above a folder; where there is none, what its node_modules holds. */
export function installedPackages(ts: typeof TS, folder: string): string[] {
  const manifest = ts.findConfigFile(folder, ts.sys.fileExists, "package.json");
  if (manifest) {
    const { dependencies = {}, devDependencies = {} } = (ts.readConfigFile(manifest, ts.sys.readFile).config ?? {}) as Record<string, Record<string, string> | undefined>;
    return Object.keys({ ...dependencies, ...devDependencies }).slice(0, MOST);
  }
  const modules = join(folder, "node_modules");
  if (!ts.sys.directoryExists(modules)) return [];
  const scoped = (name: string) => (name.startsWith("@") ? ts.sys.getDirectories(join(modules, name)).map((each) => `${name}/${each}`) : [name]);
  return ts.sys.getDirectories(modules).filter((name) => !name.startsWith(".") && name !== "@types").flatMap(scoped).slice(0, MOST);
}
