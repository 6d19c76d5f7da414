/** What code does with an object: whether it changes it, gives it another name, or only looks at it. */
import type * as TS from "@tslab/typescript-for-tslab";
import type { Project } from "./project.js";
import { ts } from "./typescript.js";

/**
 * `write`: assigns the variable, or changes what it holds, or may do so; `shared`: what it holds, or a part of that, gets another
 * name, by which it could be changed; `read`: none of these.
 */
export type Flow = "read" | "shared" | "write";

/** Methods that change their object: of the language's own objects, and by the verbs that packages use. */
const MUTATORS = /^(push|pop|shift|unshift|splice|sort|reverse|fill|copyWithin|add|delete|clear|append|next|throw|exec|emit|once|on|off|read|write|swap\d*|copy|store|exchange|compareExchange|encodeInto|insert|remove|drop|prepend|dispose|reset|update|train|fit|step|evict|resize|close|seek|enqueue|dequeue|rename|assign)$|^(set|write|replaceChild|add|remove|insert|append|update|delete)[A-Z]|^set$/;
/** Functions that change what they are given. */
const CHANGE_GIVEN = new Set(["assign", "defineProperty", "defineProperties", "setPrototypeOf", "freeze", "seal", "preventExtensions", "set", "deleteProperty", "apply", "construct", "getRandomValues", "randomFillSync", "randomFill", "store", "exchange", "compareExchange", "encodeInto", "readSync", "copy"]);
/** Methods of arrays and strings whose result is new: of plain values it has nothing in common with the object. */
const FRESH = new Set(["map", "filter", "slice", "concat", "flat", "flatMap", "toSorted", "toReversed", "toSpliced", "with", "split", "subarray", "entries", "keys", "values"]);
/** Files of packages whose functions leave what they are given as it is. */
const CAREFUL = /\/node_modules\/(typescript|@tslab\/typescript-for-tslab|@types|types-node-\d+|sdtp-notebook|danfojs-node|plotly\.js)\//;

/** What is done with a variable where it stands. Conservative: what is not known to leave an object alone may change it. */
export function flowOf(project: Project, checker: TS.TypeChecker, variable: TS.Node): Flow {
  const type = checker.getTypeAtLocation(variable);
  if (isPrimitive(type) && !isAssigned(variable)) return "read";
  let node: TS.Node = variable;
  let found: Flow = "read";
  for (;;) {
    const { parent } = node;
    if (isAssigned(node)) return "write";
    const isPart = (ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent)) && parent.expression === node;
    if (isPart) {
      const call = ts.isCallExpression(parent.parent) && parent.parent.expression === parent ? parent.parent : undefined;
      if (call) {
        if (changesIts(project, checker, node, nameOf(parent), call)) return "write";
        // A function that is given gets parts of the object.
        if (call.arguments.some((argument) => isCallable(checker.getTypeAtLocation(argument)))) found = "shared";
        if (isApart(checker, node, nameOf(parent), call)) return found;
        node = call;
        continue;
      }
      if (isPrimitive(checker.getTypeAtLocation(parent)) && !isAssigned(parent)) return found;
      node = parent;
      continue;
    }
    if (ts.isNonNullExpression(parent) || ts.isParenthesizedExpression(parent) || ts.isAsExpression(parent) || ts.isSatisfiesExpression(parent) || ts.isAwaitExpression(parent)) {
      node = parent;
      continue;
    }
    const isGiven = (ts.isCallExpression(parent) || ts.isNewExpression(parent)) && parent.expression !== node;
    if (isGiven && isHandedOn(project, checker, parent)) return "write";
    if (isGiven) return ts.isCallExpression(parent) && isPrimitive(checker.getTypeAtLocation(parent)) ? found : consumed(checker, node);
    if (isLookedAt(parent, node)) return found;
    if ((ts.isForOfStatement(parent) && parent.expression === node) || ts.isSpreadElement(parent)) return hasPlainElements(checker, node) ? found : consumed(checker, node);
    return consumed(checker, node);
  }
}

/** An iterator is used up by whoever goes through it. */
const consumed = (checker: TS.TypeChecker, node: TS.Node): Flow => (checker.getTypeAtLocation(node).getProperty("next") ? "write" : "shared");

/** Whether code changes objects that it got from elsewhere by names of its own: parameters, elements, what functions gave. */
export function changesOthers(project: Project, checker: TS.TypeChecker, root: TS.Node, isEarlier: (node: TS.Identifier) => boolean): boolean {
  let found = false;
  /** Whether an expression is an object that was made here, or that is looked after otherwise. */
  const isKnown = (object: TS.Node): boolean => {
    if (object.kind === ts.SyntaxKind.ThisKeyword || object.kind === ts.SyntaxKind.SuperKeyword) return true;
    if (isPrimitive(checker.getTypeAtLocation(object))) return true;
    if (ts.isIdentifier(object)) return isEarlier(object) || isFresh(project, checker, object);
    if (isMade(object)) return true;
    const inner = ts.isPropertyAccessExpression(object) || ts.isElementAccessExpression(object) || ts.isNonNullExpression(object) || ts.isParenthesizedExpression(object) || ts.isAsExpression(object) ? object.expression : undefined;
    if (!inner) return false;
    // Parts of an earlier cell's variable are its own; parts of what is new may be anybody's.
    let base: TS.Node = inner;
    while (ts.isPropertyAccessExpression(base) || ts.isElementAccessExpression(base) || ts.isNonNullExpression(base) || ts.isParenthesizedExpression(base) || ts.isAsExpression(base)) base = base.expression;
    return base.kind === ts.SyntaxKind.ThisKeyword || (ts.isIdentifier(base) && (isEarlier(base) || isGlobal(checker, base)));
  };
  const visit = (node: TS.Node): void => {
    if (found) return;
    if ((ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) && isAssigned(node) && !isKnown(node.expression)) found = true;
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      const { expression } = node;
      const isMethod = ts.isCallExpression(node) && (ts.isPropertyAccessExpression(expression) || ts.isElementAccessExpression(expression));
      if (isMethod && !isKnown(expression.expression) && changesIts(project, checker, expression.expression, nameOf(expression), node)) found = true;
      if (isHandedOn(project, checker, node) && (node.arguments ?? []).some((argument) => !isKnown(argument) && !ts.isArrowFunction(argument) && !ts.isFunctionExpression(argument))) found = true;
    }
    if (!found) ts.forEachChild(node, visit);
  };
  visit(root);
  return found;
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

/** Whether calling a method changes its object: by the method's name, or because the notebook or a package that is not known declares it. */
function changesIts(project: Project, checker: TS.TypeChecker, object: TS.Node, name: string | undefined, call: TS.CallExpression): boolean {
  if (isPrimitive(checker.getTypeAtLocation(object))) return false;
  if (name === undefined || call.arguments.some((argument) => /\binplace\b/.test(argument.getText()))) return true;
  const { expression } = call;
  const method = checker.getSymbolAtLocation(ts.isPropertyAccessExpression(expression) ? expression.name : expression);
  // danfo.js changes a frame only where it is told to: its `add` and `drop` give a new one.
  if (declaredIn(method)?.fileName.includes("/danfojs-")) return false;
  return MUTATORS.test(name) || isOfNotebook(project, checker, method) || isUnknown(method);
}

/** Whether arguments are given to a function that may change them. */
function isHandedOn(project: Project, checker: TS.TypeChecker, call: TS.CallExpression | TS.NewExpression): boolean {
  const { expression } = call;
  const name = ts.isPropertyAccessExpression(expression) ? expression.name : expression;
  if (ts.isIdentifier(name) && CHANGE_GIVEN.has(name.text)) return true;
  if (ts.isFunctionExpression(expression) || ts.isArrowFunction(expression)) return true;
  const symbol = checker.getSymbolAtLocation(name);
  return isOfNotebook(project, checker, symbol) || (isUnknown(symbol) && expression.kind !== ts.SyntaxKind.SuperKeyword);
}

/** Whether the notebook declares what a symbol stands for: this cell, an earlier one, or a module beside it. */
function isOfNotebook(project: Project, checker: TS.TypeChecker, symbol: TS.Symbol | undefined): boolean {
  const file = declaredIn(symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  if (!file) return false;
  return file === project.cellFile || project.earlier.has(file) || project.localFiles().includes(file);
}

/** Whether nothing is known of a function, or it is a package's of which nothing is known. */
function isUnknown(symbol: TS.Symbol | undefined): boolean {
  const file = declaredIn(symbol);
  if (!file) return true;
  const path = file.fileName.replaceAll("\\", "/");
  return path.includes("/node_modules/") && !CAREFUL.test(path);
}

const declaredIn = (symbol: TS.Symbol | undefined): TS.SourceFile | undefined => symbol?.declarations?.[0]?.getSourceFile();

/** Whether what a method gives has no part in common with its object. */
function isApart(checker: TS.TypeChecker, object: TS.Node, name: string | undefined, call: TS.CallExpression): boolean {
  const result = checker.getTypeAtLocation(call);
  if (isPrimitive(result)) return true;
  return name !== undefined && FRESH.has(name) && name !== "subarray" && (hasPlainElements(checker, call) || hasPlainElements(checker, object));
}

function hasPlainElements(checker: TS.TypeChecker, node: TS.Node): boolean {
  const type = checker.getTypeAtLocation(node);
  const element = checker.getIndexTypeOfType(type, ts.IndexKind.Number);
  return element !== undefined && isPrimitive(element);
}

/** Places in which an object is only looked at. */
function isLookedAt(parent: TS.Node, node: TS.Node): boolean {
  if (ts.isExpressionStatement(parent) || ts.isTypeOfExpression(parent) || ts.isVoidExpression(parent) || ts.isTemplateSpan(parent) || ts.isPrefixUnaryExpression(parent) || ts.isForInStatement(parent)) return true;
  if (ts.isIfStatement(parent) || ts.isWhileStatement(parent) || ts.isDoStatement(parent) || ts.isSwitchStatement(parent)) return true;
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent) || ts.isTaggedTemplateExpression(parent)) return (parent as { expression?: TS.Node; tag?: TS.Node }).expression === node || (parent as { tag?: TS.Node }).tag === node;
  if (ts.isConditionalExpression(parent)) return parent.condition === node;
  if (ts.isElementAccessExpression(parent)) return parent.argumentExpression === node;
  if (!ts.isBinaryExpression(parent)) return false;
  const { kind } = parent.operatorToken;
  const gives = kind === ts.SyntaxKind.AmpersandAmpersandToken || kind === ts.SyntaxKind.BarBarToken || kind === ts.SyntaxKind.QuestionQuestionToken || kind === ts.SyntaxKind.CommaToken || (kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment);
  return !gives;
}

/** An expression that makes an object. */
function isMade(node: TS.Node): boolean {
  return ts.isArrayLiteralExpression(node) || ts.isObjectLiteralExpression(node) || ts.isNewExpression(node) || ts.isArrowFunction(node) || ts.isFunctionExpression(node) || ts.isRegularExpressionLiteral(node);
}

/** A variable of this cell that holds an object which was made for it. */
function isFresh(project: Project, checker: TS.TypeChecker, node: TS.Identifier): boolean {
  const declaration = checker.getSymbolAtLocation(node)?.valueDeclaration;
  if (!declaration || declaration.getSourceFile() !== project.cellFile) return isGlobal(checker, node);
  if (!ts.isVariableDeclaration(declaration) || !declaration.initializer || (ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.Const) === 0) return false;
  let { initializer } = declaration;
  while (ts.isAsExpression(initializer) || ts.isSatisfiesExpression(initializer) || ts.isParenthesizedExpression(initializer) || ts.isAwaitExpression(initializer)) initializer = initializer.expression;
  if (isMade(initializer)) return true;
  return ts.isCallExpression(initializer) && ts.isPropertyAccessExpression(initializer.expression) && (FRESH.has(initializer.expression.name.text) || /^(Array|Object|Buffer)$/.test(initializer.expression.expression.getText()));
}

/** `console`, `Math`, `process`, `sdtp`: what every cell sees. */
function isGlobal(checker: TS.TypeChecker, node: TS.Identifier): boolean {
  const file = declaredIn(checker.getSymbolAtLocation(node));
  return file !== undefined && CAREFUL.test(file.fileName.replaceAll("\\", "/"));
}

export const isCallable = (type: TS.Type): boolean => type.getCallSignatures().length > 0 || type.getConstructSignatures().length > 0;

export function isPrimitive(type: TS.Type): boolean {
  if (type.isUnion()) return type.types.every(isPrimitive);
  return (type.flags & (ts.TypeFlags.StringLike | ts.TypeFlags.NumberLike | ts.TypeFlags.BooleanLike | ts.TypeFlags.BigIntLike | ts.TypeFlags.ESSymbolLike | ts.TypeFlags.Null | ts.TypeFlags.Undefined | ts.TypeFlags.Void | ts.TypeFlags.Never)) !== 0;
}

const nameOf = (access: TS.PropertyAccessExpression | TS.ElementAccessExpression): string | undefined => (ts.isPropertyAccessExpression(access) ? access.name.text : ts.isStringLiteralLike(access.argumentExpression) ? access.argumentExpression.text : undefined);
