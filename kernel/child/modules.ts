import Module, { createRequire, isBuiltin } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import type { LocalModule } from "../compile/modules.js";

/** Local modules by the names under which a file imports them. */
type Links = Record<string, string>;

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
  /** Translated modules by path, and what they exported once they ran. */
  readonly #sources = new Map<string, LocalModule>();
  readonly #loaded = new Map<string, NodeJS.Module>();
  #waiting: Map<string, Promise<void>> | undefined;
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
  update(modules: LocalModule[]): void {
    for (const module of modules) {
      const known = this.#sources.get(module.path);
      this.#sources.set(module.path, module);
      if (known?.data === module.data) continue;
      // Whoever imported it must see the new one as well.
      this.#loaded.clear();
    }
  }

  /** Loads what static imports name, in order, so that `require` has it even where only `import()` can load it. */
  async prepare(specifiers: string[], links: Links): Promise<void> {
    for (const specifier of specifiers) {
      const local = this.#local(this.#folder, specifier, links);
      if (local !== undefined) {
        await this.#runWaiting(local);
        continue;
      }
      if (this.#imported.has(specifier)) continue;
      try {
        this.load(specifier, links);
      } catch (error) {
        if (!ONLY_IMPORTABLE.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
        const namespace = await this.import(specifier, links);
        this.#imported.set(specifier, Object.defineProperty({ ...namespace }, "__esModule", { value: true }));
      }
    }
  }

  /** A static import of a file in the notebook's folder, whose imports mean `links`. */
  load(specifier: string, links: Links): unknown {
    return this.#requireFrom(this.#folder, links)(specifier);
  }

  /** What a CommonJS module in the notebook's folder would find. */
  commonJs(links: Links): { module: NodeJS.Module; filename: string; dirname: string } {
    const { filename, dirname: folder } = this.meta;
    const module = new Module(filename);
    Object.assign(module, { filename, paths: pathsFrom(folder), require: this.#requireFrom(folder, links), loaded: true });
    return { module, filename, dirname: folder };
  }

  /** `import()`. */
  async import(specifier: string, links: Links = {}): Promise<object> {
    const local = this.#local(this.#folder, specifier, links);
    if (local !== undefined) {
      await this.#runWaiting(local);
      return asNamespace(this.#run(local));
    }
    if (specifier === "sdtp-notebook") return import(pathToFileURL(this.#own).href) as Promise<object>;
    const [first, second] = this.#importers;
    if (!first || !second) throw new Error("unreachable");
    if (!isBare(specifier)) return first(specifier);
    return first(specifier).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ERR_MODULE_NOT_FOUND" || !error.message.includes(`'${packageName(specifier)}'`)) throw error;
      return second(specifier).catch((other: Error) => {
        // A package that only NODE_PATH leads to, which `import()` knows nothing of.
        const path = attempt(() => this.#requires[0]?.resolve(specifier));
        if (path === undefined) throw other;
        return first(pathToFileURL(path).href);
      });
    });
  }

  #requireFrom(folder: string, links: Links = {}): NodeJS.Require {
    const load = (specifier: string): unknown => {
      const imported = this.#imported.get(specifier);
      if (imported) return imported;
      const local = this.#local(folder, specifier, links);
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
  #local(folder: string, specifier: string, links: Links): string | undefined {
    const linked = links[specifier];
    if (linked !== undefined && this.#sources.has(linked)) return linked;
    if (isBare(specifier)) return undefined;
    // A name that was made while the cell ran.
    const path = resolve(folder, specifier);
    const plain = path.replace(/\.([mc]?)js$/, "");
    const candidates = [path, ...ENDINGS.flatMap((ending) => [path + ending, plain + ending, join(path, `index${ending}`)])];
    return candidates.find((candidate) => this.#sources.has(candidate));
  }

  /** Runs a module that awaits at its top level, or imports one that does, as far as it did not run yet. */
  async #runWaiting(path: string, seen = new Set<string>()): Promise<void> {
    const source = this.#sources.get(path);
    if (!source || seen.has(path) || this.#loaded.has(path)) return;
    seen.add(path);
    for (const each of Object.values(source.links)) await this.#runWaiting(each, seen);
    if (!source.awaits) return;
    this.#waiting ??= new Map();
    const running = this.#waiting.get(path) ?? (this.#evaluate(path, true) as Promise<void>);
    this.#waiting.set(path, running);
    try {
      await running;
    } finally {
      this.#waiting.delete(path);
    }
  }

  #run(path: string): unknown {
    const known = this.#loaded.get(path);
    if (known) return known.exports;
    if (this.#sources.get(path)?.awaits) throw new Error(`require: ${path} (awaits at its top level: import it)`);
    this.#evaluate(path, false);
    return this.#loaded.get(path)?.exports;
  }

  /** Runs a module's code. One that awaits is there for others once it has run, any other at once, for those in a circle. */
  #evaluate(path: string, awaits: boolean): unknown {
    const { data = "", links = {} } = this.#sources.get(path) ?? {};
    const module = new Module(path);
    const folder = dirname(path);
    const load = this.#requireFrom(folder, links);
    Object.assign(module, { filename: path, paths: pathsFrom(folder), require: load });
    const text = awaits ? `return (async () => {${data}\n})()` : data;
    const body = vm.compileFunction(text, ["exports", "require", "module", "__filename", "__dirname"], {
      filename: path,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    }) as (...args: unknown[]) => unknown;
    const call = () => body.call(module.exports, module.exports, load, module, path, folder);
    if (awaits) return (call() as Promise<void>).then(() => void this.#loaded.set(path, module));
    this.#loaded.set(path, module);
    try {
      call();
    } catch (error) {
      this.#loaded.delete(path);
      throw error;
    }
    return undefined;
  }
}

/** Endings that an import may leave out, or write as `.js`. */
const ENDINGS = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".json"];

/** Folders of packages for a module in `folder`, nearest first. */
function pathsFrom(folder: string): string[] {
  return createRequire(join(folder, "module.js")).resolve.paths("any") ?? [];
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

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
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
