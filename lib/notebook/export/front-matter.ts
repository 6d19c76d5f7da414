import { parseDocument } from "yaml";
import { joined, type Notebook } from "../types.js";

/** What a notebook says of the document that it becomes. */
export interface FrontMatter {
  readonly title?: string;
  /** BibTeX files, from the notebook's folder. */
  readonly bibliography: readonly string[];
}

/**
 * The notebook's title and bibliography: of its metadata, or of a raw cell at its head between `---` lines, as Quarto has it, which is
 * then left out.
 */
export function frontMatter(notebook: Notebook): { matter: FrontMatter; notebook: Notebook } {
  const [first, ...cells] = notebook.cells;
  const yaml = first?.cell_type === "raw" ? /^\s*---\n([\s\S]*?)\n---\s*$/.exec(joined(first.source))?.[1] : undefined;
  const document = yaml === undefined ? undefined : parseDocument(yaml);
  const head = document && document.errors.length === 0 ? ((document.toJS() ?? {}) as Record<string, unknown>) : {};
  const { title = head["title"], bibliography = head["bibliography"] } = notebook.metadata as { title?: unknown; bibliography?: unknown };
  const files = (Array.isArray(bibliography) ? bibliography : [bibliography]).filter((file): file is string => typeof file === "string" && file !== "");
  const matter = { bibliography: files, ...(typeof title === "string" && { title }) };
  return { matter, notebook: document ? { ...notebook, cells: [{ ...first!, metadata: { ...first!.metadata, tags: [...(first!.metadata.tags ?? []), "remove-cell"] } }, ...cells], metadata: { ...notebook.metadata, ...(matter.title !== undefined && { title: matter.title }) } } : notebook };
}
