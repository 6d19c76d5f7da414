import type { MarkdownIt as Markdown, StateCore, Token } from "markdown-it";

const kinds: Readonly<Record<string, string>> = { NOTE: "Note", TIP: "Tip", IMPORTANT: "Important", WARNING: "Warning", CAUTION: "Caution" };

/**
 * What code hosts and JupyterLab make of `- [x] done` (a tick box) and of a quotation that begins with `[!NOTE]`.
 * Of a task's list item `meta.task` says whether it is done, of a quotation `meta.note` what kind it is.
 */
export function noteRules(md: Markdown): void {
  md.core.ruler.push("notes", ({ tokens, Token }: StateCore) => {
    tokens.forEach((token, i) => {
      if (token.type !== "inline") return;
      const [paragraph, container] = [tokens[i - 1], tokens[i - 2]];
      if (paragraph?.type !== "paragraph_open") return;
      if (container?.type === "list_item_open") task(container, token, Token);
      if (container?.type === "blockquote_open") note(container, token, paragraph, Token);
    });
  });
}

function task(item: Token, { children }: Token, Token: StateCore["Token"]): void {
  const [first] = children ?? [];
  const box = first?.type === "text" ? /^\[([ xX])\]\s/.exec(first.content) : null;
  if (!box || !first) return;
  const isDone = box[1] !== " ";
  first.content = first.content.slice(box[0].length);
  item.attrJoin("class", "task");
  item.meta = { task: isDone };
  const tick = new Token("html_inline", "", 0);
  tick.content = `<input type="checkbox" disabled${isDone ? " checked" : ""}> `;
  tick.meta = { task: isDone };
  children!.unshift(tick);
}

function note(quotation: Token, inline: Token, paragraph: Token, Token: StateCore["Token"]): void {
  const children = inline.children ?? [];
  const [, kind] = children[0]?.type === "text" ? (/^\[!([A-Z]+)\]\s*$/i.exec(children[0].content) ?? []) : [];
  const name = kind && kinds[kind.toUpperCase()];
  if (!name || (children.length > 1 && children[1]!.type !== "softbreak" && children[1]!.type !== "hardbreak")) return;
  quotation.attrJoin("class", `note ${name.toLowerCase()}`);
  quotation.meta = { note: name };
  const [open, text, end] = [new Token("strong_open", "strong", 1), new Token("text", "", 0), new Token("strong_close", "strong", -1)];
  text.content = name;
  const rest = children.slice(2);
  inline.children = rest.length > 0 ? [open, text, end, new Token("hardbreak", "br", 0), ...rest] : [open, text, end];
  paragraph.attrJoin("class", "note-title");
}
