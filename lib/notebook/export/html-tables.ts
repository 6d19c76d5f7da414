import { parseDocument } from "htmlparser2";

/** A table in an HTML output, as text. */
export interface HtmlTable {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

type Node = ReturnType<typeof parseDocument>["children"][number];

/** What an HTML output holds, in order: tables, and the text between them. Scripts and styles are neither. */
export function tablesAndText(html: string): (HtmlTable | string)[] {
  const found: (HtmlTable | string)[] = [];
  const walk = (node: Node): void => {
    if (isElement(node, "table")) return void found.push(tableOf(node));
    if (node.type === "text") return void addText(found, node.data.replace(/\s+/g, " "));
    if (isElement(node, "script", "style", "head", "title")) return;
    if (isElement(node, "p", "div", "li", "tr", "br", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "section", "details", "summary")) addText(found, "\n");
    if ("children" in node) for (const child of node.children) walk(child as Node);
    if (isElement(node, "p", "div", "li", "pre", "section")) addText(found, "\n");
  };
  for (const node of parseDocument(html).children) walk(node);
  return found.map((part) => (typeof part === "string" ? collapsed(part) : part)).filter((part) => part !== "");
}

const collapsed = (text: string): string => text.replace(/[^\S\n]+/g, " ").replace(/ ?\n ?/g, "\n").replace(/\n{2,}/g, "\n\n").trim();

function addText(found: (HtmlTable | string)[], text: string): void {
  const last = found.at(-1);
  if (typeof last === "string") found[found.length - 1] = last + text;
  else found.push(text);
}

function tableOf(table: Node): HtmlTable {
  const rows = elements(table, "tr").map((row) => ({ cells: cellsOf(row), isHead: elements(row, "td").length === 0 || isElement(row.parent as Node | null, "thead") }));
  const head = rows.findIndex(({ isHead }) => !isHead);
  const heads = rows.slice(0, head < 0 ? 1 : head);
  const width = Math.max(1, ...rows.map(({ cells }) => cells.length));
  const padded = (cells: readonly string[]) => [...cells, ...Array<string>(width - cells.length).fill("")];
  return {
    caption: elements(table, "caption").map(textOf).join(" "),
    // Several lines of header (a MultiIndex) become one.
    head: padded([]).map((_, c) => heads.map(({ cells }) => cells[c] ?? "").filter(Boolean).join(" ")),
    rows: rows.slice(heads.length).map(({ cells }) => padded(cells)),
  };
}

/** Texts of a row's cells; one that spans columns is followed by empty ones. */
function cellsOf(row: Node): string[] {
  return elements(row, "td", "th").flatMap((cell) => [textOf(cell), ...Array<string>(Math.max(0, Math.min(100, Number((cell as { attribs?: Record<string, string> }).attribs?.["colspan"] ?? 1) - 1) || 0)).fill("")]);
}

/** Elements of these names inside, tables inside left out. */
function elements(node: Node, ...names: string[]): Node[] {
  if (!("children" in node)) return [];
  return (node.children as Node[]).flatMap((child) => (isElement(child, ...names) ? [child] : isElement(child, "table") ? [] : elements(child, ...names)));
}

function textOf(node: Node): string {
  const all = (each: Node): string => (each.type === "text" ? each.data : isElement(each, "br") ? " " : "children" in each ? (each.children as Node[]).map(all).join("") : "");
  return all(node).replace(/\s+/g, " ").trim();
}

function isElement(node: Node | null, ...names: string[]): boolean {
  return node !== null && "name" in node && typeof node.name === "string" && names.includes(node.name);
}

/** Columns of numbers stand at the right. */
export function alignments({ rows, head }: HtmlTable): ("left" | "right")[] {
  return head.map((_, c) => (rows.every((row) => /^$|^[-−+]?[\d.,]+(e[-+]?\d+)?\s*[%×x]?$|^(-|…|NaN|null|undefined)$/i.test(row[c] ?? "")) ? "right" : "left"));
}
