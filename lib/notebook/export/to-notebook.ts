import { homedir } from "node:os";
import type { JsonObject } from "../../jupyter/messages.js";
import { withValidIds } from "../cell-ids.js";
import type { Cell, CodeCell, Notebook, Output } from "../types.js";
import { stringifyNotebook } from "../write.js";
import { hasContent } from "./document.js";
import { figureOf, isDisplay, PLOTLY } from "./mime.js";
import type { Exported, ExportOptions } from "./options.js";
import { drawnCharts } from "./pictures.js";
import { separated } from "./separated.js";

/**
 * A notebook for a repository, that reads well where nothing runs: every chart has a picture beside its data in place of HTML
 * that needs a script, and what is told of the run (times, paths, the machine) is left out. Cells are as they were.
 */
export async function toNotebook(notebook: Notebook, options: ExportOptions): Promise<Exported> {
  const cells = notebook.cells.map((cell): Cell => {
    const metadata = without(cell.metadata, "papermill", "execution", "sdtp");
    return cell.cell_type === "code" ? { ...cell, metadata, outputs: cell.outputs.filter(hasContent).flatMap(separated) } : { ...cell, metadata };
  });
  await withPictures(cells.filter((cell) => cell.cell_type === "code"), options);
  for (const [number, cell] of cells.filter((cell) => cell.cell_type === "code").entries()) {
    const path = shownPath(cell.outputs, [options.folder, homedir()]);
    if (path !== undefined) options.warn?.(`code cell ${number + 1}: its output shows a path of this machine (${path})`);
  }
  const { run: _, ...kept } = (notebook.metadata["sdtp"] ?? {}) as JsonObject;
  const metadata = { ...without(notebook.metadata, "papermill", "sdtp"), ...(Object.keys(kept).length > 0 && { sdtp: kept }) };
  for (const each of withValidIds(notebook).mended) options.warn?.(each);
  return { document: stringifyNotebook({ ...notebook, metadata, cells }), files: [] };
}

async function withPictures(cells: CodeCell[], options: ExportOptions): Promise<void> {
  const charts = cells.flatMap(({ outputs }, c) =>
    outputs.flatMap((output, i) => {
      const figure = isDisplay(output) ? figureOf(output.data) : undefined;
      return figure ? [{ outputs, i, output: output as Extract<Output, { data: object }>, figure, name: `the chart of code cell ${c + 1}` }] : [];
    }),
  );
  const pictures = await drawnCharts(charts, options);
  for (const [at, { outputs, i, output }] of charts.entries()) {
    const { [PLOTLY]: chart, "text/plain": text } = output.data;
    const picture = pictures[at];
    outputs[i] = {
      ...output,
      data: { [PLOTLY]: chart!, ...(picture && { "image/png": Buffer.from(picture).toString("base64") }), ...(text !== undefined && { "text/plain": text }) },
    };
  }
}

function without<Metadata extends JsonObject>(metadata: Metadata, ...names: string[]): Metadata {
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => !names.includes(name))) as Metadata;
}

function shownPath(outputs: readonly Output[], paths: readonly string[]): string | undefined {
  const text = JSON.stringify(outputs);
  return paths.find((path) => path.length > 1 && text.includes(JSON.stringify(path).slice(1, -1)));
}
