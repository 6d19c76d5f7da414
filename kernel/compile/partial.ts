import type * as TS from "@tslab/typescript-for-tslab";
import { boundIdentifiers, importedIdentifiers } from "./names.js";

/**
 * The part of a cell whose declarations hold after it threw: types, functions, and the variables,
 * classes and imports that were reached. Compiling this text gives the declarations for later cells.
 * @param reached names that were assigned before the throw
 */
export function survivingSource(ts: typeof TS, source: string, reached: ReadonlySet<string>): string {
  const file = ts.createSourceFile("cell.tsx", source, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const kept: string[] = [];
  for (const statement of file.statements) {
    if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) kept.push(statement.getText());
    else if (ts.isVariableStatement(statement)) kept.push(...reachedVariables(ts, statement, reached));
    else if (ts.isImportDeclaration(statement) && importedNames(ts, statement).every((name) => reached.has(name))) {
      kept.push(statement.getText());
    } else if (
      (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement)) &&
      statement.name &&
      reached.has(statement.name.text)
    ) {
      kept.push(statement.getText());
    }
  }
  return kept.join("\n");
}

function reachedVariables(ts: typeof TS, statement: TS.VariableStatement, reached: ReadonlySet<string>): string[] {
  const { flags } = statement.declarationList;
  const keyword = flags & ts.NodeFlags.Const ? "const" : flags & ts.NodeFlags.Let ? "let" : "var";
  return statement.declarationList.declarations
    .filter((declaration) => boundNames(ts, declaration.name).every((name) => reached.has(name)))
    .map((declaration) => `${keyword} ${declaration.getText()};`);
}

function boundNames(ts: typeof TS, name: TS.BindingName): string[] {
  return boundIdentifiers(ts, name).map(({ text }) => text);
}

function importedNames(ts: typeof TS, statement: TS.ImportDeclaration): string[] {
  return importedIdentifiers(ts, statement).map(({ text }) => text);
}
