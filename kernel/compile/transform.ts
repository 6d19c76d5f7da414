import type * as TS from "@tslab/typescript-for-tslab";

/** Name under which the code of a cell finds the cell that runs it. See kernel/child/cell.ts. */
export const CELL = "__cell__";

/**
 * Rewrites a cell's JavaScript before it becomes CommonJS:
 * - `await x` -> `__cell__.resume(await __cell__.pass(x))`: where an interrupt stops it;
 * - `for await (… of x)` -> `… of __cell__.iterate(x)`, likewise;
 * - `import(x)` -> `__cell__.import(x)`: resolved from the notebook, packages with top-level await included;
 * - `import.meta` -> `__cell__.meta`, which a script does not have.
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
 * `{ name }` of an earlier cell's variable -> `{ name: exports.name }`. The converter does so with names elsewhere, but takes
 * a shorthand property for a name of its own.
 * @param earlier the file that declares the variables of earlier cells
 */
export function shorthandTransformer(ts: typeof TS, checker: TS.TypeChecker, earlier: string): TS.TransformerFactory<TS.SourceFile> {
  const { factory } = ts;
  return (context) => {
    const visit = (node: TS.Node): TS.Node => {
      const isEarlier = ts.isShorthandPropertyAssignment(node) && checker.getShorthandAssignmentValueSymbol(node)?.declarations?.some((each) => each.getSourceFile().fileName === earlier);
      if (!isEarlier) return ts.visitEachChild(node, visit, context);
      const { name, objectAssignmentInitializer } = node;
      const variable = factory.createPropertyAccessExpression(factory.createIdentifier("exports"), name.text);
      // `({ name = 1 } = value)`
      const initial = objectAssignmentInitializer && (ts.visitNode(objectAssignmentInitializer, visit) as TS.Expression);
      return ts.setTextRange(factory.createPropertyAssignment(name.text, initial ? factory.createAssignment(variable, initial) : variable), node);
    };
    return (file) => ts.visitNode(file, visit) as TS.SourceFile;
  };
}

/** True where `source` awaits outside of any function: `await` or `for await`. */
export function awaitsAtTopLevel(ts: typeof TS, source: TS.SourceFile): boolean {
  const visit = (node: TS.Node): boolean => {
    if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier)) return true;
    if (ts.isFunctionLike(node)) return false;
    // Static initialisers and methods of a class have a scope of their own; its heritage and decorators do not.
    if (ts.isPropertyDeclaration(node) || ts.isClassStaticBlockDeclaration(node)) return false;
    return ts.forEachChild(node, (child) => visit(child) || undefined) ?? false;
  };
  return visit(source);
}
