import type { Notebook } from "../types.js";
import { frontMatter } from "./front-matter.js";
import type { Exported, ExportOptions, RenderOptions } from "./options.js";

export const formats = ["html", "markdown", "pdf", "latex", "slides", "notebook"] as const;
export type Format = (typeof formats)[number];
export type { Exported, ExportOptions, SideFile, Template } from "./options.js";

/**
 * A notebook as a report.
 * @throws for PDF, where no Chromium is found; where a bibliography cannot be read
 */
export async function exportNotebook(whole: Notebook, format: Format, given: ExportOptions): Promise<Exported> {
  if (format === "notebook") return (await import("./to-notebook.js")).toNotebook(whole, given);
  const { matter, notebook } = frontMatter(whole);
  const files = [...new Set([...matter.bibliography, ...(given.bibliography ?? [])])];
  const options: RenderOptions = { ...given, works: files.length > 0 ? await (await import("./bibliography.js")).Bibliography.read(files, given.folder) : undefined };
  switch (format) {
    case "html":
      return { document: (await import("./to-html.js")).toHtml(notebook, options), files: [] };
    case "pdf":
      return { document: await (await import("./to-pdf.js")).toPdf(notebook, options), files: [] };
    case "markdown":
      return (await import("./to-markdown.js")).toMarkdown(notebook, options);
    case "latex":
      return (await import("./to-latex.js")).toLatex(notebook, options);
    case "slides":
      return { document: (await import("./to-slides.js")).toSlides(notebook, options), files: [] };
  }
}
