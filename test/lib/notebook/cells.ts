import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { parseNotebook } from "../../../lib/notebook/read.js";
import { joined, type Cell, type CodeCell, type Notebook, type NotebookMetadata, type Output } from "../../../lib/notebook/types.js";

/** A folder that is removed after the tests. */
export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-run-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function code(source: string, ...tags: string[]): CodeCell {
  return { cell_type: "code", execution_count: null, metadata: tags.length ? { tags } : {}, outputs: [], source };
}

export function markdown(source: string): Cell {
  return { cell_type: "markdown", metadata: {}, source };
}

const SDTP: NotebookMetadata = { kernelspec: { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" } };
export const PYTHON: NotebookMetadata = { kernelspec: { name: "python3", display_name: "Python 3", language: "python" } };

export function notebook(cells: Cell[], metadata: NotebookMetadata = SDTP): Notebook {
  return structuredClone({ cells, metadata, nbformat: 4, nbformat_minor: 4 });
}

export function write(file: string, cells: Cell[], metadata?: NotebookMetadata): string {
  writeFileSync(file, JSON.stringify(notebook(cells, metadata)));
  return file;
}

export function read(file: string): Notebook {
  return parseNotebook(readFileSync(file, "utf8"), file);
}

/** The cell whose source contains `text`. */
export function cellWith(book: Notebook, text: string): CodeCell {
  const cell = book.cells.find((each) => joined(each.source).includes(text));
  if (!cell) throw new Error(`no cell with ${text}`);
  return cell as CodeCell;
}

/** What a cell shows, in short: streams and text/plain. */
export function shown({ outputs }: CodeCell): string[] {
  return outputs.map((output: Output) => {
    if (output.output_type === "stream") return `${output.name}: ${joined(output.text)}`;
    if (output.output_type === "error") return `error: ${output.ename}`;
    return joined((output.data["text/plain"] ?? "") as string | string[]);
  });
}
