/**
 * Cells as VS Code hands them to TypeScript's server: files in memory, all of a notebook under one name:
 * `^/vscode-notebook-cell/AUTHORITY/PATH/OF/THE.ipynb#W0sZmlsZQ`, the number of the cell in base 7 behind the `W`.
 */
const CELL = /^\^\/vscode-notebook-cell\/[^/]+(\/.+)#(.+)$/;

export function isCell(file: string): boolean {
  return CELL.test(file);
}

/** What all cells of a notebook have before the `#`. */
export function notebookOf(file: string): string {
  return file.slice(0, file.lastIndexOf("#"));
}

/** The notebook's folder on disk, from which its cells import. */
export function folderOf(file: string): string {
  const path = CELL.exec(file)?.[1] ?? "/";
  // `/c:/…` on Windows.
  return path.replace(/\/[^/]*$/, "").replace(/^\/(?=[a-z]:)/i, "") || "/";
}

/** The cells above one in its notebook, the uppermost first. @param order as the extension told it; else in the order of their making */
export function cellsAbove(file: string, all: readonly string[], order: readonly string[] | undefined): string[] {
  const own = all.filter((each) => notebookOf(each) === notebookOf(file));
  const place = (each: string) => {
    const told = order?.indexOf(fragmentOf(each)) ?? -1;
    return told >= 0 ? told : (order?.length ?? 0) + made(each);
  };
  return own.filter((each) => place(each) < place(file)).sort((a, b) => place(a) - place(b));
}

/** What tells a cell from the others of its notebook, written in one way. */
export function fragmentOf(file: string): string {
  const fragment = file.slice(file.lastIndexOf("#") + 1);
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}

function made(file: string): number {
  return parseInt(/^[W-Zwa-fz]([0-6]+)s/.exec(fragmentOf(file))?.[1] ?? "0", 7);
}
