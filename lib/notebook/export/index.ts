import type { Notebook } from "../types.js";
import type { Exported, ExportOptions } from "./options.js";

export const formats = ["html", "markdown", "pdf", "latex", "notebook"] as const;
export type Format = (typeof formats)[number];
export type { Exported, ExportOptions, SideFile, Template } from "./options.js";

/**
 * A notebook as a report.
 * @throws for PDF, where no Chromium is found
 */
export async function exportNotebook(notebook: Notebook, format: Format, options: ExportOptions): Promise<Exported> {
  switch (format) {
    case "html":
      return { document: (await import("./to-html.js")).toHtml(notebook, options), files: [] };
    case "pdf":
      return { document: await (await import("./to-pdf.js")).toPdf(notebook, options), files: [] };
    case "markdown":
      return (await import("./to-markdown.js")).toMarkdown(notebook, options);
    case "latex":
      return (await import("./to-latex.js")).toLatex(notebook, options);
    case "notebook":
      return (await import("./to-notebook.js")).toNotebook(notebook, options);
  }
}
