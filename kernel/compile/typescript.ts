/**
 * TypeScript, and tslab's converter on top of it. The converter was written for a compiler of its own with options of its
 * own; it takes everything from one `ts` object, so it gets a `ts` object of ours, which inherits from the real one and
 * differs where the converter makes programs, emits and checks: there it meets the notebook's project (project.ts).
 */
import Module, { createRequire } from "node:module";
import type * as TS from "@tslab/typescript-for-tslab";
import { loadWithCodeCache } from "./code-cache.js";
import type { Project } from "./project.js";
import { exportsTransformer, referenceTransformer, type Uses } from "./references.js";
import { cellTransformer } from "./transform.js";

/** Not `require`: made CommonJS for the snapshot, this module has one of that name. */
const load = createRequire(import.meta.url);
const ofTslab = createRequire(load.resolve("tslab/dist/converter"));
// By its own name for it, tslab may have an older one: in a project that depends on this package, where `overrides` do not hold.
const { version } = load("@tslab/typescript-for-tslab/package.json") as { version: string };
const loaded = loadWithCodeCache(load.resolve("@tslab/typescript-for-tslab"), `typescript-${version}`);
export const ts = loaded.exports as typeof TS;

/** Makes the next start faster. Call where nobody waits: it takes about a tenth of a second. */
export const keepCode = (): Promise<void> => loaded.keep();

/** What the converter made of the cell at hand. */
export interface Emitted {
  /** An ES module, without the exports; where it imports nothing, a cell's code already. */
  js: string;
  /** Whether it imports anything. */
  imports: boolean;
  /** From `js` back to the cell's file (JSON). */
  map: string;
  declarations: string;
  /** Top-level names that have a value. */
  names: string[];
  /** Those of them that can be read before their declaration is reached: of `var`, enums and namespaces. */
  hoisted: string[];
  uses: Uses;
}

export interface CellConverter {
  /** Converts a cell: its errors, or what it became. */
  convert(text: string, options: { unchecked: boolean; expression: boolean }): { diagnostics: TS.Diagnostic[] } | Emitted;
}

/** The converter's files; its cell has one line in front. */
const PREFIX = "export {};";

interface Builder {
  getProgram(): TS.Program;
  getSourceFile(path: string): TS.SourceFile | undefined;
  getAllDependencies(): string[];
  emit(file: TS.SourceFile, write: (path: string, text: string) => void): void;
}

interface Watched {
  readFile(path: string): string | undefined;
  watchFile(path: string, changed: () => void): unknown;
  setTimeout(callback: () => void): unknown;
}

export function createCellConverter(project: Project): CellConverter {
  /** The converter's name for the cell's file, and for that of earlier declarations. */
  const [cell, prev] = ["__tslab__.ts", "__prev__.d.ts"].map((name) => `${ts.sys.getCurrentDirectory()}/${name}`) as [string, string];
  let mode = { unchecked: false, expression: false };
  let found: TS.Diagnostic[] = [];
  let emitted: Emitted | undefined;

  const emit = (): Emitted => {
    const names: string[] = [];
    const uses: Uses = new Map();
    const { program } = project;
    let [js, declarations] = ["", ""];
    const before = [referenceTransformer(ts, program.getTypeChecker(), project.earlier, uses, mode.unchecked)];
    // What imports nothing needs no step to CommonJS: it becomes a cell's code at once.
    const imports = importsAnything(project.cellFile, project.options);
    const after = [exportsTransformer(ts, names), ...(imports ? [] : [cellTransformer(ts, [])])];
    const write = (path: string, text: string) => (path.endsWith(".d.ts") ? (declarations = text) : (js = text));
    // Where a type has no name that a declaration could use, TypeScript writes no declarations at all unless forced;
    // forced, only that type is lost.
    const force = program.emit as (...args: unknown[]) => TS.EmitResult;
    force(project.cellFile, write, undefined, false, { before, after }, true);
    const { code, map } = splitInlineMap(js);
    const hoisted = names.filter((name) => ((localOf(project.cellFile, name)?.flags ?? 0) & HOISTED) !== 0);
    return { js: code, imports, map, declarations: withHoisted(program.getTypeChecker(), project.cellFile, declarations, hoisted), names, hoisted, uses };
  };

  const adjusted = Object.create(ts) as Record<string, unknown>;
  const override = (name: string, value: unknown) => Object.defineProperty(adjusted, name, { value });
  override("__esModule", true);
  override("getDefaultTypeRoots", () => []);
  override("getNullTransformationContext", () => (ts as unknown as { nullTransformationContext: unknown }).nullTransformationContext);
  override("createWatchCompilerHost", (_files: string[], _options: object, system: Watched) => ({ system }));
  override("createWatchProgram", (host: { system: Watched; afterProgramCreate(builder: Builder): void }) => {
    const { system } = host;
    // The converter puts its file of earlier declarations around the cell, and writes on what it does not replace. There
    // is nothing in it: earlier cells are around it in turn (project.ts).
    const around = Object.assign(ts.createSourceFile("__prev__.d.ts", "", ts.ScriptTarget.ESNext), { locals: new Map(), externalModuleIndicator: true });
    /** The cell whose names the converter has asked for, to export them in a last line. */
    let bare: { text: string; file: TS.SourceFile } | undefined;
    let scheduled = false;
    const rebuild = () => {
      scheduled = false;
      const text = withPlainExports(system.readFile(cell) ?? "");
      if (bare && text.startsWith(`${bare.text}\nexport {`)) bare = undefined;
      else bare = bound(project, text);
      // To tell the names, no program is needed.
      if (!bare) project.setCell(mode.expression ? text.replace(PREFIX, `${PREFIX}(`) + "\n)" : text);
      const own = bare?.file;
      host.afterProgramCreate({
        getProgram: () => project.program,
        getSourceFile: (path) => {
          if (path === cell) return own ?? project.cellFile;
          if (!own) (around as { parent?: TS.Node }).parent = project.preludeFile;
          return around;
        },
        // The notebook's own modules are translated elsewhere (modules.ts).
        getAllDependencies: () => [cell],
        emit: (_file, write) => {
          emitted = emit();
          write("outDir/__tslab__.js", emitted.js);
          write("outDir/__tslab__.d.ts", emitted.declarations);
        },
      });
    };
    const changed = () => {
      if (scheduled) return;
      scheduled = true;
      system.setTimeout(rebuild);
    };
    system.watchFile(cell, changed);
    system.watchFile(prev, changed);
    rebuild();
    return { close: () => undefined, updateRootFileNames: () => undefined };
  });
  override("getPreEmitDiagnosticsOfFiles", () => {
    found = diagnose(project, mode.unchecked);
    // How they are told is for cells.ts to say. The converter only has to see that there are some.
    return found.length > 0 ? [{ file: project.cellFile, start: PREFIX.length, length: 0, messageText: "", code: 1, category: ts.DiagnosticCategory.Error }] : [];
  });
  // A cell is made CommonJS in one step with what else happens to it (cells.ts).
  override("transpileModule", (js: string) => ({ outputText: js }));

  const converter = loadWith(adjusted).createConverter({ isJS: false, isBrowser: false });
  return {
    convert(text, options) {
      mode = options;
      found = [];
      emitted = undefined;
      converter.convert("", text);
      return emitted ?? { diagnostics: found };
    },
  };
}

/** The cell as it stands alone, if it declares any names. */
function bound(project: Project, text: string): { text: string; file: TS.SourceFile } | undefined {
  const file = ts.createSourceFile(project.cell, text, { languageVersion: ts.ScriptTarget.ESNext, jsDocParsingMode: ts.JSDocParsingMode.ParseNone }, true);
  (ts as unknown as { bindSourceFile(file: TS.SourceFile, options: TS.CompilerOptions): void }).bindSourceFile(file, project.options);
  const { locals } = file as unknown as { locals?: Map<string, unknown> };
  return locals && locals.size > 0 ? { text, file } : undefined;
}

/** Errors of the cell and of the notebook's own modules that it imports: of syntax, else of types. */
function diagnose(project: Project, unchecked: boolean): TS.Diagnostic[] {
  const { program, cellFile } = project;
  const syntax = program.getSyntacticDiagnostics(cellFile);
  if (syntax.length > 0) return [...syntax];
  // Emitting needs what checking finds out, also where nobody wants to hear of errors.
  const semantic = program.getSemanticDiagnostics(cellFile).filter(({ code }) => !TOLERATED.has(code));
  if (unchecked) return [];
  return [...semantic, ...project.localFiles().flatMap((file) => [...program.getSyntacticDiagnostics(file), ...(/\.[mc]?tsx?$/.test(file.fileName) ? program.getSemanticDiagnostics(file) : [])])];
}

const HOISTED = ts.SymbolFlags.FunctionScopedVariable | ts.SymbolFlags.Enum | ts.SymbolFlags.ValueModule;

function localOf(file: TS.SourceFile, name: string): TS.Symbol | undefined {
  return (file as unknown as { locals?: Map<string, TS.Symbol> }).locals?.get(ts.escapeLeadingUnderscores(name) as string);
}

function importsAnything(file: TS.SourceFile, { jsx }: TS.CompilerOptions): boolean {
  if (file.languageVariant === ts.LanguageVariant.JSX && jsx !== ts.JsxEmit.React) return true;
  return file.statements.some((each) => ts.isImportDeclaration(each) || ts.isImportEqualsDeclaration(each) || ts.isExportAssignment(each) || (ts.isExportDeclaration(each) && each.moduleSpecifier !== undefined) || (ts.canHaveModifiers(each) && (ts.getModifiers(each) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)));
}

/** 1202: `import x = require("y")`, which becomes a `require` here. */
const TOLERATED = new Set([1202]);

/** Declarations of names that are declared inside a statement, `if (x) { var y = 1 }`, `for (var [z] of [[1]]) …`: TypeScript exports them and declares nothing. */
function withHoisted(checker: TS.TypeChecker, file: TS.SourceFile, declarations: string, names: string[]): string {
  const hoisted = names.flatMap((name) => {
    const symbol = localOf(file, name);
    let declaration: TS.Node | undefined = symbol?.valueDeclaration;
    while (declaration && (ts.isBindingElement(declaration) || ts.isObjectBindingPattern(declaration) || ts.isArrayBindingPattern(declaration))) declaration = declaration.parent;
    if (!symbol || !declaration || !ts.isVariableDeclaration(declaration)) return [];
    const statement = declaration.parent.parent;
    if (ts.isVariableStatement(statement) && statement.parent === file) return [];
    const type = checker.typeToString(checker.getTypeOfSymbol(symbol), file, ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope);
    return [`declare var ${name}: ${type};\n`];
  });
  return hoisted.join("") + declarations;
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

/** Loads the converter so that its `require` of TypeScript yields `typescript`. */
function loadWith(typescript: unknown): typeof import("tslab/dist/converter.js") {
  const path = ofTslab.resolve("@tslab/typescript-for-tslab");
  const module = new Module(path);
  Object.assign(module, { exports: typescript, loaded: true, filename: path });
  const { cache } = load;
  const earlier = cache[path];
  cache[path] = module;
  // One that was loaded before has the `ts` of another notebook.
  delete cache[load.resolve("tslab/dist/converter")];
  try {
    return load("tslab/dist/converter") as typeof import("tslab/dist/converter.js");
  } finally {
    if (earlier) cache[path] = earlier;
    else delete cache[path];
  }
}

function splitInlineMap(js: string): { code: string; map: string } {
  const match = /\n?\/\/# sourceMappingURL=data:application\/json;base64,([A-Za-z0-9+/=]+)\s*$/.exec(js);
  if (!match) return { code: js, map: "" };
  return { code: `${js.slice(0, match.index)}\n`, map: Buffer.from(match[1] ?? "", "base64").toString("utf8") };
}
