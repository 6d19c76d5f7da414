import type { ErrorContent } from "../../jupyter/index.js";
import { freeId } from "../parameters/inject.js";
import { plainText } from "../plain-text.js";
import { hasTag, type Cell, type Notebook } from "../types.js";

/** papermill's, so that each removes the other's. */
const TAG = "papermill-error-cell-tag";
const STYLE = "color:red; font-family:Helvetica Neue, Helvetica, Arial, sans-serif;";

/** Puts a banner at the top of a notebook that links to a mark before the cell where it stopped, as papermill does. */
export function addErrorMarkers(notebook: Notebook, failed: Cell, what: string): void {
  const prompt = failed.cell_type === "code" && failed.execution_count !== null ? failed.execution_count : " ";
  const banner = `<span style="${STYLE} font-size:2em;">${what} at '<a href="#papermill-error-cell">In [${prompt}]</a>'.</span>`;
  const mark = `<span id="papermill-error-cell" style="${STYLE}">The run stopped at this cell:</span>`;
  notebook.cells.splice(notebook.cells.indexOf(failed), 0, marker(notebook, "error-cell", mark));
  notebook.cells.unshift(marker(notebook, "error-banner", banner));
}

/** Removes what {@link addErrorMarkers} or papermill added. */
export function removeErrorMarkers(notebook: Notebook): void {
  notebook.cells = notebook.cells.filter((cell) => !hasTag(cell, TAG));
}

function marker(notebook: Notebook, id: string, source: string): Cell {
  return { cell_type: "markdown", ...(notebook.nbformat_minor >= 5 && { id: freeId(notebook, id) }), metadata: { tags: [TAG] }, source: [source] };
}

/**
 * The line of a cell that an error's traceback points at: the innermost in this cell.
 * @param count the cell's execution count
 * @returns from 1; undefined where the traceback does not say
 */
export function errorLine({ traceback }: Pick<ErrorContent, "traceback">, count: number | null): number | undefined {
  const text = plainText(traceback.join("\n"));
  const ours = [...text.matchAll(/Cell \[(\d+)\]:(\d+):\d+/g)].find((match) => Number(match[1]) === count);
  if (ours) return Number(ours[2]);
  const ipython = [...text.matchAll(/(?:Cell|Input) In ?\[(\d+)\], (?:line (\d+)|in <cell line: (\d+)>)/g)].filter((match) => Number(match[1]) === count).at(-1);
  return ipython ? Number(ipython[2] ?? ipython[3]) : undefined;
}
