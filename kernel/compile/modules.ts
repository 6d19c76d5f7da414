import type * as TS from "@tslab/typescript-for-tslab";
import type { Resolver } from "./resolve.js";
import { awaitsAtTopLevel } from "./transform.js";

/** A module of the notebook's own, as CommonJS. */
export interface LocalModule {
  /** Absolute path of its source. */
  path: string;
  data: string;
  /** The source map from `data` back to the module; none for JSON. */
  maps: string[];
  /** It awaits at its top level. */
  awaits: boolean;
  /** Which files its imports mean, where those are local modules too. */
  links: Record<string, string>;
}

/** Node loads these itself, or cannot load them at all. */
const TRANSLATED = /\.([mc]?tsx?|jsx?)$/;

/** Translates the TypeScript, JavaScript and JSON of the notebook's own that cells import, each anew when it changes. */
export class LocalModules {
  readonly #ts: typeof TS;
  readonly #resolver: Resolver;
  readonly #options: TS.CompilerOptions;
  readonly #packageRoot: string;
  readonly #known = new Map<string, { modified: number; module: LocalModule }>();

  constructor(ts: typeof TS, resolver: Resolver, options: TS.CompilerOptions, packageRoot: string) {
    this.#ts = ts;
    this.#resolver = resolver;
    this.#options = { ...options, module: ts.ModuleKind.CommonJS, sourceMap: true, inlineSourceMap: false, declaration: false, isolatedModules: true, outDir: undefined as never, rootDir: undefined as never };
    this.#packageRoot = packageRoot;
  }

  /**
   * What a text imports, and what that imports in turn.
   * @param path of the file that the text stands for
   */
  of(path: string, text: string): { links: Record<string, string>; modules: LocalModule[] } {
    const modules = new Map<string, LocalModule>();
    const visit = (from: string, source: string): Record<string, string> => {
      const links = this.#links(from, source);
      for (const each of Object.values(links)) {
        if (modules.has(each)) continue;
        const module = this.#module(each);
        modules.set(each, module);
        module.links = each.endsWith(".json") ? {} : visit(each, this.#ts.sys.readFile(each) ?? "");
      }
      return links;
    };
    return { links: visit(path, text), modules: [...modules.values()] };
  }

  /** Files that are local modules, by the names under which `text` imports them. */
  #links(from: string, text: string): Record<string, string> {
    const links: Record<string, string> = {};
    for (const { fileName: name } of this.#ts.preProcessFile(text, true, true).importedFiles) {
      const found = this.#resolver.resolve(name, from)?.resolvedFileName;
      if (found !== undefined && this.#isLocal(found)) links[name] = found;
    }
    return links;
  }

  #isLocal(file: string): boolean {
    if (file.includes("/node_modules/") || file.startsWith(`${this.#packageRoot}/dist/`)) return false;
    return (TRANSLATED.test(file) && !/\.d\.[mc]?ts$/.test(file)) || file.endsWith(".json");
  }

  #module(path: string): LocalModule {
    const ts = this.#ts;
    const modified = ts.sys.getModifiedTime?.(path)?.getTime() ?? 0;
    const known = this.#known.get(path);
    if (known?.modified === modified) return known.module;
    const text = ts.sys.readFile(path) ?? "";
    const module = path.endsWith(".json") ? { path, data: `module.exports = ${text}`, maps: [], awaits: false, links: {} } : this.#translated(path, text);
    this.#known.set(path, { modified, module });
    return module;
  }

  #translated(path: string, text: string): LocalModule {
    // By its ending, a module would stay what the ending says.
    const awaits = /\bawait\b/.test(text) && awaitsAtTopLevel(this.#ts, this.#ts.createSourceFile(path, text, this.#ts.ScriptTarget.Latest, true));
    const { outputText, sourceMapText = "" } = this.#ts.transpileModule(text, { fileName: path.replace(/\.[mc]ts$/, ".ts"), compilerOptions: this.#options });
    return { path, data: outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n"), maps: [sourceMapText], awaits, links: {} };
  }
}
