import { DomUtils, parseDocument } from "htmlparser2";

/** More rows or lines than this would make hundreds of pages, at which browsers give up. */
const MOST = 1000;
/** What is left at either end. */
const EDGE = 50;

/** Items of a long list for paper: its first and last, and between them what stands for the others. */
export function edges<Item>(items: readonly Item[], between: (hidden: number) => Item): readonly Item[] {
  if (items.length <= MOST) return items;
  return [...items.slice(0, EDGE), between(items.length - 2 * EDGE), ...items.slice(-EDGE)];
}

/** HTML whose tables of more than a thousand rows show the first and last, and how many are between. */
export function shortTables(html: string): string {
  if ((html.match(/<tr[\s>]/gi)?.length ?? 0) <= MOST) return html;
  const document = parseDocument(html);
  for (const table of DomUtils.getElementsByTagName("table", document)) {
    const rows = DomUtils.getElementsByTagName("tr", table).filter((row) => (row.parent as { name?: string } | null)?.name !== "thead");
    if (rows.length <= MOST) continue;
    const hidden = rows.slice(EDGE, -EDGE);
    const [note] = parseDocument(`<table><tr><td colspan="100">… ${hidden.length.toLocaleString("en")} rows that are not shown …</td></tr></table>`).children;
    const [row] = DomUtils.getElementsByTagName("tr", note!);
    DomUtils.prepend(hidden[0]!, row!);
    // One by one, each removal would look through all that are left.
    const gone = new Set<object>(hidden);
    for (const parent of new Set(hidden.map((each) => each.parent))) if (parent) parent.children = parent.children.filter((child) => !gone.has(child));
  }
  return DomUtils.getOuterHTML(document, { encodeEntities: "utf8" });
}

/** Text of more than a thousand lines as the first and last, and how many are between. */
export const shortText = (text: string): string => edges(text.split("\n"), (hidden) => `… ${hidden.toLocaleString("en")} lines that are not shown …`).join("\n");
