/**
 * A plugin of TypeScript's server, by which it sees a notebook's cells as the kernel does: each a module that has the names of the
 * cells above it and what is preloaded. VS Code loads it from the extension, for every project; only cells are touched.
 */
import { existsSync } from "node:fs";
import { dirname, join, resolve as absolute } from "node:path";
import type ts from "@tslab/typescript-for-tslab";
import { appended, cellOf, FUNCTIONS, LIBRARY, NODE } from "./appended.js";
import { cellsAbove, folderOf, isCell, notebookOf } from "./cells.js";
import { type Declared, declaredIn } from "./declared.js";
import { within } from "./within.js";

/** What the extension tells: by notebook, the cells in their order; null for one of another kernel. */
interface Configuration {
  readonly notebooks?: Readonly<Record<string, readonly string[] | null>>;
}

/** A cell's own text: `%%javascript` is the kernel's, to TypeScript a comment. */
interface Cell {
  readonly version: string;
  readonly text: string;
  readonly declared: Declared;
  /** Types are not looked at: JavaScript, or one object, `{ loss: 0.5 }`, which the kernel shows. */
  readonly untyped: boolean;
  readonly isObject: boolean;
}

/** "Cannot assign to 'x' because it is an import." */
const ASSIGNS_IMPORT = 2632;

/** What answers with places in files. */
const ANSWERS = new Set([
  ...["getCompletionsAtPosition", "getCompletionEntryDetails", "getQuickInfoAtPosition", "getRenameInfo", "getSignatureHelpItems", "getSmartSelectionRange", "getLinkedEditingRangeAtPosition"],
  ...["getDefinitionAtPosition", "getDefinitionAndBoundSpan", "getTypeDefinitionAtPosition", "getImplementationAtPosition", "getReferencesAtPosition", "findReferences", "getFileReferences", "getDocumentHighlights"],
  ...["getNavigateToItems", "getNavigationBarItems", "getNavigationTree", "getOutliningSpans", "getTodoComments", "provideInlayHints", "prepareCallHierarchy", "provideCallHierarchyIncomingCalls", "provideCallHierarchyOutgoingCalls"],
  ...["getFormattingEditsForRange", "getFormattingEditsForDocument", "getFormattingEditsAfterKeystroke", "getCodeFixesAtPosition", "getCombinedCodeFix", "getEditsForRefactor"],
]);

/** Options of a tsconfig.json that say how strict cells are. */
const OPTIONS_OF_TSCONFIG = ["strict", "noImplicitAny", "strictNullChecks", "strictFunctionTypes", "strictBindCallApply", "strictPropertyInitialization", "noImplicitThis", "useUnknownInCatchVariables", "noUncheckedIndexedAccess", "exactOptionalPropertyTypes", "experimentalDecorators", "emitDecoratorMetadata"] as const;

/** @param packageRoot of the package that the extension was made by; a notebook's own one goes first */
export function plugin({ typescript }: { readonly typescript: typeof ts }, packageRoot: string): ts.server.PluginModule {
  let configuration: Configuration = {};
  const projects = new Set<ts.server.Project>();

  function create(info: ts.server.PluginCreateInfo): ts.LanguageService {
    const host = info.languageServiceHost;
    const root = info.project.getCurrentDirectory();
    const before = {
      snapshot: host.getScriptSnapshot.bind(host), version: host.getScriptVersion.bind(host), files: host.getScriptFileNames.bind(host),
      settings: host.getCompilationSettings.bind(host), library: host.getDefaultLibFileName.bind(host), resolve: host.resolveModuleNameLiterals?.bind(host),
    };
    projects.add(info.project);
    const ours = (file: string) => isCell(file) && configuration.notebooks?.[notebookOf(file)] !== null;
    const cells = new Map<string, Cell>();

    function cell(file: string): Cell | undefined {
      const version = before.version(file);
      const known = cells.get(file);
      if (known?.version === version) return known;
      const snapshot = before.snapshot(file);
      if (!snapshot) return undefined;
      const own = snapshot.getText(0, snapshot.getLength());
      const isJavaScript = /^\s*%%javascript\s*$/m.test(own.split("\n", 1)[0]!);
      const text = isJavaScript ? own.replace("%%", "//") : own;
      const isObject = /^\s*\{/.test(text) && broken(text) && !broken(`(${text}\n)`);
      const made: Cell = { version, text, declared: declaredIn(typescript, isObject ? "" : text), untyped: isJavaScript || isObject, isObject };
      cells.set(file, made);
      return made;
    }

    const broken = (text: string) => ((typescript.createSourceFile("cell.ts", text, typescript.ScriptTarget.Latest) as unknown as { parseDiagnostics: unknown[] }).parseDiagnostics.length > 0);
    const above = (file: string) =>
      cellsAbove(file, before.files().filter(ours), configuration.notebooks?.[notebookOf(file)] ?? undefined).flatMap((each) => {
        const declared = cell(each)?.declared;
        return declared ? [{ file: each, declared }] : [];
      });
    const behind = (file: string, own: Cell) => appended(own.declared, above(file));
    const end = (file: string) => (ours(file) ? cell(file)?.text.length : undefined);

    host.getScriptSnapshot = (file) => {
      const own = ours(file) ? cell(file) : undefined;
      return own ? typescript.ScriptSnapshot.fromString(own.text + behind(file, own)) : before.snapshot(file);
    };
    host.getScriptVersion = (file) => {
      const own = ours(file) ? cell(file) : undefined;
      return own ? `${own.version} ${behind(file, own)}` : before.version(file);
    };
    host.getCompilationSettings = () => {
      const asked = before.settings();
      return before.files().some(ours) ? { ...asked, ...options(root) } : asked;
    };
    // The server's own way looks at the options of before.
    host.getDefaultLibFileName = (options) => join(dirname(before.library(options)), typescript.getDefaultLibFileName(options));
    host.resolveModuleNameLiterals = (literals, file, redirected, options, source, reused) => {
      // `file` is made absolute, which names of cells are not.
      if (!ours(source.fileName)) return before.resolve!(literals, file, redirected, options, source, reused);
      return literals.map(({ text }) => ({ resolvedModule: resolve(text, source.fileName, options) }));
    };

    function resolve(name: string, file: string, options: ts.CompilerOptions): ts.ResolvedModuleFull | undefined {
      const other = cellOf(name);
      if (other !== undefined) return { resolvedFileName: other, extension: typescript.Extension.Ts, isExternalLibraryImport: false };
      const folder = folderOf(file);
      const known = (path: string | undefined): ts.ResolvedModuleFull | undefined => (path === undefined ? undefined : { resolvedFileName: path, extension: typescript.Extension.Dts, isExternalLibraryImport: true });
      if (name === LIBRARY) return known(nearest(packageAt(folder), "dist/lib/index.d.ts"));
      if (name === FUNCTIONS) return known(nearest(packageAt(folder), "dist/kernel/child/api.d.ts"));
      const from = (folder: string, name: string) => typescript.resolveModuleName(name, `${folder}/cell.ts`, { ...options, moduleResolution: typescript.ModuleResolutionKind.Bundler }, host as ts.ModuleResolutionHost).resolvedModule;
      if (name === NODE) return known(nearest(folder, "node_modules/@types/node/index.d.ts") ?? nearest(packageAt(folder), "node_modules/@types/node/index.d.ts"));
      // A cell has the packages of this one too, as in the kernel.
      return from(folder, name) ?? (/^[./]/.test(name) ? undefined : from(packageAt(folder), name));
    }

    return proxied(info.languageService, { ours, cell, end, above });
  }

  /** As kernel/compile/options.ts has them; a tsconfig.json says how strict. */
  function options(root: string): ts.CompilerOptions {
    const file = join(root, "tsconfig.json");
    const { config } = existsSync(file) ? typescript.readConfigFile(file, typescript.sys.readFile) : { config: undefined };
    const parsed = config ? typescript.parseJsonConfigFileContent(config, { ...typescript.sys, readDirectory: () => [] }, root).options : {};
    const asked = Object.fromEntries(OPTIONS_OF_TSCONFIG.flatMap((name) => (parsed[name] === undefined ? [] : [[name, parsed[name]]])));
    return {
      target: typescript.ScriptTarget.ESNext, module: typescript.ModuleKind.ESNext, moduleResolution: typescript.ModuleResolutionKind.Bundler,
      strict: false, strictNullChecks: undefined, strictFunctionTypes: undefined, noImplicitAny: undefined, ...asked,
      esModuleInterop: true, allowImportingTsExtensions: true, noEmit: true, resolveJsonModule: true, allowJs: true, skipLibCheck: true, allowUnusedLabels: true, jsx: typescript.JsxEmit.React,
    };
  }

  return {
    create,
    onConfigurationChanged(told: Configuration) {
      configuration = told ?? {};
      for (const project of projects) {
        if (project.isClosed()) projects.delete(project);
        else {
          (project as unknown as { markAsDirty(): void }).markAsDirty();
          project.refreshDiagnostics();
        }
      }
    },
  };

  interface Cells {
    ours(file: string): boolean;
    cell(file: string): Cell | undefined;
    end(file: string): number | undefined;
    above(file: string): { file: string; declared: Declared }[];
  }

  function proxied(service: ts.LanguageService, { ours, cell, end, above }: Cells): ts.LanguageService {
    type Answer = (file: string, ...rest: unknown[]) => unknown;
    /** Whether a variable of a cell above is assigned, which the kernel does. */
    const assigns = (file: string, { code, start, length }: ts.Diagnostic) => {
      if (code !== ASSIGNS_IMPORT || start === undefined || length === undefined) return false;
      const name = cell(file)?.text.slice(start, start + length) ?? "";
      return above(file).findLast(({ declared }) => declared.names.has(name))?.declared.names.get(name) === "variable";
    };
    const kept = <D extends ts.Diagnostic>(file: string, found: D[], semantic: boolean): D[] => {
      const own = ours(file) ? cell(file) : undefined;
      if (!own) return found;
      if (own.isObject || (semantic && own.untyped)) return [];
      return found.filter((each) => (each.start ?? 0) <= own.text.length && !(each.start === own.text.length && each.length === 0 && semantic) && !assigns(file, each)).map((each) => ({
        ...each,
        ...(each.start !== undefined && each.length !== undefined && { length: Math.max(0, Math.min(each.length, own.text.length - each.start)) }),
        ...(each.relatedInformation && { relatedInformation: each.relatedInformation.filter(({ file: other, start = 0 }) => start <= (end(other?.fileName ?? "") ?? Infinity)) }),
      }));
    };
    const proxy = Object.create(null) as Record<string, unknown>;
    for (const [name, method] of Object.entries(service)) {
      if (typeof method !== "function") proxy[name] = method;
      else if (ANSWERS.has(name)) proxy[name] = (...args: unknown[]) => within((method as Answer).apply(service, args as [string]), String(args[0]), end);
      // Programs and the like, which the server itself asks for.
      else proxy[name] = method.bind(service);
    }
    return Object.assign(proxy as unknown as ts.LanguageService, {
      getSyntacticDiagnostics: (file: string) => kept(file, service.getSyntacticDiagnostics(file), false),
      getSemanticDiagnostics: (file: string) => kept(file, service.getSemanticDiagnostics(file), true),
      getSuggestionDiagnostics: (file: string) => kept(file, service.getSuggestionDiagnostics(file), true),
      // Only of a part of a file; the whole comes right after it.
      getRegionSemanticDiagnostics: (file: string, ...rest: unknown[]) => (ours(file) ? undefined : (service as unknown as Record<string, Answer>).getRegionSemanticDiagnostics?.(file, ...rest)),
      organizeImports: (scope: ts.OrganizeImportsArgs, ...rest: [ts.FormatCodeSettings, ts.UserPreferences | undefined]) => (ours(scope.fileName) ? [] : service.organizeImports(scope, ...rest)),
      findRenameLocations: (file: string, position: number, inStrings: boolean, inComments: boolean, preferences?: ts.UserPreferences | boolean) => {
        // A name is one in all cells: none is kept as another's alias.
        if (ours(file)) preferences = { ...(typeof preferences === "object" ? preferences : {}), providePrefixAndSuffixTextForRename: false };
        return within(service.findRenameLocations(file, position, inStrings, inComments, preferences as ts.UserPreferences), file, end) as ts.RenameLocation[] | undefined;
      },
    } satisfies Partial<Record<keyof ts.LanguageService | "getRegionSemanticDiagnostics", unknown>>);
  }

  /** The package whose kernel runs the notebook: the project's own, else the one that the extension was made by. */
  function packageAt(folder: string): string {
    const own = nearest(folder, "node_modules/sdtp-notebook/dist/lib/index.d.ts");
    return own ? absolute(own, "../../..") : packageRoot;
  }
}

/** A file at or above a folder. */
function nearest(folder: string, name: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, name);
    if (existsSync(file)) return file.replaceAll("\\", "/");
    if (dirname(at) === at) return undefined;
  }
}
