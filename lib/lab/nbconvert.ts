import { dirname } from "node:path";
import type { Hono } from "hono";
import { formats, type Exported, type Format } from "../notebook/export/index.js";
import { readNotebook } from "../notebook/read.js";
import type { Root } from "./contents/place.js";
import { pathAfter } from "./requests.js";
import { Refusal } from "./refusal.js";

const KINDS: Readonly<Record<Format, { type: string; ending: string }>> = {
  html: { type: "text/html", ending: ".html" },
  markdown: { type: "text/markdown", ending: ".md" },
  pdf: { type: "application/pdf", ending: ".pdf" },
  latex: { type: "text/x-tex", ending: ".tex" },
  slides: { type: "text/html", ending: ".slides.html" },
  notebook: { type: "application/x-ipynb+json", ending: ".shared.ipynb" },
};

/** "Save and Export Notebook As", by the exports of `sdtp export`. Pictures that would lie beside a document are in a zip with it. */
export function exportRoutes(app: Hono, root: Root): void {
  app.get("/api/nbconvert", (c) => c.json(Object.fromEntries(formats.map((format) => [format, { output_mimetype: KINDS[format].type }]))));
  app.get("/nbconvert/:format/*", async (c) => {
    const format = c.req.param("format") as Format;
    const kind = Object.hasOwn(KINDS, format) ? KINDS[format] : undefined;
    if (!kind) throw new Refusal(404, `format: ${format} (must be one of ${formats.join(", ")})`);
    const path = pathAfter(c, `/nbconvert/${format}`);
    const file = await root.at(path);
    const name = (path.split("/").at(-1) ?? "notebook").replace(/\.ipynb$/, "");
    const { exportNotebook } = await import("../notebook/export/index.js");
    let exported: Exported;
    try {
      const notebook = await readNotebook(file, { exact: format === "notebook" });
      exported = await exportNotebook(notebook, format, { name, folder: dirname(file), filesFolder: `${name}_files`, template: "report", input: true, trust: false, signal: c.req.raw.signal, warn: () => {} });
    } catch (error) {
      throw new Refusal(500, `${path}: cannot be exported (${(error as Error).message})`);
    }
    const beside = exported.files.length > 0;
    const content = beside ? await zipped(`${name}${kind.ending}`, exported) : exported.document;
    return new Response(content as BodyInit, {
      headers: {
        "Content-Type": beside ? "application/zip" : kind.type,
        // A report is of no origin: nothing in it can use the lab.
        "Content-Security-Policy": "sandbox allow-scripts",
        ...((beside || c.req.query("download") === "true") && { "Content-Disposition": `attachment; filename*=UTF-8''${encodeURIComponent(name + (beside ? ".zip" : kind.ending))}` }),
      },
    });
  });
}

async function zipped(name: string, { document, files }: Exported): Promise<Uint8Array> {
  const { strToU8, zipSync } = await import("fflate");
  const bytes = (content: string | Uint8Array) => (typeof content === "string" ? strToU8(content) : content);
  return zipSync({ [name]: bytes(document), ...Object.fromEntries(files.map(({ path, content }) => [path.replaceAll("\\", "/"), content])) });
}
