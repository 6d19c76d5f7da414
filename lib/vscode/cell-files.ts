/** What of VS Code's notebooks is used here. */
export interface Notebook {
  readonly notebookType: string;
  readonly metadata: { readonly [key: string]: unknown };
  getCells(): readonly { readonly document: { readonly languageId: string; readonly uri: CellUri } }[];
}

export interface CellUri {
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly fragment: string;
}

/** Kernels whose cells are TypeScript of another kind. */
const OTHERS = new Set(["deno", "tslab", "jslab"]);

/** What a cell's notebook is called to TypeScript's server: see plugin/cells.ts. */
function notebookFile({ scheme, authority, path }: CellUri): string {
  return `^/${scheme}/${authority || "ts-nul-authority"}${path.startsWith("/") ? path : `/${path}`}`;
}

/** What the plugin is told: by notebook, its cells of TypeScript in their order; null for one of another kernel. */
export function cellsByNotebook(notebooks: readonly Notebook[]): Record<string, string[] | null> {
  const told: Record<string, string[] | null> = {};
  for (const notebook of notebooks) {
    const cells = notebook.getCells().filter(({ document }) => document.languageId.startsWith("typescript"));
    if (cells.length > 0) told[notebookFile(cells[0]!.document.uri)] = OTHERS.has(kernelOf(notebook) ?? "") ? null : cells.map(({ document }) => document.uri.fragment);
  }
  return told;
}

/** The kernel's name, which VS Code's Jupyter has where the file has it, or under `metadata`. */
function kernelOf({ metadata }: Notebook): string | undefined {
  type Metadata = { kernelspec?: { name?: string }; metadata?: Metadata };
  const { kernelspec, metadata: inner } = metadata as Metadata;
  return kernelspec?.name ?? inner?.kernelspec?.name;
}
