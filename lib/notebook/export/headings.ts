import type { Token } from "markdown-it";
import { inlineText } from "./markdown.js";

export interface Heading {
  readonly level: number;
  readonly text: string;
  readonly id: string;
}

export interface Outline {
  /** The notebook's own title, where it begins with a heading of level 1. */
  readonly title: string | undefined;
  readonly headings: readonly Heading[];
}

/**
 * Gives the headings of a whole notebook ids and levels in order: one of level 1, which is the title, and no level
 * left out below it. Links to a heading, written as Jupyter or as code hosts write them, then lead there.
 * @param cells tokens of each markdown cell; changed
 */
export function outline(cells: readonly Token[][]): Outline {
  const tokens = cells.flat();
  const first = tokens.findIndex(({ type }) => type === "heading_open");
  const title = first >= 0 && tokens[first]!.tag === "h1" ? inlineText(tokens[first + 1]) : undefined;
  const used = new Set<string>();
  const open: number[] = [];
  const headings: Heading[] = [];
  tokens.forEach((token, at) => {
    if (token.type !== "heading_open") return;
    const depth = Number(token.tag.slice(1));
    while (open.length > 0 && open.at(-1)! >= depth) open.pop();
    // The title is above everything, other headings of level 1 too.
    if (at !== first || title === undefined) open.push(depth);
    const level = Math.min(6, at === first && title !== undefined ? 1 : open.length + 1);
    const text = inlineText(tokens[at + 1]);
    const id = unique(slug(text), used);
    token.attrSet("id", id);
    token.tag = `h${level}`;
    const close = tokens.slice(at).find(({ type }) => type === "heading_close");
    if (close) close.tag = token.tag;
    headings.push({ level, text, id });
  });
  for (const token of tokens) for (const child of token.children ?? []) if (child.type === "link_open") aim(child, used);
  return { title, headings };
}

function aim(link: Token, ids: ReadonlySet<string>): void {
  const href = String(link.attrGet("href") ?? "");
  if (!href.startsWith("#")) return;
  const id = slug(decodeURIComponent(href.slice(1)));
  if (ids.has(id)) link.attrSet("href", `#${id}`);
}

/** As code hosts make it: lower case, no punctuation, spaces as dashes. */
export function slug(text: string): string {
  return text.trim().toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-") || "section";
}

function unique(name: string, used: Set<string>): string {
  let id = name;
  for (let i = 1; used.has(id); i++) id = `${name}-${i}`;
  used.add(id);
  return id;
}
