import type { MarkdownIt as Markdown, StateCore, Token } from "markdown-it";

/** A caption in Markdown and the label that it may have. */
export interface Caption {
  readonly label?: string;
  /** Inline tokens. */
  readonly words: Token[];
}

const named = /^\s*\{#((?:fig|tbl)-[\w.:-]+)[^}]*\}\s*$/;

/**
 * Captions as Quarto and Pandoc write them: a paragraph of one image with `{#fig-x}` behind it becomes a figure, whose caption is the image's
 * text; a paragraph `: Caption {#tbl-x}` after a table is its caption. `paragraph_open` and `table_open` then have `meta.caption`.
 */
export function captionRules(md: Markdown): void {
  md.core.ruler.push("captions", (state: StateCore) => {
    const { tokens } = state;
    for (let i = 0; i < tokens.length; i++) {
      if (tokens[i]!.type === "paragraph_open") figure(tokens[i]!, tokens[i + 1]!);
      if (tokens[i]!.type === "table_open") {
        const end = tokens.findIndex(({ type }, at) => at > i && type === "table_close");
        const [open, inline] = [tokens[end + 1], tokens[end + 2]];
        const caption = open?.type === "paragraph_open" && inline ? tableCaption(inline) : undefined;
        if (!caption) continue;
        tokens[i]!.meta = { caption };
        tokens.splice(end + 1, 3);
      }
    }
  });
}

function figure(paragraph: Token, { children }: Token): void {
  const [image, behind, ...rest] = children ?? [];
  const label = image?.type === "image" && behind?.type === "text" && rest.length === 0 ? named.exec(behind.content)?.[1] : undefined;
  if (label === undefined) return;
  children!.splice(1, 1);
  paragraph.meta = { caption: { label, words: image!.children ?? [] } satisfies Caption };
}

function tableCaption({ children, content }: Token): Caption | undefined {
  const [first] = children ?? [];
  const mark = /^(?:Table)?:\s+/.exec(content)?.[0];
  if (mark === undefined || first?.type !== "text" || !first.content.startsWith(mark.trimEnd())) return undefined;
  first.content = first.content.slice(Math.min(mark.length, first.content.length));
  const last = children!.at(-1)!;
  const [whole, label] = last.type === "text" ? (/\s*\{#(tbl-[\w.:-]+)[^}]*\}\s*$/.exec(last.content) ?? []) : [];
  if (whole !== undefined) last.content = last.content.slice(0, -whole.length);
  return { ...(label !== undefined && { label }), words: children! };
}

export const captionOf = (token: Token): Caption | undefined => (token.meta as { caption?: Caption } | null)?.caption;
