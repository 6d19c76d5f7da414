import type { Declared } from "./declared.js";

/** Specifiers that only the appended text has. */
export const NODE = "sdtp:node";
export const LIBRARY = "sdtp:library";
export const FUNCTIONS = "sdtp:functions";
export const FRAMES = "danfojs-node";
const CELL = "sdtp:cell:";

export const cellSpecifier = (file: string): string => CELL + encodeURIComponent(file);
export const cellOf = (specifier: string): string | undefined => (specifier.startsWith(CELL) ? decodeURIComponent(specifier.slice(CELL.length)) : undefined);

/** What every cell has without an import; kernel/compile/prelude.ts is where the kernel has them from. */
const PRELOADED = ["display", "clearOutput", "input", "progress", "comms"];

/**
 * What is put behind a cell, where it moves none of its positions: it makes a module of it (`await`, names declared anew), with
 * the names of the cells above it and what is preloaded. Imports are in force wherever they stand.
 * @param above the cells above, the uppermost first
 */
export function appended(own: Declared, above: readonly { readonly file: string; readonly declared: Declared }[]): string {
  const from = new Map<string, string>();
  for (const { file, declared } of above) for (const name of declared.names.keys()) from.set(name, file);
  const free = (name: string) => !own.names.has(name) && !from.has(name);
  const lines = [`import ${JSON.stringify(NODE)};`];
  const functions = PRELOADED.filter(free);
  if (functions.length > 0) lines.push(`import { ${functions.join(", ")} } from ${JSON.stringify(FUNCTIONS)};`);
  if (free("sdtp")) lines.push(`import * as sdtp from ${JSON.stringify(LIBRARY)};`);
  // Its types take long to read.
  if (free("dfd") && own.words.has("dfd")) lines.push(`import * as dfd from ${JSON.stringify(FRAMES)};`);
  for (const { file } of above) {
    const names = [...from].filter(([name, of]) => of === file && !own.names.has(name)).map(([name]) => name);
    if (names.length > 0) lines.push(`import { ${names.join(", ")} } from ${JSON.stringify(cellSpecifier(file))};`);
  }
  lines.push(`export { ${[...own.names.keys()].filter((name) => !own.exported.has(name)).join(", ")} };`);
  return `\n;${lines.join("")}`;
}
