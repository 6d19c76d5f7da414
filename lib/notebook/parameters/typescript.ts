/**
 * Parameters of TypeScript and JavaScript notebooks. The TypeScript of the kernel reads the declarations and judges
 * the values.
 */
import { join } from "node:path";
import ts from "@tslab/typescript-for-tslab";
import type { Json } from "../../jupyter/messages.js";
import { packageRoot } from "../../checkpoint/package-root.js";
import type { Mismatch, Parameter, ParameterLanguage } from "./parameter.js";

const FILE = "/parameters.ts";

/** Declarations of the language and of packages, parsed once. */
const parsed = new Map<string, ts.SourceFile | undefined>();

export const typescript: ParameterLanguage = {
  declared(source) {
    const { checker, file } = compile(source);
    return declarations(file).map(({ declaration, statement }) => {
      const { name, type, initializer } = declaration;
      const help = comment(statement, file);
      return {
        name: (name as ts.Identifier).text,
        type: type?.getText(file) ?? checker.typeToString(checker.getTypeAtLocation(name), undefined, ts.TypeFormatFlags.NoTruncation),
        ...(initializer && { default: initializer.getText(file) }),
        ...(help && { help }),
      };
    });
  },

  mismatches(source, values) {
    // In a function, because outside of it the type of a variable is narrowed to that of its default.
    const types = typesOf(source);
    const checks = Object.entries(values).map(([name, value]) => `function check_${name}() { const value: typeof ${name} = ${literal(typed(value, types.get(name)))}; }`);
    const { file, program } = compile([source, ...checks].join("\n;"));
    const first = source.length;
    const found = new Map<string, Mismatch>();
    for (const { start, messageText } of program.getSemanticDiagnostics(file)) {
      // What is wrong in the cell itself shows when it runs.
      if (start === undefined || start < first) continue;
      const name = /function check_([^(]+)\(/.exec(lineAt(file, start))?.[1];
      // The last line is the most specific.
      const reason = ts.flattenDiagnosticMessageText(messageText, "\n").split("\n").at(-1)?.trim() ?? "";
      if (name !== undefined && !found.has(name)) found.set(name, { name, reason });
    }
    return [...found.values()];
  },

  assignments(source, values) {
    const file = ts.createSourceFile(FILE, source, ts.ScriptTarget.Latest, true);
    const constants = new Map(declarations(file).filter(({ constant }) => constant).map(({ declaration }) => [declaration.name.getText(file), declaration]));
    const types = typesOf(source);
    const lines = Object.entries(values).map(([name, given]) => {
      const value = typed(given, types.get(name));
      const constant = constants.get(name);
      if (!constant) return `${name} = ${literal(value)};`;
      const type = constant.type ? `: ${constant.type.getText(file)}` : "";
      return `const ${name}${type} = ${literal(value)};`;
    });
    return ["// Parameters", ...lines].join("\n");
  },
};

/** A value as an expression. */
export function literal(value: Json | undefined): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "bigint") return `${String(value)}n`;
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).map(([key, item]) => `${/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) && key !== "__proto__" ? key : `[${JSON.stringify(key)}]`}: ${literal(item)}`);
    return fields.length ? `{ ${fields.join(", ")} }` : "{}";
  }
  // Line ends to a compiler, not to JSON.
  return (JSON.stringify(value) ?? "undefined").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/** Whole numbers as bigints, where the type asks for no other numbers. */
function typed(value: Json | undefined, type: string | undefined): Json | undefined {
  if (type === undefined || !/\bbigint\b/.test(type) || /\bnumber\b/.test(type)) return value;
  const convert = (each: unknown): unknown => (typeof each === "number" && Number.isInteger(each) ? BigInt(each) : Array.isArray(each) ? each.map(convert) : each);
  return convert(value) as Json;
}

/** Types of parameters that say bigint, or whose default is one. */
function typesOf(source: string): Map<string, string> {
  return /\bbigint\b|\d(?:_?\d)*n\b/.test(source) ? new Map((typescript.declared(source) as Parameter[]).map(({ name, type = "" }) => [name, type])) : new Map();
}

interface Declared {
  declaration: ts.VariableDeclaration;
  statement: ts.VariableStatement;
  constant: boolean;
}

function declarations(file: ts.SourceFile): Declared[] {
  return file.statements.filter(ts.isVariableStatement).flatMap((statement) =>
    statement.declarationList.declarations
      .filter(({ name }) => ts.isIdentifier(name))
      .map((declaration) => ({ declaration, statement, constant: (statement.declarationList.flags & ts.NodeFlags.Const) !== 0 })),
  );
}

/** The comment beside a statement, else the one above it. */
function comment(statement: ts.Statement, file: ts.SourceFile): string | undefined {
  const [beside] = ts.getTrailingCommentRanges(file.text, statement.end) ?? [];
  const range = beside ?? ts.getLeadingCommentRanges(file.text, statement.pos)?.at(-1);
  if (!range) return undefined;
  const text = file.text.slice(range.pos, range.end).replace(/^\/\*\*?|\*\/$|^\/\//g, "");
  return text.split("\n").map((line) => line.replace(/^\s*\*? ?/, "").trim()).filter(Boolean).join(" ") || undefined;
}

function compile(source: string): { program: ts.Program; checker: ts.TypeChecker; file: ts.SourceFile } {
  // A constant would have only the type of its default.
  const text = assignable(source) + prelude(source);
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2022.d.ts"],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    skipLibCheck: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.getSourceFile = (name, version, ...rest) => {
    if (name === FILE) return ts.createSourceFile(name, text, version, true);
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, version, ...rest));
    return parsed.get(name);
  };
  host.fileExists = (name) => name === FILE || fileExists(name);
  host.readFile = (name) => (name === FILE ? text : readFile(name));
  const program = ts.createProgram([FILE], options, host);
  return { program, checker: program.getTypeChecker(), file: program.getSourceFile(FILE)! };
}

/** The cell with `let` for `const`, everything else in its place. */
function assignable(source: string): string {
  const file = ts.createSourceFile(FILE, source, ts.ScriptTarget.Latest, true);
  return declarations(file).reduce((text, { constant, statement }) => {
    const at = statement.declarationList.getStart(file);
    return constant ? `${text.slice(0, at)}let  ${text.slice(at + "const".length)}` : text;
  }, source);
}

/** The preloaded names whose types the cell may use; after the cell, imports are seen all the same. */
function prelude(source: string): string {
  const modules = { sdtp: join(packageRoot(), "dist", "lib", "index.js"), dfd: "danfojs-node" };
  return Object.entries(modules)
    .filter(([name]) => new RegExp(`\\b${name}\\b`).test(source))
    .map(([name, module]) => `\nimport * as ${name} from ${JSON.stringify(module)};`)
    .join("");
}

function lineAt(file: ts.SourceFile, position: number): string {
  const { line } = file.getLineAndCharacterOfPosition(position);
  const starts = file.getLineStarts();
  return file.text.slice(starts[line], starts[line + 1]);
}
