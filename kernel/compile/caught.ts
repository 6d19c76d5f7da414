import { ts } from "./typescript.js";

/**
 * Whether what is thrown at a place is caught in the function around it.
 * @param line and column, from 1
 */
export function isCaught(text: string, line: number, column: number): boolean {
  const file = ts.createSourceFile("cell.ts", text, ts.ScriptTarget.Latest, true);
  const starts = file.getLineStarts();
  const at = (starts[Math.min(line, starts.length) - 1] as number) + column - 1;
  const within = (node: { pos: number; end: number }) => node.pos <= at && at < node.end;
  let caught = false;
  const visit = (node: import("@tslab/typescript-for-tslab").Node): void => {
    if (!within(node)) return;
    // What is thrown inside a function comes out where that is called, which is another frame.
    if (ts.isFunctionLike(node)) caught = false;
    if (ts.isTryStatement(node) && node.catchClause && within(node.tryBlock)) caught = true;
    ts.forEachChild(node, visit);
  };
  visit(file);
  return caught;
}
