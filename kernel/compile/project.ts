import type * as TS from "@tslab/typescript-for-tslab";
import { withoutDocs } from "./docs.js";
import { EarlierCells } from "./earlier.js";
import { LibFiles } from "./lib-files.js";
import { LocalModules, type LocalModule } from "./modules.js";
import { autoImportProgram } from "./packages.js";
import { NodeTypes } from "./node-types.js";
import { documents, type Documents } from "./registry.js";
import { nodeExtras } from "./node-extras.js";
import { createResolver } from "./resolve.js";

/**
 * The notebook as a TypeScript project: the cell at hand, what earlier cells declare, and the files that they import.
 * One language service serves compiling, completion and hover. Earlier cells' files are not part of its program, which
 * would make every step slower with each cell; the program is told of them when it asks (see earlier.ts).
 */
export class Project {
  /** Path of the cell's file: of one with JSX, where the cell has some. */
  cell: string;
  readonly earlier: EarlierCells;
  readonly #ts: typeof TS;
  readonly #service: TS.LanguageService;
  readonly #resolver: ReturnType<typeof createResolver>;
  readonly #scope: TS.SourceFile;
  readonly #folder: string;
  readonly #prelude: string;
  readonly #extras: string;
  readonly #modules: LocalModules;
  readonly #texts: Documents["texts"] = new Map();
  /** Versions of files that do not change while a notebook runs. */
  readonly #fixed = new Map<string, string>();
  #text = { cell: "export {};\n", prelude: "export {};\n" };
  #versions = { cell: 0, prelude: 0 };
  #readied: TS.Program | undefined;
  /** The program for what was set last: the service looks through all files whenever it is asked for one. */
  #current: TS.Program | undefined;
  #autoImports = false;
  readonly #nodeTypes: NodeTypes;
  readonly #lib: LibFiles;
  #incomplete = false;
  #local: { text: string; found: ReturnType<LocalModules["of"]> } | undefined;

  /**
   * @param folder the notebook's
   * @param packageRoot this package's
   * @param options the compiler's
   */
  constructor(ts: typeof TS, folder: string, packageRoot: string, readonly options: TS.CompilerOptions) {
    this.#ts = ts;
    this.cell = `${folder}/__tslab__.ts`;
    this.#prelude = `${folder}/__prev__.d.ts`;
    // A library that a tsconfig.json asks for has the browser's names itself.
    this.#extras = options.lib?.some((name) => name.includes("dom")) ? "" : `declare global {\n${nodeExtras()}\n}\n`;
    this.earlier = new EarlierCells(ts, folder, options);
    this.#scope = this.earlier.scope();
    const { sys } = ts;
    const types = (this.#nodeTypes = new NodeTypes(ts, folder, packageRoot));
    const lib = (this.#lib = new LibFiles(ts, options));
    const isOwn = (path: string) => path === this.cell || path === this.#prelude;
    this.#folder = folder;
    const files = {
      fileExists: (path: string) => isOwn(path) || sys.fileExists(path),
      readFile: (path: string, encoding?: string) => this.#read(path) ?? sys.readFile(path, encoding),
      directoryExists: sys.directoryExists,
      getDirectories: sys.getDirectories,
      readDirectory: sys.readDirectory,
      realpath: sys.realpath,
      useCaseSensitiveFileNames: () => true,
    };
    this.#resolver = createResolver(ts, folder, packageRoot, options, { ...files, useCaseSensitiveFileNames: true });
    this.#modules = new LocalModules(ts, this.#resolver, options, packageRoot);
    // Packages and the library do not change while a notebook runs; the notebook's own modules do.
    const isFixed = (path: string) => path.includes("/node_modules/") || path.startsWith(`${packageRoot}/dist/`);
    const { registry, texts } = documents(ts, folder, isFixed);
    const changed = (path: string) => String(sys.getModifiedTime?.(path)?.getTime() ?? 0);
    let extra: TS.Program | undefined;
    const packages = ts.createModuleResolutionCache(folder, (name) => name, options);
    const host: TS.LanguageServiceHost & { getModuleResolutionCache(): TS.ModuleResolutionCache; getPackageJsonAutoImportProvider?: () => TS.Program | undefined } = {
      ...files,
      getCompilationSettings: () => options,
      getScriptFileNames: () => [this.#prelude, this.cell],
      getScriptVersion: (path) => {
        if (path === this.cell) return String(this.#versions.cell);
        if (path === this.#prelude) return String(this.#versions.prelude);
        if (!isFixed(path)) return changed(path);
        let version = this.#fixed.get(path);
        if (version === undefined) this.#fixed.set(path, (version = changed(path)));
        // Other projects may have another text under its name.
        return path === types.path ? `${version} ${types.version}` : `${version}${lib.find(path)?.version ?? ""}`;
      },
      getScriptSnapshot: (path) => {
        const own = this.#read(path);
        if (own !== undefined) return ts.ScriptSnapshot.fromString(own);
        // The service asks for every file for every cell.
        const version = host.getScriptVersion(path);
        const known = isFixed(path) ? texts.get(path) : this.#texts.get(path);
        if (known?.version === version) return known.snapshot;
        const text = lib.find(path)?.text ?? sys.readFile(path);
        if (text === undefined) return undefined;
        const snapshot = ts.ScriptSnapshot.fromString(path === types.path ? types.textOf(text) : path.endsWith(".d.ts") ? withoutDocs(text) : text);
        (isFixed(path) ? texts : this.#texts).set(path, { version, snapshot });
        return snapshot;
      },
      // For what packages say of their files; modules are resolved below.
      getModuleResolutionCache: () => packages,
      getCurrentDirectory: () => folder,
      getDefaultLibFileName: (compilerOptions) => ts.getDefaultLibFilePath(compilerOptions),
      resolveModuleNameLiterals: (literals, containing, _redirected, resolved, file) =>
        literals.map((literal) => {
          const mode = ts.getModeForUsageLocation(file, literal as TS.StringLiteralLike, resolved);
          if (types.wants(literal.text, containing)) this.#incomplete = true;
          return { resolvedModule: this.#resolver.resolve(literal.text, containing, mode) };
        }),
      resolveTypeReferenceDirectiveReferences: (references, containing, _redirected, resolved) =>
        references.map((reference) => {
          const name = typeof reference === "string" ? reference : reference.fileName;
          if (name === "node" && types.path) return { resolvedTypeReferenceDirective: { primary: true, resolvedFileName: types.path, isExternalLibraryImport: true } };
          return ts.resolveTypeReferenceDirective(name, containing, resolved, { ...files, useCaseSensitiveFileNames: true });
        }),
      getPackageJsonAutoImportProvider: () => (this.#autoImports ? (extra ??= autoImportProgram(ts, folder, options)) : undefined),
    };
    this.#service = ts.createLanguageService(host, registry);
  }

  /** The text of a file as the program has it, with its comments. */
  text(path: string): string | undefined {
    return this.earlier.file(path)?.text ?? this.#lib.find(path)?.text ?? this.#ts.sys.readFile(path);
  }

  #read(path: string): string | undefined {
    if (path === this.cell) return this.#text.cell;
    return path === this.#prelude ? this.#text.prelude : undefined;
  }

  /** Sets the cell's text, with whatever stands in front of it. */
  setCell(text: string): void {
    this.#current = undefined;
    const prelude = `export {};\n${this.#extras}${this.earlier.prelude}`;
    if (prelude !== this.#text.prelude) {
      this.#text.prelude = prelude;
      this.#versions.prelude++;
    }
    if (text === this.#text.cell) return;
    this.#text.cell = text;
    this.#versions.cell++;
  }

  /** Whether the cell is to be read with JSX, where `<T>x` is no cast. */
  set jsx(jsx: boolean) {
    this.#current = undefined;
    this.cell = `${this.#folder}/__tslab__.ts${jsx ? "x" : ""}`;
  }

  /** Looks modules up anew for the next cell. */
  forgetResolutions(): void {
    this.#current = undefined;
    this.#resolver.forget();
    this.#local = undefined;
    this.#versions.cell++;
  }

  /** The service, its program knowing earlier cells. */
  get service(): TS.LanguageService {
    // It looks for changed files itself: what it finds must know them.
    this.#current = undefined;
    void this.program;
    return this.#service;
  }

  get program(): TS.Program {
    if (this.#current) return this.#current;
    let program = this.#service.getProgram() as TS.Program;
    if (this.#incomplete) {
      // It imports a module of Node's whose types were left out.
      this.#incomplete = false;
      program = this.#service.getProgram() as TS.Program;
    }
    if (program !== this.#readied) {
      this.#readied = program;
      this.#teach(program);
    }
    return (this.#current = program);
  }

  /** Reads what the first cell did not wait for. Call where nobody waits. */
  complete(): void {
    if (!this.#nodeTypes.complete()) return;
    this.#current = undefined;
    void this.program;
  }

  /** Lets go of the program; files stay read, for other projects. */
  rest(): void {
    this.#readied = this.#current = undefined;
    this.#service.cleanupSemanticCache();
  }

  /** The service for a completion that may bring an import with it. */
  withAutoImports<T>(use: (service: TS.LanguageService) => T): T {
    this.#autoImports = true;
    try {
      return use(this.service);
    } finally {
      this.#autoImports = false;
    }
  }

  get cellFile(): TS.SourceFile {
    return this.program.getSourceFile(this.cell) as TS.SourceFile;
  }

  /** The prelude's file, around which the scope of earlier cells lies. */
  get preludeFile(): TS.SourceFile {
    return this.program.getSourceFile(this.#prelude) as TS.SourceFile;
  }

  /** The notebook's own modules that the cell depends on, and which of them its imports mean. */
  local(): { links: Record<string, string>; modules: LocalModule[] } {
    const text = this.#text.cell;
    // Asked for its errors first, then for its code.
    if (this.#local?.text !== text) this.#local = { text, found: this.#modules.of(this.cell, text) };
    return this.#local.found;
  }

  /** Those of them that the program has. */
  localFiles(): TS.SourceFile[] {
    return this.local().modules.flatMap(({ path }) => this.program.getSourceFile(path) ?? []);
  }

  /** Makes a program see earlier cells' files: as a scope around the cell, and where types are imported from them. */
  #teach(program: TS.Program): void {
    interface Internal {
      getResolvedModule(file: TS.SourceFile, name: string, mode: TS.ResolutionMode): { resolvedModule?: TS.ResolvedModuleFull } | undefined;
      getSourceFile(path: string): TS.SourceFile | undefined;
    }
    const ts = this.#ts;
    const internal = program as unknown as Internal;
    const { getResolvedModule, getSourceFile } = internal;
    const cell = getSourceFile(this.cell) as TS.SourceFile;
    const prelude = getSourceFile(this.#prelude) as TS.SourceFile;
    const parent = (file: TS.SourceFile, scope: TS.SourceFile) => ((file as { parent?: TS.Node }).parent = scope);
    parent(cell, prelude);
    parent(prelude, this.#scope);
    internal.getSourceFile = (path) => this.earlier.file(path) ?? getSourceFile(path);
    internal.getResolvedModule = (file, name, mode) => {
      const path = this.earlier.pathOf(name);
      if (path !== undefined) return { resolvedModule: { resolvedFileName: path, extension: ts.Extension.Dts, isExternalLibraryImport: false } };
      // What earlier cells import, the prelude imports as well.
      return getResolvedModule(this.earlier.has(file) ? prelude : file, name, mode) ?? this.#resolveAnyway(file, name, mode);
    };
  }

  /** A module that only a type of an earlier cell mentions; its file may already be there. */
  #resolveAnyway(file: TS.SourceFile, name: string, mode: TS.ResolutionMode): { resolvedModule?: TS.ResolvedModuleFull } | undefined {
    if (!this.earlier.has(file)) return undefined;
    const resolvedModule = this.#resolver.resolve(name, this.cell, mode);
    return resolvedModule && { resolvedModule };
  }
}
