import type * as TS from "@tslab/typescript-for-tslab";
import { changesOthers, flowOf, isCallable, isPrimitive } from "./changes.js";
import type { Project } from "./project.js";
import { ts } from "./typescript.js";

/** What a cell does with a variable of an earlier cell. */
export interface Reference {
  /** The cell that declared it. */
  id: number;
  name: string;
  /** `write`: assigns it, or changes what it holds, or may do so; `read`: leaves it as it is. */
  access: "read" | "write";
  /** What it holds, or a part of that, gets another name here: changes by that name change it. */
  shared?: true;
  /** A function or class, which may be called. */
  calls?: true;
}

/** What a cell does with variables, for the graph of cells. */
export interface CellFlow {
  references: Reference[];
  /** Its own variables that functions and classes of the cell change when they are called. */
  changes: string[];
  /** Its own variables that may hold the same objects, in groups. */
  aliases: string[][];
}

/** What the cell that was compiled last does with variables. Call before the cell is committed. */
export function flowOfCell(project: Project): CellFlow {
  const checker = project.program.getTypeChecker();
  const isEarlier = (node: TS.Identifier): boolean => {
    const earlier = project.earlier.find(node.escapedText as string);
    return earlier !== undefined && symbolOf(checker, node) === earlier.symbol;
  };
  const found = new Map<string, Reference>();
  const own = ownVariables(project.cellFile, checker);
  const changes = new Set<string>();
  const aliases: string[][] = [];
  const others = once(() => changesOthers(project, checker, project.cellFile, isEarlier));
  const visit = (node: TS.Node, owner: string | undefined, isInside: boolean): void => {
    if (ts.isIdentifier(node)) {
      const earlier = project.earlier.find(node.escapedText as string);
      const symbol = symbolOf(checker, node);
      if (earlier && symbol === earlier.symbol) note(earlier.id, node);
      else if (symbol && own.has(symbol) && !isDeclared(node)) {
        const flow = flowOf(project, checker, node);
        if (isInside && (flow === "write" || (flow === "shared" && others()))) changes.add(node.text);
        if (owner !== undefined && owner !== node.text && flow !== "read") aliases.push([owner, node.text]);
      }
    }
    const inside = isInside || ts.isFunctionLike(node) || ts.isClassLike(node);
    const named = ts.isVariableDeclaration(node) && node.parent.parent.parent === project.cellFile ? boundName(node.name) : owner;
    ts.forEachChild(node, (child) => visit(child, named, inside));
    // `r = rows` after the declaration.
    if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken && ts.isIdentifier(node.left) && ts.isIdentifier(node.right)) {
      const [left, right] = [checker.getSymbolAtLocation(node.left), checker.getSymbolAtLocation(node.right)];
      if (left && right && own.has(left) && own.has(right)) aliases.push([node.left.text, node.right.text]);
    }
  };
  const note = (id: number, node: TS.Identifier): void => {
    const key = `${id} ${node.text}`;
    const reference: Reference = found.get(key) ?? { id, name: node.text, access: "read" };
    found.set(key, reference);
    if (isType(node)) return;
    const flow = flowOf(project, checker, node);
    if (flow === "write" || (flow === "shared" && others())) reference.access = "write";
    const type = checker.getTypeAtLocation(node);
    if (flow !== "read" && !isPrimitive(type)) reference.shared = true;
    if (isCallable(type)) reference.calls = true;
  };
  visit(project.cellFile, undefined, false);
  return { references: [...found.values()], changes: [...changes], aliases: grouped(aliases) };
}

function symbolOf(checker: TS.TypeChecker, node: TS.Identifier): TS.Symbol | undefined {
  const { parent } = node;
  if (ts.isShorthandPropertyAssignment(parent) && parent.name === node) return checker.getShorthandAssignmentValueSymbol(parent);
  return checker.getSymbolAtLocation(node);
}

/** The variables that a cell declares at its top. */
function ownVariables(file: TS.SourceFile, checker: TS.TypeChecker): Set<TS.Symbol> {
  const found = new Set<TS.Symbol>();
  const bind = (name: TS.BindingName): void => {
    if (ts.isIdentifier(name)) {
      const symbol = checker.getSymbolAtLocation(name);
      if (symbol) found.add(symbol);
    } else for (const element of name.elements) if (!ts.isOmittedExpression(element)) bind(element.name);
  };
  for (const statement of file.statements) if (ts.isVariableStatement(statement)) for (const { name } of statement.declarationList.declarations) bind(name);
  return found;
}

/** Whether an identifier is the name in its own declaration. */
const isDeclared = (node: TS.Identifier): boolean => (ts.isVariableDeclaration(node.parent) || ts.isBindingElement(node.parent)) && node.parent.name === node;

/** The variable of a declaration; of a pattern its first, which stands for all. */
function boundName(name: TS.BindingName): string | undefined {
  if (ts.isIdentifier(name)) return name.text;
  const first = name.elements.find((element) => !ts.isOmittedExpression(element));
  return first && boundName((first as TS.BindingElement).name);
}

/** Pairs as groups of all that hang together. */
function grouped(pairs: readonly string[][]): string[][] {
  const groups: Set<string>[] = [];
  for (const pair of pairs) {
    const touched = groups.filter((group) => pair.some((name) => group.has(name)));
    for (const group of touched) groups.splice(groups.indexOf(group), 1);
    groups.push(new Set([...pair, ...touched.flatMap((group) => [...group])]));
  }
  return groups.map((group) => [...group]);
}

/** Whether an identifier stands in a type. */
function isType(node: TS.Node): boolean {
  for (let at = node.parent; !ts.isSourceFile(at); at = at.parent) {
    if (ts.isTypeNode(at) && !ts.isExpressionWithTypeArguments(at)) return true;
    if (ts.isStatement(at)) return ts.isInterfaceDeclaration(at) || ts.isTypeAliasDeclaration(at);
  }
  return false;
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
