/**
 * tslab's converter, with the TypeScript that it uses adjusted. The converter hard-codes its compiler
 * options and drops source maps; it takes everything from one `ts` object, so it gets a `ts` object of
 * ours that inherits from the real one and differs in three functions:
 * - `createWatchCompilerHost`: `exports` maps of packages are seen, packages of this project are found
 *   from any notebook's folder, only Node's global types are loaded, positions are recorded, comments of
 *   declaration files are left out (docs.ts), changes of files wait for the next cell;
 * - `transpileModule` (ES module -> CommonJS): what goes in is kept, so that a cell's own text can be made
 *   again with its source map, and with `import()`, `import.meta` and `await` going through the running cell;
 * - `getPreEmitDiagnosticsOfFiles`: a cell can ask not to be type-checked.
 */
import { existsSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import type * as TS from "@tslab/typescript-for-tslab";
import type { Converter } from "tslab/dist/converter.js";
import { loadWithCodeCache } from "./code-cache.js";
import { docsAt, withoutDocs, type Docs } from "./docs.js";
import { cellTransformer, shorthandTransformer } from "./transform.js";

const require = createRequire(import.meta.url);
const ofTslab = createRequire(require.resolve("tslab/dist/converter"));
const { version } = ofTslab("@tslab/typescript-for-tslab/package.json") as { version: string };
const loaded = loadWithCodeCache(ofTslab.resolve("@tslab/typescript-for-tslab"), `typescript-${version}`);
export const ts = loaded.exports as typeof TS;

/** Makes the next start faster. Call where nobody waits: it takes about a tenth of a second. */
export const keepCode = (): Promise<void> => loaded.keep();

/** JavaScript that runs as a cell. */
export interface CellCode {
  /** CommonJS that uses `__cell__`. */
  code: string;
  /** The two steps from the cell's text to `code`, each as a source map (JSON), the later one first. */
  maps: string[];
  /** Modules that the output imports statically. */
  imports: string[];
}

export interface LocalModule {
  /** Absolute, as a `.js` file that need not exist. */
  path: string;
  data: string;
  /** Source maps from `data` back to the module, applied in this order. */
  maps: string[];
}

export interface Compiler {
  converter: Converter;
  /** The converter's output for a cell, made again so that it runs as one. */
  toCell(output: string): CellCode;
  /**
   * TypeScript modules that the last cell depends on, as CommonJS: those in the notebook's folder, which the
   * converter translated, and those outside. Call once for each cell, after {@link toCell}.
   */
  localModules(inside: { path: string; data: string }[]): LocalModule[];
  /** Looks modules up anew. */
  forgetResolutions(): void;
  /** The comment on the name at `position` of the cell that was compiled or inspected last. */
  docsAt(position: number): Docs | undefined;
  /** While true, only syntax is checked. */
  unchecked: boolean;
}

/**
 * @param packageRoot this package's folder, where modules are looked up that the notebook's project lacks
 * @param log receives what the compiler itself complains about
 */
export function createCompiler(packageRoot: string, log: (text: string) => void): Compiler {
  const cwd = process.cwd();
  const modules = new Map<string, { js: string; options: TS.TranspileOptions; map: string }>();
  let outside: string[] = [];
  let program: TS.Program | undefined;
  const compiler = { unchecked: false } as Compiler;

  const adjusted = Object.create(ts) as Record<string, unknown>;
  const override = (name: string, value: unknown) => Object.defineProperty(adjusted, name, { value });
  override("__esModule", true);

  override("createWatchCompilerHost", (files: string[], options: TS.CompilerOptions, ...rest: unknown[]) => {
    const adjustedOptions: TS.CompilerOptions = {
      ...options,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      types: ["node"],
      typeRoots: typeRoots(cwd, packageRoot),
      inlineSourceMap: true,
      jsx: ts.JsxEmit.React,
    };
    const [system] = rest as [TS.System];
    const { readFile } = system;
    system.readFile = (path, encoding) => {
      const text = readFile.call(system, path, encoding);
      if (text !== undefined && path === join(cwd, "__tslab__.ts")) return withPlainExports(text);
      return text !== undefined && path.endsWith(".d.ts") ? withoutDocs(text) : text;
    };
    const host = (ts.createWatchCompilerHost as (...args: unknown[]) => TS.WatchCompilerHostOfFilesAndCompilerOptions<TS.BuilderProgram>)(
      files,
      adjustedOptions,
      ...rest,
    );
    collectTimers(host);
    const cache = ts.createModuleResolutionCache(cwd, (name) => name, adjustedOptions);
    // What was not found may be there by now: `npm install` in another window.
    compiler.forgetResolutions = () => cache.clear();
    // Otherwise TypeScript resolves every import of every file anew for each cell. Files that changed are
    // looked at in any case, and a cell changes always.
    host.hasInvalidatedResolutions = () => false;
    host.resolveModuleNameLiterals = (literals, containing, redirect, resolved) =>
      literals.map(({ text }) => {
        // danfojs names two types of Plotly's, for charts that do not work in Node. Reading them takes as long as all else.
        if (text === "plotly.js-dist-min" && containing.includes("danfojs-node")) return { resolvedModule: undefined };
        const from = (file: string) => ts.resolveModuleName(text, file, resolved, host, cache, redirect);
        const found = from(containing);
        if (found.resolvedModule || /^[./]/.test(text) || containing.includes("node_modules")) return found;
        const own = text === "sdtp-notebook" ? join(packageRoot, "dist/lib/index.js") : text;
        const fallback = from(join(packageRoot, "dist", "index.ts"));
        return own === text ? fallback : ts.resolveModuleName(own, containing, resolved, host, cache, redirect);
      });
    let created: ((program: TS.BuilderProgram) => void) | undefined;
    Object.defineProperty(host, "afterProgramCreate", {
      get: () => created,
      set: (callback: (program: TS.BuilderProgram) => void) => {
        created = (builder) => {
          program = builder.getProgram();
          callback(withoutOutside(builder));
        };
      },
    });
    return host;
  });

  // The converter can emit modules only inside its folder: those outside are taken out here and
  // translated one by one in `localModules`.
  const withoutOutside = (program: TS.BuilderProgram): TS.BuilderProgram => ({
    ...program,
    getAllDependencies: (file) => {
      const all = program.getAllDependencies(file);
      const isOutside = (path: string) => relative(cwd, path).startsWith("..");
      outside = all.filter((path) => isOutside(path) && path.endsWith(".ts") && !path.endsWith(".d.ts"));
      return all.filter((path) => !isOutside(path));
    },
    // Where a type has no name that a declaration could use (`await import("fs")`), TypeScript writes no
    // declarations at all unless forced; forced, only that type is lost.
    emit: (file, write, cancellation, onlyDeclarations, converters) => {
      const shorthand = shorthandTransformer(ts, program.getProgram().getTypeChecker(), join(cwd, "__prev__.d.ts"));
      const transformers = { ...converters, before: [shorthand, ...(converters?.before ?? [])] };
      let declared = false;
      const result = program.emit(
        file,
        (path, ...rest) => {
          declared ||= path.endsWith(".d.ts");
          write?.(path, ...rest);
        },
        cancellation,
        onlyDeclarations,
        transformers,
      );
      if (!declared && file && write) {
        const forced = program.getProgram().emit as (...args: unknown[]) => TS.EmitResult;
        forced(file, write, cancellation, true, transformers, true);
      }
      return result;
    },
  });

  override("transpileModule", (js: string, options: TS.TranspileOptions) => {
    const compilerOptions = { ...options.compilerOptions, sourceMap: true };
    const { outputText, sourceMapText = "" } = ts.transpileModule(splitInlineMap(js).code, { ...options, compilerOptions });
    const text = withoutMapUrl(outputText);
    modules.set(text, { js, options, map: sourceMapText });
    return { outputText: text };
  });

  // The converter writes `exports.` before every name that an earlier cell declared: here also before the name of
  // a property that is taken out of a value, where only a name may stand (`const { size: n } = model`).
  override("visitEachChild", (node: TS.Node, visit: TS.Visitor, context: TS.TransformationContext) =>
    ts.visitEachChild(node, (child) => (ts.isBindingElement(node) && child === node.propertyName && ts.isIdentifier(child) ? child : visit(child)), context));

  override("getPreEmitDiagnosticsOfFiles", (program: TS.Program, files: TS.SourceFile[]) => {
    const check = (ts as unknown as Record<string, (p: TS.Program, f: TS.SourceFile[]) => TS.Diagnostic[]>).getPreEmitDiagnosticsOfFiles;
    const all = check?.(program, files) ?? [];
    const isDeclaration = ({ code }: TS.Diagnostic) => (code >= 4000 && code < 4200) || code === 2742;
    const relevant = all.filter((each) => !isDeclaration(each));
    // 1308 is how the converter learns that a cell awaits at its top level.
    return compiler.unchecked
      ? relevant.filter((each) => each.code < 2000 && (each.code === 1308 || isSyntax(program, each)))
      : relevant;
  });

  const { createConverter } = loadWith(adjusted);
  const warn = console.warn;
  console.warn = (text: unknown) => log(String(text));
  try {
    compiler.converter = createConverter({ isJS: false, isBrowser: false });
  } finally {
    console.warn = warn;
  }
  compiler.toCell = (output) => {
    const { js, options } = modules.get(output) ?? { js: "", options: {} };
    const imports: string[] = [];
    const { code, map } = splitInlineMap(js);
    const out = ts.transpileModule(code, {
      ...options,
      compilerOptions: { ...options.compilerOptions, sourceMap: true },
      transformers: { before: [cellTransformer(ts, imports)] },
    });
    return { code: withoutMapUrl(out.outputText), maps: [out.sourceMapText ?? "", map].filter(Boolean), imports };
  };
  compiler.docsAt = (position) => {
    const file = program?.getSourceFile(join(cwd, "__tslab__.ts"));
    // The converter puts a line in front of a cell.
    return program && file && docsAt(ts, program, file, position + file.text.indexOf("\n") + 1, ts.sys.readFile);
  };
  compiler.localModules = (inside) => {
    const translated = inside.map(({ path, data }) => {
      const { js = "", map = "" } = modules.get(data) ?? {};
      return { path, data, maps: [map, splitInlineMap(js).map].filter(Boolean) };
    });
    modules.clear();
    const taken = outside.map((path) => {
      const { outputText, sourceMapText = "" } = ts.transpileModule(ts.sys.readFile(path) ?? "", {
        fileName: path,
        compilerOptions: { module: ts.ModuleKind.CommonJS, esModuleInterop: true, target: ts.ScriptTarget.ES2022, sourceMap: true },
      });
      return { path: path.replace(/\.ts$/, ".js"), data: withoutMapUrl(outputText), maps: [sourceMapText] };
    });
    return [...translated, ...taken];
  };
  return compiler;
}

/**
 * The converter exports all names in a last line. It writes those that begin with `__` as TypeScript holds them,
 * with one `_` more, and `declare global` as a name.
 */
function withPlainExports(text: string): string {
  return text.replace(/\nexport \{([^{}\n]*)\}$/, (_, names: string) => {
    const plain = names.split(", ").filter((name) => name !== "__global");
    return `\nexport {${plain.map((name) => name.replace(/^___/, "__")).join(", ")}}`;
  });
}

/**
 * The converter has room for one timer, which it fires when a cell comes, and throws for a second one.
 * TypeScript sets one for changed files and one for new files where it looked for modules in vain. All
 * are kept here and fire as one.
 */
function collectTimers(host: TS.WatchHost): void {
  const { setTimeout: schedule } = host;
  const pending = new Set<{ callback: () => void }>();
  let scheduled = false;
  const fire = () => {
    // A callback may set another one.
    for (const timer of pending) {
      pending.delete(timer);
      timer.callback();
    }
    scheduled = false;
  };
  host.setTimeout = (callback: () => void) => {
    const timer = { callback };
    pending.add(timer);
    if (!scheduled) {
      scheduled = true;
      schedule?.call(host, fire, 0);
    }
    return timer;
  };
  host.clearTimeout = (timer) => void pending.delete(timer as { callback: () => void });
}

function isSyntax(program: TS.Program, diagnostic: TS.Diagnostic): boolean {
  return program.getSyntacticDiagnostics(diagnostic.file as TS.SourceFile).includes(diagnostic as TS.DiagnosticWithLocation);
}

/** Loads the converter so that its `require` of TypeScript yields `typescript`. */
function loadWith(typescript: unknown): typeof import("tslab/dist/converter.js") {
  const loader = Module as unknown as { _load: (request: string, ...rest: unknown[]) => unknown };
  const load = loader._load;
  loader._load = function (request, ...rest) {
    return request === "@tslab/typescript-for-tslab" ? typescript : load.call(this, request, ...rest);
  };
  try {
    return require("tslab/dist/converter") as typeof import("tslab/dist/converter.js");
  } finally {
    loader._load = load;
  }
}

function typeRoots(cwd: string, packageRoot: string): string[] {
  const tslabs = join(dirname(require.resolve("tslab/package.json")), "node_modules", "@types");
  const roots = [cwd, packageRoot].flatMap((folder) => ts.getDefaultTypeRoots(folder, { directoryExists: existsSync }) ?? []);
  const all = [...roots, tslabs];
  return [...new Set(all)].filter((root) => existsSync(join(root, "node", "package.json"))).slice(0, 1);
}

function withoutMapUrl(js: string): string {
  return js.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
}

function splitInlineMap(js: string): { code: string; map: string } {
  const match = /\n?\/\/# sourceMappingURL=data:application\/json;base64,([A-Za-z0-9+/=]+)\s*$/.exec(js);
  if (!match) return { code: js, map: "" };
  return { code: `${js.slice(0, match.index)}\n`, map: Buffer.from(match[1] ?? "", "base64").toString("utf8") };
}
