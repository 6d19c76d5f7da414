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

/** Completions at `cursor` (code points) of a cell. */
export function complete(cells: CellCompiler, code: string, cursor: number): Completion {
  const position = codePointToUnit(code, cursor);
  const declared = cells.declare(code);
  const { start, end, candidates, original } = cells.converter.complete(declared, code, position);
  const typed = code.slice(start, position);
  const isMember = /\.\s*$/.test(code.slice(0, start));
  const preloaded = isMember || typed === "" ? [] : cells.undeclared.filter((name) => name.startsWith(typed));
  const matches = [...new Set([...preloaded, ...candidates])].slice(0, MOST);
  const kinds = new Map(original?.entries.map((entry) => [entry.name, String(entry.kind)]));
  return {
    matches,
    start: unitToCodePoint(code, start),
    end: unitToCodePoint(code, Math.max(end, position)),
    kinds: matches.map((name) => kinds.get(name) ?? (preloaded.includes(name) ? "module" : "")),
  };
}
