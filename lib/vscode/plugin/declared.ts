import type ts from "@tslab/typescript-for-tslab";

/** What a cell declares for the cells below it. */
export interface Declared {
  readonly names: ReadonlyMap<string, "variable" | "fixed">;
  /** Those that it exports by itself. */
  readonly exported: ReadonlySet<string>;
  /** Words in it, of which one may be something that is preloaded. */
  readonly words: ReadonlySet<string>;
}

/** The names that a cell declares at its top, `var`s in its blocks included; `variable` where a later cell may assign. */
export function declaredIn(typescript: typeof ts, text: string): Declared {
  const source = typescript.createSourceFile("cell.ts", text, typescript.ScriptTarget.Latest, false, typescript.ScriptKind.TS);
  const names = new Map<string, "variable" | "fixed">();
  const exported = new Set<string>();
  const bind = (name: ts.BindingName, kind: "variable" | "fixed") => {
    if (typescript.isIdentifier(name)) {
      if (name.text !== "") names.set(name.text, kind);
    } else for (const element of name.elements) if (!typescript.isOmittedExpression(element)) bind(element.name, kind);
  };
  const isVar = (list: ts.VariableDeclarationList) => (list.flags & typescript.NodeFlags.BlockScoped) === 0;
  const vars = (node: ts.Node): void => {
    if (typescript.isFunctionLike(node) || typescript.isClassLike(node) || typescript.isModuleDeclaration(node)) return;
    if (typescript.isVariableDeclarationList(node) && isVar(node)) for (const { name } of node.declarations) bind(name, "variable");
    typescript.forEachChild(node, vars);
  };
  for (const statement of source.statements) {
    const before = names.size;
    if (typescript.isVariableStatement(statement)) {
      const fixed = (statement.declarationList.flags & typescript.NodeFlags.Const) !== 0;
      for (const { name } of statement.declarationList.declarations) bind(name, fixed ? "fixed" : "variable");
    } else if (typescript.isImportDeclaration(statement)) {
      const clause = statement.importClause;
      if (clause?.name) bind(clause.name, "fixed");
      const named = clause?.namedBindings;
      if (named && typescript.isNamespaceImport(named)) bind(named.name, "fixed");
      else if (named) for (const { name } of named.elements) bind(name, "fixed");
    } else if (typescript.isFunctionDeclaration(statement) || typescript.isClassDeclaration(statement)) {
      if (statement.name) bind(statement.name, "fixed");
    } else if (typescript.isInterfaceDeclaration(statement) || typescript.isTypeAliasDeclaration(statement) || typescript.isEnumDeclaration(statement) || typescript.isImportEqualsDeclaration(statement)) {
      bind(statement.name, "fixed");
    } else if (typescript.isModuleDeclaration(statement) && typescript.isIdentifier(statement.name) && statement.name.text !== "global") {
      bind(statement.name, "fixed");
    } else if (typescript.isExportDeclaration(statement) && statement.exportClause && typescript.isNamedExports(statement.exportClause)) {
      for (const { name } of statement.exportClause.elements) exported.add(name.text);
    }
    vars(statement);
    if (typescript.canHaveModifiers(statement) && typescript.getModifiers(statement)?.some(({ kind }) => kind === typescript.SyntaxKind.ExportKeyword)) {
      for (const name of [...names.keys()].slice(before)) exported.add(name);
    }
  }
  return { names, exported, words: new Set(text.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu) ?? []) };
}
