import { AnsiUp } from "ansi_up";

/** Text with terminal colours as HTML; colours are classes (`ansi-red-fg`), so that the page decides on their contrast. */
export function ansiHtml(text: string): string {
  const converter = new AnsiUp();
  converter.use_classes = true;
  converter.url_allowlist = {};
  return converter.ansi_to_html(text);
}
