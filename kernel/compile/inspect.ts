import type * as TS from "@tslab/typescript-for-tslab";
import type { CellCompiler } from "./cells.js";
import type { Docs } from "./docs.js";
import { codePointToUnit } from "./positions.js";

export interface Inspection {
  markdown: string;
  plain: string;
}

/**
 * What is known about the name at `cursor` (code points), or undefined. Just behind a name, or behind
 * the bracket that opens its arguments, counts as on it: that is where a cursor is when one asks.
 * @param detail 0: signature and description; 1: parameters, returns, examples as well
 */
export function inspect(cells: CellCompiler, code: string, cursor: number, detail: number): Inspection | undefined {
  const at = codePointToUnit(code, cursor);
  const declared = cells.declare(code);
  const before = code.slice(0, at);
  const positions = new Set([at, at - 1, before.replace(/[\s(]*$/, "").length - 1, before.search(/[\p{ID_Continue}$]+\s*\([^()]*$/u)]);
  for (const position of positions) {
    if (position < 0 || !/[\p{ID_Continue}$]/u.test(code[position] ?? "")) continue;
    const info = cells.converter.inspect(declared, code, position);
    if (info) return render(info, cells.docsAt(position), detail);
  }
  return undefined;
}

/** @param docs of a declaration file; the compiler itself sees the comments of cells and modules only */
function render(info: TS.QuickInfo, docs: Docs | undefined, detail: number): Inspection {
  const signature = text(info.displayParts);
  const description = text(info.documentation) || (docs?.description ?? "");
  const tags = info.tags?.length ? info.tags.map((tag) => ({ name: tag.name, body: tagBody(tag) })) : (docs?.tags ?? []);
  const blocks = detail > 0 ? tags : [];
  return {
    plain: [signature, description, ...blocks.map(({ name, body }) => `@${name} ${body}`)].filter(Boolean).join("\n\n"),
    markdown: [
      `\`\`\`typescript\n${signature}\n\`\`\``,
      description,
      ...blocks.map(({ name, body }) => (name === "example" ? fenced(body) : `*@${name}* ${body}`)),
    ]
      .filter(Boolean)
      .join("\n\n"),
  };
}

function text(parts: readonly TS.SymbolDisplayPart[] = []): string {
  return parts.map((part) => part.text).join("");
}

function tagBody(tag: TS.JSDocTagInfo): string {
  const parts = tag.text ?? [];
  const name = parts.find((part) => part.kind === "parameterName");
  return name ? `\`${name.text}\` ${text(parts.filter((part) => part !== name)).trim()}` : text(parts);
}

function fenced(example: string): string {
  return example.includes("```") ? example : `\`\`\`typescript\n${example}\n\`\`\``;
}
