import { parseDocument } from "htmlparser2";
import { isMeasured } from "./measured.js";
import { sameText, type Tolerance } from "./text.js";

/** A node of htmlparser2's tree, as far as it is looked at. */
interface Node {
  type: string;
  name?: string;
  data?: string;
  attribs?: Record<string, string>;
  children?: Node[];
}

export interface Table {
  caption: string;
  /** Rows of the head, then those of the body; every cell in the column where it is shown. */
  head: string[][];
  body: string[][];
}

/** What an HTML output shows: its tables, and its text without them. */
export interface Shown {
  tables: Table[];
  text: string;
}

const HIDDEN = new Set(["script", "style", "template", "title", "head"]);
const BLOCKS = new Set(["p", "div", "li", "tr", "br", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "section", "details", "summary", "figure", "figcaption"]);

export function shownIn(html: string): Shown {
  const tables: Table[] = [];
  const collect = (node: Node): void => {
    if (node.name === "table") tables.push(tableOf(node));
    else for (const child of node.children ?? []) collect(child);
  };
  const root = parseDocument(html) as unknown as Node;
  collect(root);
  return { tables, text: textOf(root, false).replace(/[ \t\u00a0]+/g, " ").replace(/ ?\n[ \n]*/g, "\n").trim() };
}

function tableOf(table: Node): Table {
  const result: Table = { caption: "", head: [], body: [] };
  const open: { text: string; left: number }[] = [];
  const visit = (node: Node, inHead: boolean): void => {
    if (node.name === "caption") result.caption = cellText(node);
    else if (node.name === "tr") {
      const cells = (node.children ?? []).filter(({ name }) => name === "td" || name === "th");
      const row: string[] = [];
      for (let column = 0; cells.length > 0 || (open[column]?.left ?? 0) > 0; ) {
        const above = open[column];
        if (above && above.left > 0) {
          above.left--;
          row[column++] = above.text;
          continue;
        }
        const cell = cells.shift();
        if (!cell) break;
        const text = cellText(cell);
        for (let n = span(cell, "colspan"); n > 0; n--) {
          open[column] = { text, left: span(cell, "rowspan") - 1 };
          row[column++] = text;
        }
      }
      const isHead = inHead || (result.body.length === 0 && (node.children ?? []).some(({ name }) => name === "th") && !(node.children ?? []).some(({ name }) => name === "td"));
      (isHead ? result.head : result.body).push(row);
    } else for (const child of node.children ?? []) visit(child, inHead || node.name === "thead");
  };
  visit(table, false);
  return result;
}

function span({ attribs }: Node, name: string): number {
  const value = Number(attribs?.[name] ?? 1);
  return Number.isInteger(value) && value >= 1 && value <= 1000 ? value : 1;
}

const cellText = (node: Node): string => textOf(node, true).replace(/\s+/g, " ").trim();

function textOf(node: Node, withTables: boolean): string {
  if (node.type === "text") return node.data ?? "";
  if (node.name !== undefined && HIDDEN.has(node.name)) return "";
  if (node.name === "table" && !withTables) return "\n";
  const inner = (node.children ?? []).map((child) => textOf(child, withTables)).join("");
  return node.name !== undefined && BLOCKS.has(node.name) ? `${inner}\n` : inner;
}

/** A cell of a table that is not as it was. Row and column from 1; `column` also as its head calls it. */
export interface TableDifference {
  place: string;
  before: string;
  after: string;
}

/** What differs between two tables by value; columns (and rows) of measurements are left out. */
export function tableDifferences(before: Table, after: Table, tolerance: Tolerance): TableDifference[] {
  const found: TableDifference[] = [];
  const names = columnNames(before);
  const heads = columnNames(after);
  const size = ({ body }: Table) => `${body.length} rows, ${Math.max(0, ...body.map((row) => row.length))} columns`;
  if (size(before) !== size(after)) return [{ place: "its size", before: size(before), after: size(after) }];
  if (!sameText(before.caption, after.caption, tolerance)) found.push({ place: "its caption", before: before.caption, after: after.caption });
  for (const [i, name] of names.entries()) if (!sameText(name, heads[i] ?? "", { ...tolerance, rtol: 0 })) found.push({ place: `head of column ${i + 1}`, before: name, after: heads[i] ?? "" });
  for (const [r, row] of before.body.entries()) {
    const rowName = row[0] ?? "";
    for (const [c, value] of row.entries()) {
      const other = after.body[r]?.[c] ?? "";
      const measured = isMeasured(names[c] ?? "") || (c > 0 && isMeasured(rowName));
      if (measured && !tolerance.exactTimes ? isFilled(value) === isFilled(other) : sameText(value, other, tolerance)) continue;
      found.push({ place: `row ${r + 1}${c > 0 && rowName !== "" ? ` (${rowName})` : ""}, column ${names[c] ? JSON.stringify(names[c]) : c + 1}`, before: value, after: other });
    }
  }
  return found;
}

/** A measurement may be missing in one of both: that is a difference. */
const isFilled = (text: string): boolean => !/^[-–—\s]*$/.test(text);

/** Names of columns: of all rows of the head, from the top. */
function columnNames({ head, body }: Table): string[] {
  const width = Math.max(0, ...[...head, ...body].map((row) => row.length));
  return Array.from({ length: width }, (_, c) => [...new Set(head.map((row) => row[c] ?? ""))].filter(Boolean).join(" "));
}
