/** What a TypeScript cell does with the notebook's variables, as its text shows it. */
import { isBuiltin } from "node:module";
import ts from "@tslab/typescript-for-tslab";

export interface CellAnalysis {
  /** Every name that the cell mentions, its own included; not property names. */
  mentions: Set<string>;
  /** Those of them that are mentioned elsewhere than in an import. */
  used: Set<string>;
  /** Functions, classes, enums and constants that are functions: made anew by running their declarations, which do nothing else. Name -> what they mention. */
  definitions: Map<string, Set<string>>;
  /** Names of imports -> module. */
  imports: Map<string, string>;
  /** Other variables. */
  values: Set<string>;
  /** Variables whose parts it assigns. */
  changed: Set<string>;
  /** Why the cell must not be left out: what it does could be seen by later cells in another way than through variables. */
  effect?: string;
  /** The cell with its definitions and imports, every other variable with its value restored, and nothing else. */
  skeleton(restore: (name: string) => string): string;
}

/** What can be used to act on the process, or to run text that was not looked at. */
const EFFECTS = new Set(["process", "globalThis", "global", "eval", "Function", "setTimeout", "setInterval", "setImmediate", "queueMicrotask", "comms", "module"]);
const EFFECT_PROPERTIES = new Set(["prototype", "__proto__", "defineProperty", "defineProperties", "setPrototypeOf", "then", "catch", "finally"]);

/** Node's modules without state of their own that a cell could set. */
const STATELESS = new Set(["assert", "buffer", "crypto", "fs", "fs/promises", "os", "path", "perf_hooks", "querystring", "readline", "stream", "stream/promises", "string_decoder", "url", "util", "zlib"]);

/** Whether a module has no state that one cell could set and another see. */
export function isStateless(module: string): boolean {
  if (module === "sdtp-notebook" || module === "danfojs-node") return true;
  return isBuiltin(module) && STATELESS.has(module.replace(/^node:/, ""));
}

export function analyse(source: string): CellAnalysis {
  const file = ts.createSourceFile("cell.ts", source, ts.ScriptTarget.Latest, true);
  const mentions = namesIn(file);
  const used = new Set(file.statements.filter((each) => !ts.isImportDeclaration(each)).flatMap((each) => [...namesIn(each)]));
  const definitions = new Map<string, Set<string>>();
  const imports = new Map<string, string>();
  const values = new Set<string>();
  let effect = /^\s*%%/.test(source) ? "it is no plain TypeScript" : effectOf(file, mentions);
  const kept: ((restore: (name: string) => string) => string)[] = [];
  const keep = (statement: ts.Statement) => kept.push(() => statement.getText(file));

  for (const statement of file.statements) {
    if (ts.isImportDeclaration(statement)) {
      keep(statement);
      const module = (statement.moduleSpecifier as ts.StringLiteral).text;
      if (!statement.importClause) effect ??= `it imports ${module} for what that does`;
      for (const name of boundNames(statement)) imports.set(name, module);
    } else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) keep(statement);
    else if (ts.isFunctionDeclaration(statement) || (ts.isClassDeclaration(statement) && isPlainClass(statement)) || (ts.isEnumDeclaration(statement) && !contains(statement, ts.isCallExpression))) {
      keep(statement);
      if (statement.name) definitions.set(statement.name.text, namesIn(statement));
    } else if (ts.isVariableStatement(statement)) {
      for (const declaration of statement.declarationList.declarations) {
        const constant = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0;
        if (constant && ts.isIdentifier(declaration.name) && declaration.initializer && isFunction(declaration.initializer)) definitions.set(declaration.name.text, namesIn(declaration));
        else if (restorable(declaration.name)) for (const name of boundNames(declaration.name)) values.add(name);
        else effect ??= "it takes values apart by computed names";
      }
      kept.push((restore) => restoredStatement(statement, file, definitions, restore));
    } else if (ts.isClassDeclaration(statement) || ts.isModuleDeclaration(statement) || ts.isImportEqualsDeclaration(statement) || ts.isExportAssignment(statement) || ts.isExportDeclaration(statement) || ts.isEnumDeclaration(statement)) {
      effect ??= "it has a declaration that runs code";
    }
  }
  return {
    mentions, used, definitions, imports, values, changed: changedIn(file),
    ...(effect !== undefined && { effect }),
    skeleton: (restore) => kept.map((each) => each(restore)).join("\n"),
  };
}

function effectOf(file: ts.SourceFile, mentions: Set<string>): string | undefined {
  const name = [...mentions].find((each) => EFFECTS.has(each));
  if (name !== undefined) return `it uses ${name}`;
  const declared = new Set<string>();
  visit(file, (node) => {
    if ((ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isBindingElement(node)) && ts.isIdentifier(node.name)) declared.add(node.name.text);
  });
  const isGlobal = (each: string) => GLOBALS.has(each) && !declared.has(each);
  let effect: string | undefined;
  visit(file, (node) => {
    if (ts.isPropertyAccessExpression(node) && EFFECT_PROPERTIES.has(node.name.text)) effect ??= `it uses .${node.name.text}`;
    if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression) && EFFECT_PROPERTIES.has(node.argumentExpression.text)) effect ??= `it uses ${node.argumentExpression.text}`;
    if (ts.isIdentifier(node) && isGlobal(node.text)) effect ??= globalEffect(node);
    if (ts.isIdentifier(node) && node.text === "displayId") effect ??= "it names what it shows";
    if (ts.isVoidExpression(node)) effect ??= "it does not wait for something";
    const loads = ts.isCallExpression(node) && (node.expression.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(node.expression) && node.expression.text === "require"));
    if (loads) {
      const [module] = node.arguments;
      if (!module || !ts.isStringLiteralLike(module) || !isStateless(module.text)) effect ??= "it loads a module while it runs";
    }
    if (ts.isVariableDeclarationList(node) && !ts.isVariableStatement(node.parent) && (node.flags & ts.NodeFlags.BlockScoped) === 0) effect ??= "it declares a var in a loop";
    if (ts.isVariableStatement(node) && node.parent !== file && (node.declarationList.flags & ts.NodeFlags.BlockScoped) === 0 && !inFunction(node)) effect ??= "it declares a var in a block";
  });
  const changed = [...changedIn(file)].find(isGlobal);
  return effect ?? (changed === undefined ? undefined : `it changes ${changed}`);
}

/** Why a mention of a global object may leave something behind; undefined for one of its functions, called or read. */
function globalEffect(node: ts.Identifier): string | undefined {
  const { text, parent } = node;
  if (parent === undefined || (parent as { name?: ts.Node }).name === node) return undefined;
  if (ts.isPropertyAccessExpression(parent)) {
    const member = parent.name.text;
    if (text === "console" && !PRINTS.has(member)) return `it uses console.${member}`;
    if (text === "display" && (member === "register" || member === "update")) return `it uses display.${member}`;
    return undefined;
  }
  const isObject = text === "sdtp" || text === "dfd" || typeof (globalThis as Record<string, unknown>)[text] === "object";
  return isObject && !ts.isTypeQueryNode(parent) && !ts.isQualifiedName(parent) && !ts.isTypeReferenceNode(parent) ? `it hands on ${text}` : undefined;
}

/** Members of console that print and remember nothing. */
const PRINTS = new Set(["log", "error", "warn", "info", "debug", "table", "dir", "trace"]);

/** The variables at whose parts assignments, `++` and `delete` are made. */
function changedIn(file: ts.SourceFile): Set<string> {
  const roots = new Set<string>();
  visit(file, (node) => {
    const target =
      ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind) ? node.left
      : ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node) ? node.operand
      : ts.isDeleteExpression(node) ? node.expression
      : undefined;
    const root = target && isAccess(target) ? rootOf(target) : undefined;
    if (root !== undefined) roots.add(root);
  });
  return roots;
}

/** Objects that every cell sees without declaring them. */
const GLOBALS = new Set([...Object.getOwnPropertyNames(globalThis), "sdtp", "dfd", "display"]);

/** A variable statement whose variables get their saved values; functions stay. Never-reached initializers keep the types. */
function restoredStatement(statement: ts.VariableStatement, file: ts.SourceFile, definitions: Map<string, Set<string>>, restore: (name: string) => string): string {
  let text = "";
  let at = statement.getStart(file);
  for (const { name, initializer, type } of statement.declarationList.declarations) {
    if (ts.isIdentifier(name) && definitions.has(name.text) && initializer && isFunction(initializer)) continue;
    const value = pattern(name, restore);
    if (initializer) {
      text += `${file.text.slice(at, initializer.getStart(file))}true ? ${value} : (${initializer.getText(file)})`;
      at = initializer.end;
    } else {
      const end = (type ?? name).end;
      text += `${file.text.slice(at, end)}${type ? "" : ": any"} = ${value}`;
      at = end;
    }
  }
  return text + file.text.slice(at, statement.end);
}

/** An expression that a binding pattern takes apart into the saved values. */
function pattern(name: ts.BindingName, restore: (name: string) => string): string {
  if (ts.isIdentifier(name)) return restore(name.text);
  const parts = name.elements.map((element) => {
    if (ts.isOmittedExpression(element)) return "undefined";
    const value = pattern(element.name, restore);
    if (element.dotDotDotToken) return `...(${value} as any)`;
    if (ts.isArrayBindingPattern(name)) return value;
    return `${(element.propertyName ?? element.name).getText()}: ${value}`;
  });
  return ts.isArrayBindingPattern(name) ? `([${parts.join(", ")}] as never)` : `({ ${parts.join(", ")} } as never)`;
}

/** Patterns with computed keys or defaults would run code. */
function restorable(name: ts.BindingName): boolean {
  if (ts.isIdentifier(name)) return true;
  return name.elements.every((element) => ts.isOmittedExpression(element) || (!element.initializer && !(element.propertyName && ts.isComputedPropertyName(element.propertyName)) && restorable(element.name)));
}

function isFunction(node: ts.Expression): boolean {
  return ts.isArrowFunction(node) || ts.isFunctionExpression(node);
}

/** A class whose declaration runs no code. */
function isPlainClass(node: ts.ClassDeclaration): boolean {
  const plainHeritage = (node.heritageClauses ?? []).every(({ types }) => types.every(({ expression }) => ts.isIdentifier(expression)));
  return plainHeritage && !contains(node, ts.isDecorator) && node.members.every((member) => {
    if (ts.isClassStaticBlockDeclaration(member)) return false;
    if (member.name && ts.isComputedPropertyName(member.name)) return false;
    const isStatic = ts.canHaveModifiers(member) && ts.getModifiers(member)?.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword);
    return !(isStatic && ts.isPropertyDeclaration(member));
  });
}

/** Identifiers that stand for variables (or types), not those that name a property. */
function namesIn(root: ts.Node): Set<string> {
  const names = new Set<string>();
  visit(root, (node) => {
    if (!ts.isIdentifier(node)) return;
    const { parent } = node;
    const isProperty =
      (ts.isPropertyAccessExpression(parent) && parent.name === node) || (ts.isPropertyAssignment(parent) && parent.name === node) || (ts.isQualifiedName(parent) && parent.right === node);
    if (!isProperty) names.add(node.text);
  });
  return names;
}

function boundNames(root: ts.Node): string[] {
  if (ts.isIdentifier(root)) return [root.text];
  const names: string[] = [];
  visit(root, (node) => {
    const binds = ts.isImportClause(node) || ts.isNamespaceImport(node) || ts.isImportSpecifier(node) || ts.isBindingElement(node);
    if (binds && node.name && ts.isIdentifier(node.name)) names.push(node.name.text);
  });
  return names;
}

function isAccess(node: ts.Node): node is ts.PropertyAccessExpression | ts.ElementAccessExpression {
  return ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node);
}

function rootOf(node: ts.Expression): string | undefined {
  if (ts.isIdentifier(node)) return node.text;
  return isAccess(node) || ts.isNonNullExpression(node) || ts.isParenthesizedExpression(node) || ts.isAsExpression(node) ? rootOf(node.expression) : undefined;
}

function inFunction(node: ts.Node): boolean {
  for (let at = node.parent; at; at = at.parent) if (ts.isFunctionLike(at)) return true;
  return false;
}

function contains(root: ts.Node, wanted: (node: ts.Node) => boolean): boolean {
  let found = false;
  visit(root, (node) => (found ||= wanted(node)));
  return found;
}

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}
