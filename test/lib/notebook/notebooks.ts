import type { JsonObject } from "../../../lib/jupyter/messages.js";
import type { Attachments, Cell, CodeCell, MimeData, Notebook, Output } from "../../../lib/notebook/types.js";

/** A notebook of our kernel with these cells. */
export function notebookOf(cells: Cell[], metadata: JsonObject = {}): Notebook {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" }, language_info: { name: "typescript", file_extension: ".ts" }, ...metadata },
    cells,
  };
}

let made = 0;
const id = (): string => `cell-${++made}`;

export const text = (source: string, attachments: Attachments = {}): Cell => ({ cell_type: "markdown", id: id(), metadata: {}, source, attachments });

export const raw = (source: string, format = ""): Cell => ({ cell_type: "raw", id: id(), metadata: format === "" ? {} : { raw_mimetype: format }, source });

export function code(source: string, outputs: Output[] = [], tags: string[] = [], metadata: JsonObject = {}): CodeCell {
  return { cell_type: "code", id: id(), metadata: { ...metadata, tags }, execution_count: 1, source, outputs };
}

export const stream = (text: string, name: "stdout" | "stderr" = "stdout"): Output => ({ output_type: "stream", name, text });

export const shows = (data: MimeData, metadata: JsonObject = {}): Output => ({ output_type: "display_data", data, metadata });

export const failed = (ename: string, evalue: string, traceback: string[]): Output => ({ output_type: "error", ename, evalue, traceback });

/** A line chart as Plotly's bundle, with the HTML that a kernel puts beside it. */
export function chart(title: string, more: JsonObject = {}): Output {
  return shows({
    "application/vnd.plotly.v1+json": { data: [{ type: "scatter", x: [1, 2, 3], y: [2, 1, 3], ...more }], layout: { title: { text: title } } },
    "text/html": "<div>chart</div><script>document.body.dataset.ran = 'html of a chart'</script>",
    "text/plain": "Plotly figure: 1 trace",
  });
}

/** One red pixel. */
export const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
