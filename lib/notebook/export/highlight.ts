import highlighter from "highlight.js/lib/common";
import { escapeHtml } from "../../escape-html.js";

/** Code as HTML with highlight.js's classes; a language that is not known stays as it is. */
export function highlighted(code: string, language: string): string {
  const known = highlighter.getLanguage(language) !== undefined;
  return known ? highlighter.highlight(code, { language, ignoreIllegals: true }).value : escapeHtml(code);
}
