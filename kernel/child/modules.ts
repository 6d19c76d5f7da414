import Module, { createRequire, isBuiltin } from "node:module";
import { dirname, extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";

/** Errors of `require` for modules that `import()` can load: top-level await, or no entry for `require`. */
const ONLY_IMPORTABLE = new Set(["ERR_REQUIRE_ASYNC_MODULE", "ERR_REQUIRE_ESM", "ERR_PACKAGE_PATH_NOT_EXPORTED"]);

/**
 * What `import` and `require` mean in a notebook: local TypeScript as the compiler made it, packages of
 * the notebook's project first, then those of this package.
 */
export class Modules {
  readonly #folder: string;
  readonly #requires: NodeJS.Require[];
  readonly #importers: ((specifier: string) => Promise<object>)[];
  readonly #own: string;
  /** CommonJS by path, and what it exported once it ran. */
  readonly #sources = new Map<string, string>();
  readonly #loaded = new Map<string, NodeJS.Module>();
  /** Namespaces of modules that only `import()` can load. */
  readonly #imported = new Map<string, object>();
  readonly require: NodeJS.Require;
  readonly meta: { url: string; filename: string; dirname: string; resolve: (specifier: string) => string };

  constructor(folder: string, packageRoot: string) {
    this.#folder = folder;
    this.#own = join(packageRoot, "dist", "lib", "index.js");
    // From dist, because what this package bundles is in dist/node_modules.
    const bases = [folder, join(packageRoot, "dist")].map((base) => join(base, "notebook.js"));
    this.#requires = bases.map((base) => createRequire(base));
    this.#importers = bases.map(importerFrom);
    this.require = this.#requireFrom(folder);
    const filename = bases[0] ?? "";
    const resolveUrl = (specifier: string) => pathToFileURL(this.#resolve(specifier)).href;
    this.meta = { url: pathToFileURL(filename).href, filename, dirname: folder, resolve: resolveUrl };
  }

  /** Takes over modules that the compiler translated; those that changed run anew when next imported. */
  update(modules: { path: string; data: string }[]): void {
    for (const { path, data } of modules) {
      if (this.#sources.get(path) === data) continue;
      this.#sources.set(path, data);
      // Whoever imported it must see the new one as well.
      this.#loaded.clear();
    }
  }

  /** Loads what static imports name, in order, so that `require` has it even where only `import()` can load it. */
  async prepare(specifiers: string[]): Promise<void> {
    for (const specifier of specifiers) {
      if (this.#imported.has(specifier)) continue;
      try {
        this.require(specifier);
      } catch (error) {
        if (!ONLY_IMPORTABLE.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
        const namespace = await this.import(specifier);
        this.#imported.set(specifier, Object.defineProperty({ ...namespace }, "__esModule", { value: true }));
      }
    }
  }

  /** `import()`. */
  async import(specifier: string): Promise<object> {
    const local = this.#local(this.#folder, specifier);
    if (local !== undefined) return asNamespace(this.#run(local));
    if (specifier === "sdtp-notebook") return import(pathToFileURL(this.#own).href) as Promise<object>;
    const [first, second] = this.#importers;
    if (!first || !second) throw new Error("unreachable");
    if (!isBare(specifier)) return first(specifier);
    return first(specifier).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ERR_MODULE_NOT_FOUND" || !error.message.includes(`'${packageName(specifier)}'`)) throw error;
      return second(specifier);
    });
  }

  #requireFrom(folder: string): NodeJS.Require {
    const load = (specifier: string): unknown => {
      const imported = this.#imported.get(specifier);
      if (imported) return imported;
      const local = this.#local(folder, specifier);
      if (local !== undefined) return this.#run(local);
      return this.#requires[0]?.(this.#resolve(specifier, folder));
    };
    const { cache, extensions, main } = this.#requires[0] as NodeJS.Require;
    const resolveFrom = Object.assign((specifier: string) => this.#resolve(specifier, folder), {
      paths: () => null,
    });
    return Object.assign(load as NodeJS.Require, { cache, extensions, main, resolve: resolveFrom });
  }

  #resolve(specifier: string, folder = this.#folder): string {
    if (isBuiltin(specifier)) return specifier;
    if (specifier === "sdtp-notebook") return this.#own;
    if (!isBare(specifier)) return (this.#requires[0] as NodeJS.Require).resolve(resolve(folder, specifier));
    const [first, second] = this.#requires as [NodeJS.Require, NodeJS.Require];
    try {
      return first.resolve(specifier);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
      try {
        return second.resolve(specifier);
      } catch (other) {
        throw (other as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND" ? error : other;
      }
    }
  }

  /** Path of a module that the compiler translated. */
  #local(folder: string, specifier: string): string | undefined {
    if (isBare(specifier)) return undefined;
    const path = resolve(folder, specifier);
    const candidates = [path, `${path}.js`, path.slice(0, path.length - extname(path).length) + ".js", join(path, "index.js")];
    return candidates.find((candidate) => this.#sources.has(candidate));
  }

  #run(path: string): unknown {
    const known = this.#loaded.get(path);
    if (known) return known.exports;
    const module = new Module(path);
    module.filename = path;
    module.paths = (Module as unknown as { _nodeModulePaths(folder: string): string[] })._nodeModulePaths(dirname(path));
    module.require = this.#requireFrom(dirname(path));
    this.#loaded.set(path, module);
    try {
      (module as unknown as { _compile(code: string, path: string): void })._compile(this.#sources.get(path) ?? "", path);
    } catch (error) {
      this.#loaded.delete(path);
      throw error;
    }
    return module.exports;
  }
}

function importerFrom(base: string): (specifier: string) => Promise<object> {
  return vm.runInThisContext("(specifier) => import(specifier)", {
    filename: base,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }) as (specifier: string) => Promise<object>;
}

function asNamespace(exports: unknown): object {
  const object = exports as Record<string, unknown>;
  return object.__esModule ? object : { ...object, default: exports };
}

function isBare(specifier: string): boolean {
  return !/^(\.{0,2}\/|\.{1,2}$|file:|data:|[A-Za-z]:[\\/])/.test(specifier);
}

function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}
