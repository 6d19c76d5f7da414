import { plotlyScript } from "./figure-html.js";
import { escapeHtml } from "../../escape-html.js";
import type { View } from "./view.js";

/**
 * A whole page of views, readable without a network, in light and dark.
 * @example
 * await writeFile("run.html", sdtp.viewPage("A pruned prompt", [await sdtp.tokens(run), sdtp.retention(run)]));
 */
export function viewPage(title: string, views: readonly View[]): string {
  const sections = views.map((view) => `<section>\n${view.html}\n</section>`);
  const style = "html{color-scheme:light dark}body{font-family:sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem}h1{font-size:1.3rem}section{margin:2rem 0}";
  const library = views.some(({ figure }) => figure) ? plotlyScript() : "";
  return `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${escapeHtml(title)}</title><style>${style}</style>${library}</head>\n<body>\n<h1>${escapeHtml(title)}</h1>\n${sections.join("\n")}\n</body>\n</html>\n`;
}

