import type * as TS from "@tslab/typescript-for-tslab";
import type { EarlierCells, EarlierName } from "./earlier.js";
import { CELL } from "./transform.js";

/** What a cell uses of earlier cells: the ids of those cells, and the constants of each. */
export type Uses = Map<number, Set<string>>;

/** The name under which a cell's code has the variables of an earlier one. */
export const scopeName = (id: number): string => `__cell${id}__`;

/**
 * Makes a cell's names of earlier cells work, while its types are still known. What cannot change (a constant, a
 * function, a class) keeps its name: the cell gets a constant of that name. What can change is read and written where it
 * lives: `x` -> `__cell3__.x`, a getter and a setter over the variable of the cell that declared it. And the value of the
 * last expression is kept: `x` -> `__cell__.result = x`.
 * @param uses receives what the cell uses
 * @param unchecked the cell may assign to anything
 */
export function referenceTransformer(ts: typeof TS, checker: TS.TypeChecker, earlier: EarlierCells, uses: Uses, unchecked: boolean): TS.TransformerFactory<TS.SourceFile> {
  const { factory } = ts;
  const use = (id: number): Set<string> => {
    const names = uses.get(id) ?? new Set();
    uses.set(id, names);
    return names;
  };
  /** What an identifier stands for, where that is a name of an earlier cell and not one inside this cell, or a property. */
  const earlierOf = (node: TS.Identifier): EarlierName | undefined => {
    const found = earlier.find(node.escapedText as string);
    if (!found) return undefined;
    const { parent } = node;
    const symbol = parent && ts.isShorthandPropertyAssignment(parent) && parent.name === node ? checker.getShorthandAssignmentValueSymbol(parent) : checker.getSymbolAtLocation(node);
    return symbol === found.symbol ? found : undefined;
  };
  const isLive = ({ symbol }: EarlierName): boolean => {
    if (unchecked || symbol.flags & ts.SymbolFlags.Alias) return true;
    const declaration = symbol.valueDeclaration;
    return declaration !== undefined && ts.isVariableDeclaration(declaration) && (ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.Const) === 0;
  };
  /** The expression for an identifier of an earlier cell; undefined where it stays. */
  const replaced = (node: TS.Identifier): TS.Expression | undefined => {
    const found = earlierOf(node);
    if (!found) return undefined;
    if (!isLive(found)) {
      use(found.id).add(node.text);
      return undefined;
    }
    use(found.id);
    return ts.setTextRange(factory.createPropertyAccessExpression(factory.createIdentifier(scopeName(found.id)), node.text), node);
  };
  /** `x()` must not make the scope its `this`. */
  const detached = (node: TS.Expression): TS.Expression | undefined => {
    const access = ts.isIdentifier(node) ? replaced(node) : undefined;
    return access && factory.createParenthesizedExpression(factory.createComma(factory.createNumericLiteral(0), access));
  };

  return (context) => {
    let hasJsx = false;
    const visit = (node: TS.Node): TS.Node | undefined => {
      if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return node;
      if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isExportDeclaration(node)) return node;
      if (ts.isHeritageClause(node) && node.token === ts.SyntaxKind.ImplementsKeyword) return node;
      hasJsx ||= ts.isJsxOpeningLikeElement(node) || ts.isJsxFragment(node);
      if (ts.isIdentifier(node)) return replaced(node) ?? node;
      if (ts.isShorthandPropertyAssignment(node)) {
        const value = replaced(node.name);
        const initial = node.objectAssignmentInitializer && (ts.visitNode(node.objectAssignmentInitializer, visit) as TS.Expression);
        if (!value) return initial === node.objectAssignmentInitializer ? node : factory.updateShorthandPropertyAssignment(node, node.name, initial);
        // `({ name = 1 } = value)`
        return ts.setTextRange(factory.createPropertyAssignment(node.name.text, initial ? factory.createAssignment(value, initial) : value), node);
      }
      if (ts.isPropertyAccessExpression(node)) {
        return factory.updatePropertyAccessExpression(node, ts.visitNode(node.expression, visit) as TS.Expression, node.name);
      }
      const inner = ts.visitEachChild(node, visit, context);
      if (ts.isCallExpression(node) && ts.isCallExpression(inner) && ts.isIdentifier(node.expression) && inner.expression !== node.expression) {
        const callee = detached(node.expression);
        if (callee && ts.isCallChain(inner)) return factory.updateCallChain(inner, callee, inner.questionDotToken, inner.typeArguments, inner.arguments);
        if (callee) return factory.updateCallExpression(inner, callee, inner.typeArguments, inner.arguments);
      }
      if (ts.isTaggedTemplateExpression(node) && ts.isTaggedTemplateExpression(inner) && inner.tag !== node.tag) {
        const tag = detached(node.tag);
        if (tag) return factory.updateTaggedTemplateExpression(inner, tag, inner.typeArguments, inner.template);
      }
      // `import x = require("y")` of a module that is no CommonJS.
      if (ts.isImportEqualsDeclaration(inner) && ts.isExternalModuleReference(inner.moduleReference)) {
        const required = factory.createCallExpression(factory.createIdentifier("require"), undefined, [inner.moduleReference.expression]);
        const declaration = factory.createVariableDeclaration(inner.name, undefined, undefined, required);
        return ts.setTextRange(factory.createVariableStatement(undefined, factory.createVariableDeclarationList([declaration], ts.NodeFlags.Const)), inner);
      }
      return inner;
    };
    return (file) => {
      const visited = ts.visitEachChild(file, visit, context);
      if (hasJsx) useJsxFactory(file);
      return factory.updateSourceFile(visited, withResult(ts, visited.statements));
    };
    /** What JSX becomes calls `React`, which no identifier of the cell mentions. */
    function useJsxFactory(file: TS.SourceFile): void {
      const { jsx, jsxFactory = "React" } = context.getCompilerOptions();
      const name = jsxFactory.split(".")[0] as string;
      const own = (file as unknown as { locals?: Map<string, unknown> }).locals?.has(name);
      const found = jsx === ts.JsxEmit.React && !own ? earlier.find(name) : undefined;
      if (found) use(found.id).add(name);
    }
  };
}

/** `x` -> `__cell__.result = x`, where the last statement is an expression. */
function withResult(ts: typeof TS, statements: TS.NodeArray<TS.Statement>): TS.NodeArray<TS.Statement> {
  const { factory } = ts;
  const last = statements.findLastIndex((statement) => !ts.isExportDeclaration(statement));
  const statement = statements[last];
  if (!statement || !ts.isExpressionStatement(statement)) return statements;
  const result = factory.createPropertyAccessExpression(factory.createIdentifier(CELL), "result");
  const assigned = ts.setTextRange(factory.createExpressionStatement(factory.createAssignment(result, statement.expression)), statement);
  return ts.setTextRange(factory.createNodeArray([...statements.slice(0, last), assigned, ...statements.slice(last + 1)]), statements);
}

/** Takes `export { a, b }` out, which the converter writes behind a cell, and gives the names: those of values. */
export function exportsTransformer(ts: typeof TS, names: string[]): TS.TransformerFactory<TS.SourceFile> {
  return () => (file) => {
    const kept = file.statements.filter((statement) => {
      if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier) return true;
      if (statement.exportClause && ts.isNamedExports(statement.exportClause)) names.push(...statement.exportClause.elements.map(({ name }) => name.text));
      return false;
    });
    return ts.factory.updateSourceFile(file, kept);
  };
}
