import type * as TS from "@tslab/typescript-for-tslab";
import { createCompiler, ts, type Compiler, type LocalModule } from "./typescript.js";
import type { Docs } from "./docs.js";
import { declaredIdentifiers, withoutExports } from "./names.js";
import { survivingSource } from "./partial.js";
import { awaitsAtTopLevel, CELL } from "./transform.js";
import type { Preloaded } from "./prelude.js";

/** A cell, ready to run. */
export interface CompiledCell {
  ok: true;
  id: number;
  /** CommonJS, to be wrapped in a function of `exports`, `require` and `__cell__`. */
  code: string;
  awaits: boolean;
  /** Export that holds the value of the last expression. */
  resultName?: string;
  /** Static imports in order. */
  imports: string[];
  /** Source maps from `code` back to the cell, applied in this order. */
  maps: string[];
  /** Local TypeScript and JavaScript modules, as CommonJS by absolute path. */
  modules: LocalModule[];
}

/** An error found before running. Lines and columns count from 1. */
export interface CellDiagnostic {
  message: string;
  code: number;
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
  /** Set where the error is in a module that the cell imports. */
  file?: string;
}

export interface RefusedCell {
  ok: false;
  diagnostics: CellDiagnostic[];
}

/** How a cell ended, for the declarations that later cells see. */
export type Outcome = "ok" | { reached: string[] };

/**
 * Compiles the cells of one notebook. Declarations of a compiled cell are seen by later ones once
 * {@link commit} tells how it ended.
 */
export class CellCompiler {
  readonly #compiler: Compiler;
  readonly #eager: string;
  readonly #lazy: Preloaded[];
  #declared: string;
  #pending: Preloaded[];
  #open: { id: number; source: string; declared: string } | undefined;
  #count = 0;

  constructor(packageRoot: string, prelude: { eager: string; lazy: Preloaded[] }, log: (text: string) => void) {
    this.#compiler = createCompiler(packageRoot, log);
    this.#eager = prelude.eager;
    this.#lazy = prelude.lazy;
    this.#declared = this.#eager;
    this.#pending = this.#lazy;
    // The first program is slow: it is made here, while nobody waits.
    this.#compiler.converter.convert(this.#eager, "undefined");
  }

  /** Names that are preloaded but were not mentioned yet. */
  get undeclared(): string[] {
    return this.#pending.map(({ name }) => name);
  }

  compile(source: string): CompiledCell | RefusedCell {
    this.declare(source);
    this.#compiler.forgetResolutions();
    const directed = directives(source);
    const text = withoutExports(ts, directed.text);
    const parsed = ts.createSourceFile("cell.ts", text, ts.ScriptTarget.Latest, true);
    const reserved = reservedNames(parsed);
    if (reserved.length > 0) return { ok: false, diagnostics: reserved };
    const { unchecked } = directed;
    const result = this.#convert(text, unchecked);
    if (result.diagnostics.length > 0) {
      return {
        ok: false,
        diagnostics: result.diagnostics.map((each) => ({
          message: each.messageText,
          code: each.code,
          line: each.start.line + 1,
          column: each.start.character + 1,
          endLine: each.end.line + 1,
          endColumn: each.end.character + 1,
          ...(each.fileName === undefined ? {} : { file: each.fileName }),
        })),
      };
    }
    const { code, maps, imports } = this.#compiler.toCell(result.output ?? "");
    const id = ++this.#count;
    this.#open = { id, source: text, declared: withoutReferences(result.declOutput ?? "") };
    return {
      ok: true,
      id,
      code: announceDeclarations(code),
      awaits: result.hasToplevelAwait === true || awaitsAtTopLevel(ts, parsed),
      ...(result.lastExpressionVar === undefined ? {} : { resultName: result.lastExpressionVar }),
      imports,
      maps,
      modules: this.#compiler.localModules(result.sideOutputs ?? []),
    };
  }

  /**
   * Takes over the declarations of the cell compiled last: all of them, or those that were reached.
   * @returns all that is declared now
   */
  commit(id: number, outcome: Outcome): string {
    if (this.#open?.id !== id) return this.#declared;
    const { source, declared } = this.#open;
    this.#open = undefined;
    if (outcome === "ok") return (this.#declared = declared);
    const surviving = survivingSource(ts, source, new Set(outcome.reached));
    if (surviving === "") return this.#declared;
    const result = this.#convert(surviving, false);
    if (result.diagnostics.length === 0) this.#declared = withoutReferences(result.declOutput ?? this.#declared);
    return this.#declared;
  }

  /** Goes on with declarations that {@link commit} returned to another compiler. */
  restore(declared: string): void {
    this.#declared = declared;
    this.#pending = this.#lazy.filter(({ name }) => !new RegExp(`^import \\* as ${name} `, "m").test(declared));
  }

  /** Forgets all declarations: the process that held the variables is gone. */
  reset(): void {
    this.#declared = this.#eager;
    this.#pending = this.#lazy;
    this.#open = undefined;
  }

  /** Declares preloaded names that `source` mentions, and returns what is declared. */
  declare(source: string): string {
    const mentioned = this.#pending.filter(({ name, also = [] }) => [name, ...also].some((word) => new RegExp(`\\b${word}\\b`).test(source)));
    if (mentioned.length > 0) {
      this.#pending = this.#pending.filter((each) => !mentioned.includes(each));
      this.#declared = mentioned.map(({ declaration }) => declaration).join("") + this.#declared;
    }
    return this.#declared;
  }

  get converter() {
    return this.#compiler.converter;
  }

  /** The comment on the name at `position` of what was inspected last. */
  docsAt(position: number): Docs | undefined {
    return this.#compiler.docsAt(position);
  }

  #convert(source: string, unchecked: boolean) {
    this.#compiler.unchecked = unchecked;
    try {
      return this.#compiler.converter.convert(this.#declared, source);
    } finally {
      this.#compiler.unchecked = false;
    }
  }
}

/** What a cell's script has as parameters; TypeScript would say the same of a CommonJS module. */
const RESERVED = new Set(["exports", "require", CELL]);

function reservedNames(file: TS.SourceFile): CellDiagnostic[] {
  const identifiers = file.statements.flatMap((statement) => declaredIdentifiers(ts, statement)).filter(({ text }) => RESERVED.has(text));
  return identifiers.map((identifier) => {
    const [start, end] = [identifier.getStart(), identifier.end].map((at) => file.getLineAndCharacterOfPosition(at)) as [TS.LineAndCharacter, TS.LineAndCharacter];
    return {
      message: `Duplicate identifier '${identifier.text}'. The kernel reserves it at the top level of a cell.`,
      code: 2441,
      line: start.line + 1,
      column: start.character + 1,
      endLine: end.line + 1,
      endColumn: end.character + 1,
    };
  });
}

/** `// @ts-nocheck`, or a `%%javascript` line as other kernels have it: run without checking types. */
function directives(source: string): { text: string; unchecked: boolean } {
  const magic = /^\s*%%(javascript|js|typescript|ts)[^\n]*/.exec(source);
  if (magic) return { text: source.replace(magic[0], ""), unchecked: magic[1] === "javascript" || magic[1] === "js" };
  return { text: source, unchecked: /^\s*\/\/\s*@ts-nocheck/.test(source) };
}

/**
 * TypeScript begins a module with `exports.a = exports.b = void 0`, which would lose the earlier values
 * of names that a cell declares again but does not reach. The cell is told of the names instead.
 */
function announceDeclarations(output: string): string {
  const lines = output.split("\n");
  const isHoist = (line: string | undefined) => /^(exports\.[\p{ID_Continue}$]+ = )+void 0;$/u.test(line ?? "");
  // Helpers such as __importDefault come before it.
  for (let i = lines.findIndex(isHoist); i >= 0 && isHoist(lines[i]); i++) {
    const names = [...(lines[i] ?? "").matchAll(/exports\.([\p{ID_Continue}$]+) = /gu)].map((match) => match[1]);
    lines[i] = `__cell__.declare(${JSON.stringify(names)});`;
  }
  return lines.join("\n");
}

/** Every cell would add these; Node's types are always loaded. */
function withoutReferences(declarations: string): string {
  return declarations.replace(/^\/\/\/ <reference types="node" \/>\n/gm, "");
}
