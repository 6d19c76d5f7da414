import type * as TS from "@tslab/typescript-for-tslab";

/** Name under which the code of a cell finds the cell that runs it. See kernel/child/cell.ts. */
export const CELL = "__cell__";

/**
 * Rewrites a cell's JavaScript before it becomes CommonJS:
 * - `await x` -> `__cell__.resume(await __cell__.pass(x))`: where an interrupt stops it;
 * - `for await (… of x)` -> `… of __cell__.iterate(x)`, likewise;
 * - `import(x)` -> `__cell__.import(x)`: resolved from the notebook, packages with top-level await included;
 * - `import.meta` -> `__cell__.meta`, which a script does not have.
 * `Function.prototype.toString` takes all of it back (child/source-text.ts), for functions that are sent elsewhere as text.
 * @param imports receives the modules of static imports, in order.
 */
export function cellTransformer(ts: typeof TS, imports: string[]): TS.TransformerFactory<TS.SourceFile> {
  const { factory } = ts;
  const call = (name: string, argument: TS.Expression, original: TS.Node) =>
    ts.setTextRange(
      factory.createCallExpression(factory.createPropertyAccessExpression(factory.createIdentifier(CELL), name), undefined, [argument]),
      original,
    );
  return (context) => {
    const visit = (node: TS.Node): TS.Node => {
      if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) imports.push(node.moduleSpecifier.text);
      if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
        imports.push(node.moduleSpecifier.text);
      }
      const inner = ts.visitEachChild(node, visit, context);
      if (ts.isAwaitExpression(inner)) {
        const passed = factory.updateAwaitExpression(inner, call("pass", inner.expression, inner.expression));
        return call("resume", passed, inner);
      }
      if (ts.isForOfStatement(inner) && inner.awaitModifier) {
        const iterated = call("iterate", inner.expression, inner.expression);
        return factory.updateForOfStatement(inner, inner.awaitModifier, inner.initializer, iterated, inner.statement);
      }
      if (ts.isCallExpression(inner) && inner.expression.kind === ts.SyntaxKind.ImportKeyword) {
        return call("import", inner.arguments[0] ?? factory.createVoidZero(), inner);
      }
      if (ts.isMetaProperty(inner) && inner.keywordToken === ts.SyntaxKind.ImportKeyword) {
        return factory.createPropertyAccessExpression(factory.createIdentifier(CELL), "meta");
      }
      return inner;
    };
    return (file) => ts.visitNode(file, visit) as TS.SourceFile;
  };
}

/**
 * What TypeScript adds where it makes CommonJS, made to go through the cell, so that a cell may have an `exports` and a
 * `require` of its own: `require("m")` -> `__cell__.require("m")`, and no mark of an ES module, which a cell is none.
 */
export function commonJsTransformer(ts: typeof TS): TS.TransformerFactory<TS.SourceFile> {
  const { factory } = ts;
  const isAdded = (node: TS.Node) => node.pos < 0;
  return (context) => {
    const visit = (node: TS.Node): TS.Node => {
      const inner = ts.visitEachChild(node, visit, context);
      if (ts.isCallExpression(inner) && ts.isIdentifier(inner.expression) && inner.expression.text === "require" && isAdded(inner.expression)) {
        const load = factory.createPropertyAccessExpression(factory.createIdentifier(CELL), "require");
        return factory.updateCallExpression(inner, load, undefined, inner.arguments);
      }
      return inner;
    };
    const isMark = (statement: TS.Statement) => isAdded(statement) && ts.isExpressionStatement(statement) && ts.isCallExpression(statement.expression) && ts.isStringLiteral(statement.expression.arguments[1] ?? statement) && (statement.expression.arguments[1] as TS.StringLiteral).text === "__esModule";
    return (file) => {
      const visited = ts.visitEachChild(file, visit, context);
      return factory.updateSourceFile(visited, visited.statements.filter((statement) => !isMark(statement)));
    };
  };
}

/** True where `source` awaits outside of any function: `await` or `for await`. */
export function awaitsAtTopLevel(ts: typeof TS, source: TS.SourceFile): boolean {
  const visit = (node: TS.Node): boolean => {
    if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier)) return true;
    // `await using x = …`
    if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.BlockScoped) === ts.NodeFlags.AwaitUsing) return true;
    if (ts.isFunctionLike(node)) return false;
    // Static initialisers and methods of a class have a scope of their own; its heritage and decorators do not.
    if (ts.isPropertyDeclaration(node) || ts.isClassStaticBlockDeclaration(node)) return false;
    return ts.forEachChild(node, (child) => visit(child) || undefined) ?? false;
  };
  return visit(source);
}
