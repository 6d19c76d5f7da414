import type * as TS from "@tslab/typescript-for-tslab";

/** A cell whose declarations later cells see. */
export interface Declared {
  id: number;
  /** Its declarations as TypeScript writes them, a module. */
  text: string;
  /** Names of them that do not hold: where the cell threw, not all were reached. */
  unreached: string[];
}

/** What a name of an earlier cell stands for. */
export interface EarlierName {
  id: number;
  symbol: TS.Symbol;
}

/** A cell's declarations as the compiler holds them. */
interface EarlierFile {
  id: number;
  file: TS.SourceFile;
  /** Names in it that it does not declare itself, as TypeScript escapes them: they may be older cells'. */
  names: Set<string>;
  /** Numbers of cells whose declarations it refers to by their files. */
  cells: Set<number>;
}

/** Files that are held, of which half may be of no use, before they are gone through. */
const FEWEST_TO_SWEEP = 64;

/** Declaration file of a cell, in the notebook's folder; it is never on disk. */
const fileName = (folder: string, id: number) => `${folder}/__cell${id}__.d.ts`;
/** How TypeScript calls `declare global`. */
const GLOBAL = "__global";
/** How another cell's declarations refer to it, where its name was declared again since. */
const SPECIFIER = /^\.\/__cell(\d+)__$/;

/**
 * What earlier cells declare. Each cell is a declaration file that is parsed and bound once and stays as it is, however
 * many cells follow; a table holds which file has the latest declaration of a name. Files look names up in the table as
 * if it were a scope around them, at the state in which it was when their cell was compiled. So a value keeps the type
 * it was made with, and a cell costs the same at the thousandth as at the tenth.
 */
export class EarlierCells {
  readonly #ts: typeof TS;
  readonly #folder: string;
  readonly #options: TS.CompilerOptions;
  readonly #files = new Map<string, EarlierFile>();
  /** Every declaration of a name, oldest first. */
  readonly #versions = new Map<string, EarlierName[]>();
  /** Modules that the files refer to, which therefore have to stay in the program. */
  readonly #modules = new Set<string>();
  /** `declare global` and `declare module`, which hold for all cells. */
  readonly #augmentations = new Map<string, string>();
  #sweepAt = FEWEST_TO_SWEEP;

  constructor(ts: typeof TS, folder: string, options: TS.CompilerOptions) {
    this.#ts = ts;
    this.#folder = folder;
    this.#options = options;
  }

  /** Takes up a cell's declarations. */
  add({ id, text, unreached }: Declared): void {
    const ts = this.#ts;
    const path = fileName(this.#folder, id);
    const file = ts.createSourceFile(path, text, { languageVersion: ts.ScriptTarget.ESNext, jsDocParsingMode: ts.JSDocParsingMode.ParseAll }, true);
    Object.assign(file, { path, resolvedPath: path, originalFileName: path, parent: this.scope(id) });
    (ts as unknown as { bindSourceFile(file: TS.SourceFile, options: TS.CompilerOptions): void }).bindSourceFile(file, this.#options);
    const { modules, ...mentioned } = mentions(ts, file);
    this.#files.set(path, { id, file, ...mentioned });
    for (const module of modules) this.#modules.add(module);
    for (const statement of file.statements) {
      if (ts.isModuleDeclaration(statement) && (ts.isStringLiteral(statement.name) || statement.flags & ts.NodeFlags.GlobalAugmentation)) {
        const augmentation = statement.getText(file);
        this.#augmentations.set(augmentation, augmentation);
      }
    }
    const { locals = new Map<string, TS.Symbol>() } = file as unknown as { locals?: Map<string, TS.Symbol> };
    const hidden = new Set<string>(unreached.map((name) => ts.escapeLeadingUnderscores(name) as string));
    for (const [name, symbol] of locals) {
      if (hidden.has(name) || name === GLOBAL) continue;
      const versions = this.#versionsOf(name);
      // A cell of a subshell may have begun later and ended before this one.
      const later = versions.findIndex((each) => each.id > id);
      versions.splice(later < 0 ? versions.length : later, 0, { id, symbol });
    }
  }

  /** Takes names of a cell back, which was added before it was known how it ends. */
  hide(id: number, names: string[]): void {
    for (const name of names) this.#hide(id, this.#ts.escapeLeadingUnderscores(name) as string);
  }

  /** Takes a cell back whole. */
  drop(id: number): void {
    this.#files.delete(fileName(this.#folder, id));
    for (const key of [...this.#versions.keys()]) this.#hide(id, key);
  }

  #hide(id: number, key: string): void {
    const left = this.#versions.get(key)?.filter((each) => each.id !== id) ?? [];
    if (left.length > 0) this.#versions.set(key, left);
    else this.#versions.delete(key);
  }

  /** Forgets all. */
  clear(): void {
    for (const map of [this.#files, this.#versions, this.#modules, this.#augmentations]) map.clear();
    this.#sweepAt = FEWEST_TO_SWEEP;
  }

  /**
   * Forgets cells whose names were all declared again since and which no type of another leads to, so that a notebook
   * whose cells are run over and over stays as large as it is. It goes through all files, but only once they have
   * doubled since the last time.
   * @returns the numbers of the cells that are forgotten
   */
  sweep(): number[] {
    if (this.#files.size < this.#sweepAt) return [];
    const live = this.#live();
    const gone = new Set([...this.#files.values()].map(({ id }) => id).filter((id) => !live.has(id)));
    for (const id of gone) this.#files.delete(fileName(this.#folder, id));
    for (const [name, versions] of this.#versions) this.#versions.set(name, versions.filter(({ id }) => !gone.has(id)));
    this.#sweepAt = Math.max(FEWEST_TO_SWEEP, this.#files.size * 2);
    return [...gone];
  }

  /** Cells that have the latest declaration of a name, and all that their declarations lead to. */
  #live(): Set<number> {
    const live = new Set<number>();
    const open = [...this.reachable()];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      const file = this.#files.get(fileName(this.#folder, id));
      if (!file || live.has(id)) continue;
      live.add(id);
      open.push(...file.cells);
      for (const name of file.names) {
        const older = asOf(this.#versions, name, id);
        if (older) open.push(older.id);
      }
    }
    return live;
  }

  #versionsOf(name: string): EarlierName[] {
    let versions = this.#versions.get(name);
    if (!versions) this.#versions.set(name, (versions = []));
    return versions;
  }

  /** The latest declaration of a name (as TypeScript escapes it). */
  find(name: string): EarlierName | undefined {
    return this.#versions.get(name)?.at(-1);
  }

  /** Names whose latest declaration is that of one of these cells: only they can still be reached by name. */
  reachable(): Set<number> {
    return new Set([...this.#versions.values()].map((versions) => (versions.at(-1) as EarlierName).id));
  }

  /** What later files must have in front of them: see {@link EarlierCells.modules}. */
  get prelude(): string {
    return [...[...this.#modules].map((module) => `import {} from ${JSON.stringify(module)};`), ...this.#augmentations.values()].join("\n");
  }

  /** The file of a cell by its path. */
  file(path: string): TS.SourceFile | undefined {
    return this.#files.get(path)?.file;
  }

  /** The path behind a specifier with which one cell's declarations refer to another's. */
  pathOf(specifier: string): string | undefined {
    const id = SPECIFIER.exec(specifier)?.[1];
    return id === undefined ? undefined : fileName(this.#folder, Number(id));
  }

  has(file: TS.SourceFile): boolean {
    return this.#files.has(file.fileName);
  }

  /**
   * A scope around a file, with what was declared before cell `id` (all, where there is none). The compiler looks names
   * up in the `locals` of a file's parents: a file whose locals read the table stands there.
   */
  scope(id = Infinity): TS.SourceFile {
    const ts = this.#ts;
    const file = ts.createSourceFile(`${this.#folder}/__earlier__.d.ts`, "", ts.ScriptTarget.ESNext);
    const locals = new Earlier(this.#versions, id);
    const symbol = { flags: ts.SymbolFlags.ValueModule, escapedName: '"earlier cells"', declarations: [file], exports: new Map() };
    return Object.assign(file, { externalModuleIndicator: true, locals, symbol });
  }
}

/** A name as it was declared before a cell. */
function asOf(versions: ReadonlyMap<string, EarlierName[]>, name: string, cell: number): EarlierName | undefined {
  return versions.get(name)?.findLast(({ id }) => id < cell);
}

/** The table as of one cell, as the map of symbols that the compiler expects. */
class Earlier extends Map<string, TS.Symbol> {
  readonly #versions: Map<string, EarlierName[]>;
  readonly #id: number;

  constructor(versions: Map<string, EarlierName[]>, id: number) {
    super();
    this.#versions = versions;
    this.#id = id;
  }

  override get(name: string): TS.Symbol | undefined {
    return asOf(this.#versions, name, this.#id)?.symbol;
  }

  override has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  override get size(): number {
    return [...this.entries()].length;
  }

  override *entries(): MapIterator<[string, TS.Symbol]> {
    for (const name of this.#versions.keys()) {
      const symbol = this.get(name);
      if (symbol) yield [name, symbol];
    }
  }

  override *keys(): MapIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  override *values(): MapIterator<TS.Symbol> {
    for (const [, symbol] of this.entries()) yield symbol;
  }

  override [Symbol.iterator](): MapIterator<[string, TS.Symbol]> {
    return this.entries();
  }

  override forEach(each: (symbol: TS.Symbol, name: string, map: Map<string, TS.Symbol>) => void): void {
    for (const [name, symbol] of this.entries()) each(symbol, name, this);
  }
}

/** What a declaration file refers to: modules that it imports or mentions in `import("…")`, other cells, and names from outside. */
function mentions(ts: typeof TS, file: TS.SourceFile): { modules: Set<string>; cells: Set<number>; names: Set<string> } {
  const [modules, cells, names] = [new Set<string>(), new Set<number>(), new Set<string>()];
  const { locals } = file as unknown as { locals?: Map<string, TS.Symbol> };
  const visit = (node: TS.Node): void => {
    if (ts.isIdentifier(node) && !isNameOf(node)) {
      const flags = locals?.get(node.escapedText as string)?.flags ?? 0;
      if (meaningsOf(ts, node).some((meaning) => !(flags & meaning))) names.add(node.escapedText as string);
    }
    const module =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : undefined;
    if (module && ts.isStringLiteral(module)) {
      const cell = SPECIFIER.exec(module.text)?.[1];
      if (cell === undefined) modules.add(module.text);
      else cells.add(Number(cell));
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { modules, cells, names };
}

/** Whether an identifier is what a declaration declares, which refers to nothing. */
function isNameOf(node: TS.Identifier): boolean {
  return (node.parent as { name?: TS.Node }).name === node;
}

/** As what a name is looked for: where that is not clear from its place, as anything. A file's own names come first for what they are. */
function meaningsOf(ts: typeof TS, node: TS.Identifier): TS.SymbolFlags[] {
  const { Type, Value, Namespace, Alias } = ts.SymbolFlags;
  const { parent } = node;
  // An import may be anything, and hides what is outside.
  if (ts.isTypeReferenceNode(parent)) return [Type | Alias];
  if (ts.isTypeQueryNode(parent)) return [Value | Alias];
  if (ts.isQualifiedName(parent)) return [Namespace | Alias];
  return [Type | Alias, Value | Alias, Namespace | Alias];
}
