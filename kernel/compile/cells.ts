import type * as TS from "@tslab/typescript-for-tslab";
import type { CellDiagnostic } from "../../lib/jupyter/messages.js";
import { describeDiagnostic } from "./diagnostics.js";
import type { Declared } from "./earlier.js";
import { type CellFlow, flowOfCell } from "./graph.js";
import { magicOf } from "./magics.js";
import type { LocalModule } from "./modules.js";
import { declaredIdentifiers, withoutExports } from "./names.js";
import { settings } from "./options.js";
import { LAST_PRELOADED, type Preloaded } from "./prelude.js";
import { Project } from "./project.js";
import type { Uses } from "./references.js";
import { awaitsAtTopLevel, cellTransformer, commonJsTransformer } from "./transform.js";
import { createCellConverter, ts, type CellConverter, type Emitted } from "./typescript.js";

/** A cell, ready to run. */
export interface CompiledCell {
  ok: true;
  /** Its variables are known by this number from now on. */
  id: number;
  /** CommonJS, to be wrapped in a function; see child/execute.ts for what it finds there. */
  code: string;
  awaits: boolean;
  /** Top-level names that it declares, which `code` publishes. */
  names: string[];
  /** Those of them that can be read before their declaration is reached. */
  hoisted: string[];
  /** Earlier cells whose variables it uses, and the constants of each. */
  uses: { id: number; constants: string[] }[];
  /** What it does with variables, for telling which cells are stale. */
  flow: CellFlow;
  /** Earlier cells that no name leads to any more. */
  forgotten: number[];
  /** Static imports in order. */
  imports: string[];
  /** Local modules by the names under which the cell imports them. */
  links: Record<string, string>;
  /** Source maps from `code` back to the cell, applied in this order. */
  maps: string[];
  /** Local TypeScript and JavaScript modules, as CommonJS by absolute path. */
  modules: LocalModule[];
}

export interface RefusedCell {
  ok: false;
  /** The first errors. */
  diagnostics: CellDiagnostic[];
  /** How many more there are. */
  more: number;
}

/** Errors of one cell that are told; text that is no TypeScript can have one for each of its characters. */
const MOST_ERRORS = 20;

/** How a cell ended, for the declarations that later cells see. */
export type Outcome = "ok" | { reached: string[] };

/** Function that gives a cell's variables to later cells; its name must be nobody else's. */
export const PUBLISH = "__published__";

/** What is preloaded from the start has the first number. */
const EAGER = 1;

/**
 * Compiles the cells of one notebook. Declarations of a compiled cell are seen by later ones once
 * {@link commit} tells how it ended.
 */
export class CellCompiler {
  readonly project: Project;
  readonly #converter: CellConverter;
  readonly #prelude: { eager: string; lazy: Preloaded[] };
  #pending: Preloaded[];
  /** Cells that were compiled and not committed, by their numbers. */
  readonly #open = new Map<number, Open>();
  /** Cells whose variables the execution process holds. */
  #held = new Set<number>();
  #count = LAST_PRELOADED;
  /** What a tsconfig.json asks for in vain. */
  readonly remark: string | undefined;

  /** @param packageRoot this package's folder, where modules are looked up that the notebook's project lacks */
  constructor(readonly packageRoot: string, prelude: { eager: string; lazy: Preloaded[] }) {
    const folder = ts.sys.getCurrentDirectory();
    const { options, remark } = settings(ts, folder);
    this.remark = remark;
    this.project = new Project(ts, folder, packageRoot, options);
    this.#prelude = prelude;
    this.#pending = prelude.lazy;
    this.#preload(EAGER, prelude.eager);
    this.#converter = createCellConverter(this.project);
    // The first program is slow: it is made here, while nobody waits.
    this.#converter.convert("undefined", { unchecked: false, expression: false });
  }

  /** Names that are preloaded but were not mentioned yet. */
  get undeclared(): string[] {
    return this.#pending.map(({ name }) => name);
  }

  /** @param beside cells of other shells run meanwhile: what they declare is seen already. Otherwise no cell that was not committed ever will be */
  compile(source: string, beside = false): CompiledCell | RefusedCell {
    for (const [id, open] of this.#open) {
      if (beside) this.#declareOpen(id, open);
      else this.discard(id);
    }
    this.declare(source);
    this.project.forgetResolutions();
    const directed = directives(source);
    const text = withoutExports(ts, directed.text);
    const { file: parsed, jsx } = parse(text);
    const reserved = reservedNames(parsed);
    if (reserved.length > 0) return { ok: false, diagnostics: reserved, more: 0 };
    this.project.jsx = jsx;
    const expression = isObjectLiteral(text);
    const result = this.#converter.convert(text, { unchecked: directed.unchecked, expression });
    if ("diagnostics" in result) {
      const diagnostics = result.diagnostics.slice(0, MOST_ERRORS).map((each) => describeDiagnostic(ts, each, this.project.cell));
      const first = diagnostics[0];
      const magic = first && first.file === undefined ? magicOf(source, first.line) : undefined;
      return { ok: false, diagnostics: magic ? [magic] : diagnostics, more: magic ? 0 : result.diagnostics.length - diagnostics.length };
    }
    const id = ++this.#count;
    this.#open.set(id, { emitted: result, added: false });
    const { code, maps, imports } = toCell(result);
    const { links, modules } = this.project.local();
    const uses = [...result.uses].map(([cell, constants]) => ({ id: cell, constants: [...constants] }));
    return { ok: true, id, code, awaits: awaitsAtTopLevel(ts, parsed), names: result.names, hoisted: result.hoisted, uses, flow: flowOfCell(this.project), forgotten: beside ? [] : this.#forgotten(result.uses), imports, links, maps, modules };
  }

  /**
   * Takes over the declarations of a compiled cell: all of them, or those that were reached.
   * @returns what another compiler would have to {@link restore}, and what no longer; undefined where there is nothing new
   */
  commit(id: number, outcome: Outcome): { declared: Declared; gone: number[] } | undefined {
    const open = this.#open.get(id);
    if (!open) return undefined;
    const { names, declarations } = open.emitted;
    this.#open.delete(id);
    const reached = outcome === "ok" ? undefined : new Set(outcome.reached);
    const declared = { id, text: declarations, unreached: reached ? names.filter((name) => !reached.has(name)) : [] };
    this.#held.add(id);
    if (declaresNothing(open)) return undefined;
    if (open.added) this.project.earlier.hide(id, declared.unreached);
    else this.project.earlier.add(declared);
    // Where another cell ends early, names that it declares again are those of older cells once more.
    return { declared, gone: this.#open.size > 0 ? [] : this.project.earlier.sweep() };
  }

  /** Forgets a compiled cell that does not run, or has nothing to give. */
  discard(id: number): void {
    if (this.#open.get(id)?.added) this.project.earlier.drop(id);
    this.#open.delete(id);
  }

  /** Shows the names of a cell that still runs. One that it has not reached cannot be read, as in a file. */
  #declareOpen(id: number, open: Open): void {
    if (!open.added && !declaresNothing(open)) this.project.earlier.add({ id, text: open.emitted.declarations, unreached: [] });
    open.added = true;
  }

  /** Goes on with declarations that {@link commit} returned to another compiler. */
  restore(declared: Declared[]): void {
    for (const each of declared) {
      this.#count = Math.max(this.#count, each.id);
      this.#held.add(each.id);
      this.project.earlier.add(each);
    }
  }

  /** Declares preloaded names that `source` mentions. */
  declare(source: string): void {
    const mentioned = this.#pending.filter(({ name, also = [] }) => [name, ...also].some((word) => new RegExp(`\\b${word}\\b`).test(source)));
    this.#pending = this.#pending.filter((each) => !mentioned.includes(each));
    // A name of the notebook's own that was there first stays.
    for (const each of mentioned) if (!this.project.earlier.find(each.name)) this.#preload(EAGER + 1 + this.#prelude.lazy.indexOf(each), each.declaration);
  }

  /** The text of a cell that is being written, for completion and hover. */
  look(source: string): void {
    this.declare(source);
    this.project.jsx = parse(source).jsx;
    this.project.setCell(`export {};\n${source}`);
  }

  /** Forgets all declarations: the process that held the variables is gone. */
  reset(): void {
    this.project.earlier.clear();
    this.#held.clear();
    this.#open.clear();
    this.#pending = this.#prelude.lazy;
    this.#preload(EAGER, this.#prelude.eager);
  }

  #preload(id: number, text: string): void {
    if (text !== "") this.project.earlier.add({ id, text, unreached: [] });
  }

  /** Cells that cannot be reached any more; a name that this very cell declares again is not gone yet. */
  #forgotten(uses: Uses): number[] {
    const reachable = this.project.earlier.reachable();
    const gone = [...this.#held].filter((id) => !reachable.has(id) && !uses.has(id));
    for (const id of gone) this.#held.delete(id);
    return gone;
  }
}

/** A cell that was compiled and not committed. */
interface Open {
  emitted: Emitted;
  /** Whether other cells see its names already. */
  added: boolean;
}

const declaresNothing = ({ emitted }: Open): boolean => /^(export \{\s*\};\s*)*$/.test(emitted.declarations);

/** The step from an ES module to CommonJS that runs as a cell, with a function in it that publishes its variables. */
function toCell({ js, map, names, imports: importsAnything }: Emitted): { code: string; maps: string[]; imports: string[] } {
  const imports: string[] = [];
  const accessors = names.map((name) => `get ${name}() { return ${name} }, set ${name}(__value__) { ${name} = __value__ }`);
  const text = `${js}function ${PUBLISH}() { return { __proto__: null, ${accessors.join(", ")} } }\n`;
  if (!importsAnything) return { code: text, maps: [map], imports };
  const { outputText, sourceMapText = "" } = ts.transpileModule(text, {
    fileName: "cell.js",
    compilerOptions: { module: ts.ModuleKind.CommonJS, esModuleInterop: true, target: ts.ScriptTarget.ESNext, newLine: ts.NewLineKind.LineFeed, sourceMap: true, alwaysStrict: false, ignoreDeprecations: "6.0" },
    transformers: { before: [cellTransformer(ts, imports)], after: [commonJsTransformer(ts)] },
  });
  return { code: outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n"), maps: [sourceMapText, map].filter(Boolean), imports };
}

/** A cell's text, with JSX where it is nothing without. */
function parse(text: string): { file: TS.SourceFile; jsx: boolean } {
  const errors = (file: TS.SourceFile) => (file as unknown as { parseDiagnostics: unknown[] }).parseDiagnostics.length;
  const file = ts.createSourceFile("cell.ts", text, ts.ScriptTarget.Latest, true);
  if (errors(file) === 0 || !/<[\w>]/.test(text)) return { file, jsx: false };
  const withJsx = ts.createSourceFile("cell.tsx", text, ts.ScriptTarget.Latest, true);
  const jsx = errors(withJsx) < errors(file);
  return { file: jsx ? withJsx : file, jsx };
}

/** `{ loss: 0.5, step: 3 }` alone: for TypeScript a block with a label, for whoever wrote it an object. */
function isObjectLiteral(text: string): boolean {
  if (!/^\s*\{[^]*\}\s*$/.test(text)) return false;
  const file = ts.createSourceFile("cell.ts", `(${text})`, ts.ScriptTarget.Latest, false);
  const [statement, ...more] = file.statements;
  const { parseDiagnostics } = file as unknown as { parseDiagnostics: unknown[] };
  if (parseDiagnostics.length > 0 || more.length > 0 || !statement || !ts.isExpressionStatement(statement)) return false;
  return ts.isParenthesizedExpression(statement.expression) && ts.isObjectLiteralExpression(statement.expression.expression);
}

/** What a cell's code has around it; TypeScript would say the same of what a CommonJS module has. */
const RESERVED = /^__(cell\d*|published|value)__$/;

function reservedNames(file: TS.SourceFile): CellDiagnostic[] {
  const identifiers = file.statements.flatMap((statement) => declaredIdentifiers(ts, statement)).filter(({ text }) => RESERVED.test(text));
  return identifiers.map((name) => {
    const { line, character } = file.getLineAndCharacterOfPosition(name.getStart());
    const [at, column] = [line + 1, character + 1];
    return { message: `Duplicate identifier '${name.text}'. The kernel reserves it at the top level of a cell.`, code: 2441, line: at, column, endLine: at, endColumn: column + name.text.length };
  });
}

/** `// @ts-nocheck`, or a `%%javascript` line as other kernels have it: run without checking types. */
function directives(source: string): { text: string; unchecked: boolean } {
  const magic = /^\s*%%(javascript|js|typescript|ts)[^\n]*/.exec(source);
  if (magic) return { text: source.replace(magic[0], magic[0].replace(/[^\n]/g, "")), unchecked: magic[1] === "javascript" || magic[1] === "js" };
  // The first line of a script.
  const text = source.replace(/^#!/, "//");
  return { text, unchecked: /^\s*(\/\/.*\n)?\s*\/\/\s*@ts-nocheck/.test(text) };
}
