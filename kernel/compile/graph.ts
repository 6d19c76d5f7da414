import type * as TS from "@tslab/typescript-for-tslab";
import type { Project } from "./project.js";
import { ts } from "./typescript.js";

/** What a cell does with a variable of an earlier cell. */
export interface Reference {
  /** The cell that declared it. */
  id: number;
  name: string;
  /** `write`: assigns it, or changes what it holds, or may do so; `read`: leaves it as it is. */
  access: "read" | "write";
}

/** Methods of the language's own objects that change them. */
const MUTATORS = new Set(["push", "pop", "shift", "unshift", "splice", "sort", "reverse", "fill", "copyWithin", "set", "add", "delete", "clear", "append", "setDate", "setFullYear", "setHours", "setMilliseconds", "setMinutes", "setMonth", "setSeconds", "setTime"]);
/** Functions that change what they are given first. */
const CHANGE_FIRST = new Set(["assign", "defineProperty", "defineProperties", "setPrototypeOf", "freeze", "seal", "preventExtensions"]);

/**
 * What the cell that was compiled last does with variables of earlier cells. Call before the cell is committed. A method
 * counts as a change where its name is that of one that changes an object of the language, or where the notebook itself
 * declares the object's class; handing an object to a function that the notebook declares counts as well. Functions and
 * methods of packages are taken to leave what they are given as it is.
 */
export function referencesOf(project: Project): Reference[] {
  const checker = project.program.getTypeChecker();
  const found = new Map<string, Reference>();
  const visit = (node: TS.Node): void => {
    if (ts.isIdentifier(node)) {
      const earlier = project.earlier.find(node.escapedText as string);
      if (earlier && symbolOf(checker, node) === earlier.symbol) {
        const access = isType(node) || !changes(project, checker, node) ? "read" : "write";
        const key = `${earlier.id} ${node.text}`;
        if (found.get(key)?.access !== "write") found.set(key, { id: earlier.id, name: node.text, access });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(project.cellFile);
  return [...found.values()];
}

function symbolOf(checker: TS.TypeChecker, node: TS.Identifier): TS.Symbol | undefined {
  const { parent } = node;
  if (ts.isShorthandPropertyAssignment(parent) && parent.name === node) return checker.getShorthandAssignmentValueSymbol(parent);
  return checker.getSymbolAtLocation(node);
}

/** Whether an identifier stands in a type. */
function isType(node: TS.Node): boolean {
  for (let at = node.parent; !ts.isSourceFile(at); at = at.parent) {
    if (ts.isTypeNode(at) && !ts.isExpressionWithTypeArguments(at)) return true;
    if (ts.isStatement(at)) return ts.isInterfaceDeclaration(at) || ts.isTypeAliasDeclaration(at);
  }
  return false;
}

/** Whether the variable, or something that hangs on it, is changed by what is done with it here. */
function changes(project: Project, checker: TS.TypeChecker, variable: TS.Identifier): boolean {
  if (isPrimitive(checker.getTypeAtLocation(variable)) && !isAssigned(variable)) return false;
  let node: TS.Node = variable;
  for (;;) {
    const { parent } = node;
    if (isAssigned(node)) return true;
    const isPart = (ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent)) && parent.expression === node;
    if (isPart) {
      const name = ts.isPropertyAccessExpression(parent) ? parent.name.text : ts.isStringLiteralLike(parent.argumentExpression) ? parent.argumentExpression.text : undefined;
      if (ts.isCallExpression(parent.parent) && parent.parent.expression === parent) return changesIts(project, checker, node as TS.Expression, name, parent.parent);
      if (isPrimitive(checker.getTypeAtLocation(parent)) && !isAssigned(parent)) return false;
      node = parent;
      continue;
    }
    if (ts.isNonNullExpression(parent) || ts.isParenthesizedExpression(parent) || ts.isAsExpression(parent) || ts.isSatisfiesExpression(parent)) {
      node = parent;
      continue;
    }
    return (ts.isCallExpression(parent) || ts.isNewExpression(parent)) && parent.expression !== node && isHandedOn(project, checker, parent, node);
  }
}

/** `x = …`, `x += …`, `x++`, `delete x.y`, `[x] = …`, `for (x of …)`. */
function isAssigned(node: TS.Node): boolean {
  const { parent } = node;
  if (ts.isBinaryExpression(parent)) return parent.left === node && parent.operatorToken.kind >= ts.SyntaxKind.FirstAssignment && parent.operatorToken.kind <= ts.SyntaxKind.LastAssignment;
  if (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent)) return parent.operator === ts.SyntaxKind.PlusPlusToken || parent.operator === ts.SyntaxKind.MinusMinusToken;
  if (ts.isDeleteExpression(parent)) return true;
  if (ts.isForInStatement(parent) || ts.isForOfStatement(parent)) return parent.initializer === node;
  const isPattern = ts.isArrayLiteralExpression(parent) || ts.isSpreadElement(parent) || ts.isSpreadAssignment(parent) || ts.isObjectLiteralExpression(parent) || ts.isPropertyAssignment(parent) || ts.isShorthandPropertyAssignment(parent);
  return isPattern && isAssigned(parent);
}

/** Whether calling a method changes its object. */
function changesIts(project: Project, checker: TS.TypeChecker, object: TS.Expression, name: string | undefined, call: TS.CallExpression): boolean {
  if (name === undefined || MUTATORS.has(name)) return true;
  // danfo.js changes a frame only where it is told to.
  if (call.arguments.some((argument) => /\binplace\b/.test(argument.getText()))) return true;
  const method = checker.getSymbolAtLocation((call.expression as TS.PropertyAccessExpression).name ?? call.expression);
  return isOfNotebook(project, method) && !isPrimitive(checker.getTypeAtLocation(object));
}

/** Whether an argument is given to a function that may change it. */
function isHandedOn(project: Project, checker: TS.TypeChecker, call: TS.CallExpression | TS.NewExpression, argument: TS.Node): boolean {
  const { expression } = call;
  if (ts.isPropertyAccessExpression(expression) && CHANGE_FIRST.has(expression.name.text) && call.arguments?.[0] === argument) return true;
  return isOfNotebook(project, checker.getSymbolAtLocation(ts.isPropertyAccessExpression(expression) ? expression.name : expression));
}

/** Whether the notebook declares what a symbol stands for: this cell, an earlier one, or a module beside it. */
function isOfNotebook(project: Project, symbol: TS.Symbol | undefined): boolean {
  const meant = symbol && symbol.flags & ts.SymbolFlags.Alias ? project.program.getTypeChecker().getAliasedSymbol(symbol) : symbol;
  const file = meant?.declarations?.[0]?.getSourceFile();
  if (!file) return false;
  return file === project.cellFile || project.earlier.has(file) || project.localFiles().includes(file);
}

function isPrimitive(type: TS.Type): boolean {
  if (type.isUnion()) return type.types.every(isPrimitive);
  return (type.flags & (ts.TypeFlags.StringLike | ts.TypeFlags.NumberLike | ts.TypeFlags.BooleanLike | ts.TypeFlags.BigIntLike | ts.TypeFlags.ESSymbolLike | ts.TypeFlags.Null | ts.TypeFlags.Undefined | ts.TypeFlags.Void)) !== 0;
}
