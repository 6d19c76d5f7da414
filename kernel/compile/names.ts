import type * as TS from "@tslab/typescript-for-tslab";

/** Identifiers that a statement declares as variables. */
export function declaredIdentifiers(ts: typeof TS, statement: TS.Statement): TS.Identifier[] {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.flatMap(({ name }) => boundIdentifiers(ts, name));
  if (ts.isImportDeclaration(statement)) return importedIdentifiers(ts, statement);
  const isNamed = ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement) || ts.isEnumDeclaration(statement);
  return isNamed && statement.name ? [statement.name] : [];
}

export function boundIdentifiers(ts: typeof TS, name: TS.BindingName): TS.Identifier[] {
  if (ts.isIdentifier(name)) return [name];
  return name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : boundIdentifiers(ts, element.name)));
}

export function importedIdentifiers(ts: typeof TS, { importClause }: TS.ImportDeclaration): TS.Identifier[] {
  if (!importClause || importClause.isTypeOnly) return [];
  const bindings = importClause.namedBindings;
  const named = !bindings ? [] : ts.isNamespaceImport(bindings) ? [bindings.name] : bindings.elements.map((each) => each.name);
  return importClause.name ? [importClause.name, ...named] : named;
}

/** `text` with blanks for the word `export` in front of declarations: the converter exports every name of a cell itself. */
export function withoutExports(ts: typeof TS, text: string): string {
  if (!text.includes("export")) return text;
  const file = ts.createSourceFile("cell.tsx", text, ts.ScriptTarget.Latest, true);
  if ((file as unknown as { parseDiagnostics: unknown[] }).parseDiagnostics.length > 0) return text;
  let plain = text;
  const blank = (start: number, end: number) => {
    plain = plain.slice(0, start) + plain.slice(start, end).replace(/[^\n]/g, " ") + plain.slice(end);
  };
  for (const statement of file.statements) {
    if (ts.isExportDeclaration(statement)) {
      const { exportClause, moduleSpecifier } = statement;
      const renames = exportClause && ts.isNamedExports(exportClause) && exportClause.elements.some(({ propertyName }) => propertyName);
      if (!moduleSpecifier && !renames) blank(statement.getStart(), statement.end);
    } else if (ts.canHaveModifiers(statement)) {
      const words = (ts.getModifiers(statement) ?? []).filter(({ kind }) => kind === ts.SyntaxKind.ExportKeyword || kind === ts.SyntaxKind.DefaultKeyword);
      // `export default function () {}` declares no name: it stays.
      const isNamed = ts.isVariableStatement(statement) || (statement as { name?: TS.Node }).name !== undefined;
      if (isNamed) for (const word of words) blank(word.getStart(), word.end);
    }
  }
  return plain;
}
