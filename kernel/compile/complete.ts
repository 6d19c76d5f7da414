import type * as TS from "@tslab/typescript-for-tslab";
import type { CellCompiler } from "./cells.js";
import { codePointToUnit, unitToCodePoint } from "./positions.js";

export interface Completion {
  matches: string[];
  /** In code points. */
  start: number;
  end: number;
  /** One of TypeScript's words for each match: function, const, property, … */
  kinds: string[];
}

const MOST = 500;
/** Things to import that are offered where a name is known nowhere. */
const MOST_IMPORTS = 20;
/** The line that stands in front of a cell. */
const HEAD = "export {};\n".length;

/** Completions at `cursor` (code points) of a cell. */
export function complete(cells: CellCompiler, code: string, cursor: number): Completion {
  const position = codePointToUnit(code, cursor);
  cells.look(code);
  const info = cells.project.service.getCompletionsAtPosition(cells.project.cell, HEAD + position, {
    includeCompletionsWithInsertText: false,
    includeCompletionsForImportStatements: true,
    allowRenameOfImportPath: false,
  });
  const word = wordAt(code, position, info);
  const typed = code.slice(word.start, position);
  const isMember = /\.\s*$/.test(code.slice(0, word.start));
  const found = rank(info?.entries ?? [], typed);
  // Neither in quoted text nor in a comment.
  const preloaded = isMember || typed === "" || !info?.isGlobalCompletion ? [] : cells.undeclared.filter((name) => name.startsWith(typed));
  const matches = [...new Set([...preloaded, ...found.map(({ name }) => name)])].slice(0, MOST);
  if (matches.length === 0 && typed !== "" && !isMember) return completeImports(cells, code, position, typed);
  const kinds = new Map(found.map((entry) => [entry.name, String(entry.kind)]));
  return {
    matches,
    start: unitToCodePoint(code, word.start),
    end: unitToCodePoint(code, Math.max(word.end, position)),
    kinds: matches.map((name) => kinds.get(name) ?? (preloaded.includes(name) ? "module" : "")),
  };
}

/** What completions replace. */
function wordAt(code: string, position: number, info: TS.CompletionInfo | undefined): { start: number; end: number } {
  const span = info?.entries[0]?.replacementSpan ?? info?.optionalReplacementSpan;
  if (span) return { start: span.start - HEAD, end: span.start - HEAD + span.length };
  const isPath = info?.entries.some(({ kind }) => kind === "script" || kind === "directory" || kind === "external module name");
  const before = code.slice(0, position);
  // In an import's text, what a name may not hold belongs to it as well; a folder before it does not.
  const typed = isPath ? /[^"'`/\s]*$/.exec(before) : /[\p{ID_Continue}$\u200c\u200d]*$/u.exec(before);
  const rest = isPath ? null : /^[\p{ID_Continue}$\u200c\u200d]*/u.exec(code.slice(position));
  return { start: position - (typed?.[0].length ?? 0), end: position + (rest?.[0].length ?? 0) };
}

/** Kinds of what stands in quotes. */
const QUOTED = new Set(["script", "directory", "external module name", "string"]);

/** Entries that begin with what was typed, then names that contain it, in TypeScript's order. */
function rank(entries: readonly TS.CompletionEntry[], typed: string): TS.CompletionEntry[] {
  const low = typed.toLowerCase();
  const rankOf = ({ name, kind }: TS.CompletionEntry) => (name.startsWith(typed) ? 0 : name.toLowerCase().startsWith(low) ? 1 : name.toLowerCase().includes(low) && !QUOTED.has(kind) ? 2 : 3);
  return entries
    .filter((entry) => !entry.source && !(entry.name === "node_modules" && entry.kind === "directory"))
    .map((entry, index) => ({ entry, index, rank: rankOf(entry) }))
    .filter((each) => each.rank < 3)
    .sort((a, b) => a.rank - b.rank || compare(a.entry.sortText, b.entry.sortText) || a.index - b.index)
    .map(({ entry }) => entry);
}

/**
 * A name that is known nowhere here, but exported by an installed package: the completion is the cell up to the cursor
 * with the import in front and the name in full.
 */
function completeImports(cells: CellCompiler, code: string, position: number, typed: string): Completion {
  const before = code.slice(0, position - typed.length);
  const preferences: TS.UserPreferences = { includeCompletionsForModuleExports: true, includeCompletionsWithInsertText: true, includePackageJsonAutoImports: "on" };
  return cells.project.withAutoImports((service) => {
    const { cell } = cells.project;
    const entries = service.getCompletionsAtPosition(cell, HEAD + position, preferences)?.entries ?? [];
    const candidates = entries.filter(({ source, name }) => source !== undefined && name.startsWith(typed)).sort((a, b) => a.name.length - b.name.length || compare(a.sortText, b.sortText));
    const found = candidates.slice(0, MOST_IMPORTS).flatMap((entry) => {
      const details = service.getCompletionEntryDetails(cell, HEAD + position, entry.name, {}, entry.source, preferences, entry.data);
      const edits = details?.codeActions?.flatMap(({ changes }) => changes.flatMap(({ textChanges }) => textChanges)) ?? [];
      return edits.length > 0 ? [{ text: applied(`${before}${entry.name}`, edits), kind: String(entry.kind) }] : [];
    });
    return { matches: found.map(({ text }) => text), start: 0, end: unitToCodePoint(code, position), kinds: found.map(({ kind }) => kind) };
  });
}

/** The text with the edits of a file that has one line more in front; an edit in that line goes in front of the text. */
function applied(text: string, edits: readonly TS.TextChange[]): string {
  let result = text;
  for (const { span, newText } of [...edits].sort((a, b) => b.span.start - a.span.start)) {
    const at = Math.max(0, span.start - HEAD);
    result = result.slice(0, at) + newText.trimStart() + result.slice(at + (span.start < HEAD ? 0 : span.length));
  }
  return result;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
