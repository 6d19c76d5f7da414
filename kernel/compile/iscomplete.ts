import { ts } from "./typescript.js";

export type Completeness = { status: "complete" | "invalid" } | { status: "incomplete"; indent: string };

/** Errors that more text can only mend: an unterminated comment, template or regular expression. */
const UNTERMINATED = new Set([1010, 1160]);
/** An unterminated string ends with its line: only the last line may still be continued. */
const UNTERMINATED_STRING = 1002;

/** Whether a console should run `code` or ask for another line, and how far to indent it. */
export function isComplete(code: string): Completeness {
  const file = ts.createSourceFile("cell.tsx", code, ts.ScriptTarget.Latest, false, ts.ScriptKind.TSX);
  const errors = (file as unknown as { parseDiagnostics: { start: number; length: number; code: number }[] }).parseDiagnostics;
  if (errors.length === 0) return { status: "complete" };
  const end = code.trimEnd().length;
  const first = errors.reduce((a, b) => (b.start < a.start ? b : a));
  const open = errors.some((error) => UNTERMINATED.has(error.code)) || (first.start >= end && first.code !== UNTERMINATED_STRING);
  if (!open) return { status: "invalid" };
  return { status: "incomplete", indent: nextIndent(code) };
}

/** Indent of the next line: that of the last, two more behind an open bracket. */
function nextIndent(code: string): string {
  const line = code.trimEnd().split("\n").at(-1) ?? "";
  const indent = /^\s*/.exec(line)?.[0] ?? "";
  return /[{([]\s*$/.test(line) ? `${indent}  ` : indent;
}
