import { AnsiUp } from "ansi_up";
import { escapeHtml } from "../../escape-html.js";
import { pieces } from "./terminal-links.js";

/** Text with terminal colours and links as HTML; colours are classes (`ansi-red-fg`), so that the page decides on their contrast. */
export function ansiHtml(text: string): string {
  // One for all pieces: a colour goes on through a link.
  const converter = new AnsiUp();
  converter.use_classes = true;
  converter.url_allowlist = {};
  // What a terminal does not show, a page would show as a box.
  return pieces(text.replace(/[\0-\x06\x0e-\x1a\x7f]/g, "")).map(({ text, href }) => (href === undefined ? converter.ansi_to_html(text) : `<a href="${escapeHtml(href)}">${converter.ansi_to_html(text)}</a>`)).join("");
}
