import { SourceMap } from "node:module";

/** Reads source maps (JSON), which lead from the code that runs back to its source, applied in this order. */
export function readMaps(payloads: string[]): SourceMap[] {
  return payloads.map((payload) => new SourceMap(JSON.parse(payload)));
}

/**
 * The position in a source that a position of the code that runs comes from. Lines and columns count from 0.
 * In a cell's text, the line is the one that counts from 1: the compiler puts one line in front of a cell.
 */
export function originalPosition(maps: SourceMap[], line: number, column: number): { line: number; column: number } {
  let position = { line, column };
  for (const map of maps) {
    const entry = map.findEntry(position.line, position.column);
    if (!("originalLine" in entry)) break;
    position = { line: entry.originalLine, column: entry.originalColumn };
  }
  return position;
}
