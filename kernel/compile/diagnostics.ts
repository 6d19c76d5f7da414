import { relative } from "node:path";
import type * as TS from "@tslab/typescript-for-tslab";
import type { CellDiagnostic } from "../../lib/jupyter/messages.js";

/** @param cell path of the cell's file, which has one line in front of the cell's text */
export function describeDiagnostic(ts: typeof TS, diagnostic: TS.Diagnostic, cell: string): CellDiagnostic {
  const { file, start = 0, length = 0, code, messageText } = diagnostic;
  const text = file?.text ?? "";
  const isCell = file?.fileName === cell;
  const first = isCell ? text.indexOf("\n") + 1 : 0;
  const [from, to] = [start, start + length].map((at) => position(text, Math.max(first, at), first)) as [Position, Position];
  return {
    message: ts.flattenDiagnosticMessageText(messageText, "\n"),
    code,
    line: from.line,
    column: from.column,
    endLine: to.line,
    endColumn: to.column,
    ...(isCell || !file ? {} : { file: relative(ts.sys.getCurrentDirectory(), file.fileName) }),
  };
}

interface Position {
  line: number;
  column: number;
}

/** Lines as a notebook counts them: TypeScript takes U+2028 for the end of one as well. */
function position(text: string, offset: number, first: number): Position {
  const before = text.slice(first, offset);
  return { line: before.split("\n").length, column: before.length - before.lastIndexOf("\n") };
}
