/**
 * Two thirds of what declaration files hold are comments, and the compiler would parse each of them before
 * the first cell can run. It gets the files without them; the comment of one declaration is read when
 * somebody asks for it.
 */
import type * as TS from "@tslab/typescript-for-tslab";

/** What a comment says about a declaration. */
export interface Docs {
  description: string;
  tags: { name: string; body: string }[];
}

/** A declaration file without the comments that have their lines for themselves; its lines stay where they are. */
export function withoutDocs(text: string): string {
  return text.replace(/^[ \t]*\/\*\*(?:[^*]|\*(?!\/))*\*\/[ \t]*$/gm, (comment) => comment.replace(/[^\n]+/g, ""));
}

/**
 * The comment of what the name at `position` stands for.
 * @param read the text of a file, with comments
 */
export function docsAt(ts: typeof TS, program: TS.Program, file: TS.SourceFile, position: number, read: (path: string) => string | undefined): Docs | undefined {
  const name = nameAt(ts, file, position);
  if (!name) return undefined;
  const checker = program.getTypeChecker();
  let symbol = checker.getSymbolAtLocation(name);
  if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
  const called = callOf(ts, name);
  const overload = called && checker.getResolvedSignature(called)?.declaration;
  for (const declaration of [...(overload ? [overload] : []), ...(symbol?.declarations ?? [])]) {
    const comment = commentBefore(ts, declaration as TS.Declaration, read);
    if (comment !== undefined) return parse(ts, comment);
  }
  return undefined;
}

function nameAt(ts: typeof TS, file: TS.SourceFile, position: number): TS.Identifier | undefined {
  const find = (node: TS.Node): TS.Identifier | undefined =>
    ts.forEachChild(node, (child) => {
      if (position < child.getStart(file) || position >= child.end) return undefined;
      return ts.isIdentifier(child) ? child : find(child);
    });
  return find(file);
}

/** The call of `name` or of `….name`. */
function callOf(ts: typeof TS, name: TS.Identifier): TS.CallLikeExpression | undefined {
  const { parent } = name;
  const callee = ts.isPropertyAccessExpression(parent) && parent.name === name ? parent : name;
  const call = callee.parent;
  return (ts.isCallExpression(call) || ts.isNewExpression(call)) && call.expression === callee ? call : undefined;
}

function commentBefore(ts: typeof TS, declaration: TS.Declaration, read: (path: string) => string | undefined): string | undefined {
  const file = declaration.getSourceFile();
  const text = read(file.fileName);
  if (text === undefined) return undefined;
  // The comment of `const a = …` stands in front of the statement.
  const owner = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  const { line, character } = file.getLineAndCharacterOfPosition(owner.getStart(file));
  const lines = text.split("\n");
  const before = [...lines.slice(0, line), (lines[line] ?? "").slice(0, character)].join("\n").trimEnd();
  return before.endsWith("*/") ? /\/\*\*(?:[^*]|\*(?!\/))*\*\/$/.exec(before.slice(before.lastIndexOf("/**")))?.[0] : undefined;
}

function parse(ts: typeof TS, comment: string): Docs {
  const file = ts.createSourceFile("docs.d.ts", `${comment}\ndeclare const x: 0;`, ts.ScriptTarget.Latest, true);
  const docs = (file.statements[0] as { jsDoc?: TS.JSDoc[] } | undefined)?.jsDoc ?? [];
  const text = (part: string | TS.NodeArray<TS.JSDocComment> | undefined) => ts.getTextOfJSDocComment(part) ?? "";
  return {
    description: docs.map(({ comment: body }) => text(body)).join("\n"),
    tags: docs.flatMap(({ tags }) => tags ?? []).map((tag) => {
      const body = text(tag.comment);
      return { name: tag.tagName.text, body: ts.isJSDocParameterTag(tag) ? `\`${tag.name.getText(file)}\` ${body}` : body };
    }),
  };
}
