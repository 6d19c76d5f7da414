import type * as TS from "@tslab/typescript-for-tslab";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRoot } from "../../lib/checkpoint/package-root.js";
import type { CellCompiler } from "./cells.js";
import { docsAt, type Docs } from "./docs.js";
import { codePointToUnit } from "./positions.js";
import { ts } from "./typescript.js";

export interface Inspection {
  markdown: string;
  plain: string;
}

/** The line that stands in front of a cell. */
const HEAD = "export {};\n".length;

/**
 * What is known about the name at `cursor` (code points), or undefined. Just behind a name, or behind the bracket that
 * opens its arguments, counts as on it: that is where a cursor is when one asks. Among the arguments of a call, it is the
 * call that is told about, with the parameter that stands at the cursor.
 * @param detail 0: signature and description; 1: parameters, returns, examples as well
 */
export function inspect(cells: CellCompiler, code: string, cursor: number, detail: number): Inspection | undefined {
  const at = codePointToUnit(code, cursor);
  cells.look(code);
  const before = code.slice(0, at);
  const isName = (position: number) => position >= 0 && /[\p{ID_Continue}$]/u.test(code[position] ?? "");
  for (const position of new Set([at, at - 1, before.replace(/[\s(]*$/, "").length - 1])) {
    const info = isName(position) ? quickInfo(cells, position) : undefined;
    if (info) return withReference(render(info, docsOf(cells, position), detail), cells, position);
  }
  return signatureAt(cells, at, detail) ?? calleeOf(cells, before, detail);
}

/** The API reference, where it was built (`npm run docs`). */
const REFERENCE = join(packageRoot(), "dist", "docs", "api.html");

/** With a link to the name in the API reference, where it is one of this package's. */
function withReference(found: Inspection, cells: CellCompiler, position: number): Inspection {
  if (!existsSync(REFERENCE)) return found;
  const { service, cell } = cells.project;
  const [definition] = service.getDefinitionAtPosition(cell, HEAD + position) ?? [];
  if (!definition || !definition.fileName.startsWith(join(packageRoot(), "dist"))) return found;
  const name = definition.containerName && definition.kind === "method" ? `${definition.containerName}.${definition.name}` : definition.name;
  return { ...found, markdown: `${found.markdown}\n\n[API reference](${pathToFileURL(REFERENCE).href}#${encodeURIComponent(name)})` };
}

/** The call whose bracket is open, where there are no signatures to tell. */
function calleeOf(cells: CellCompiler, before: string, detail: number): Inspection | undefined {
  const position = before.search(/[\p{ID_Continue}$]+\s*\([^()]*$/u);
  const info = position >= 0 ? quickInfo(cells, position) : undefined;
  return info && render(info, docsOf(cells, position), detail);
}

/** TypeScript's word on a name; undefined where it knows none of that name. */
function quickInfo(cells: CellCompiler, position: number): TS.QuickInfo | undefined {
  const { service, cell } = cells.project;
  const info = service.getQuickInfoAtPosition(cell, HEAD + position);
  // A name that is not known has the type any, and no symbol.
  if (!info || (info.kind === "" && /^any$/.test(text(info.displayParts)))) return undefined;
  return info;
}

/** The comment of a declaration file; the compiler itself sees the comments of cells and modules only. */
function docsOf(cells: CellCompiler, position: number): Docs | undefined {
  const { program, cellFile } = cells.project;
  return docsAt(ts, program, cellFile, HEAD + position, (path) => cells.project.text(path));
}

function signatureAt(cells: CellCompiler, at: number, detail: number): Inspection | undefined {
  const { service, cell } = cells.project;
  const help = service.getSignatureHelpItems(cell, HEAD + at, undefined);
  const item = help?.items[help.selectedItemIndex];
  if (!help || !item) return undefined;
  const current = item.parameters[Math.min(help.argumentIndex, item.parameters.length - 1)];
  const parameters = item.parameters.map(({ displayParts }) => text(displayParts)).join(text(item.separatorDisplayParts));
  const more = help.items.length > 1 ? ` (+${help.items.length - 1} overloads)` : "";
  const signature = `${text(item.prefixDisplayParts)}${parameters}${text(item.suffixDisplayParts)}${more}`;
  const here = current ? text(current.displayParts) : "";
  const said = current ? text(current.documentation) : "";
  const blocks = detail > 0 ? item.tags.map((tag) => ({ name: tag.name, body: tagBody(tag) })) : [];
  const rest = [text(item.documentation), ...blocks.map(({ name, body }) => `@${name} ${body}`)].filter(Boolean);
  return {
    plain: [signature, ...(here ? [`parameter: ${here}${said ? ` - ${said}` : ""}`] : []), ...rest].join("\n\n"),
    markdown: [`\`\`\`typescript\n${signature}\n\`\`\``, ...(here ? [`**\`${here}\`**${said ? ` ${said}` : ""}`] : []), ...rest].join("\n\n"),
  };
}

/** @param docs of a declaration file */
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
