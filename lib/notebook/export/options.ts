import type { Bibliography } from "./bibliography.js";

/** Built-in looks: `report` shows code and execution counts; `article` is for reading: code folded, no counts. */
export const templates = ["report", "article"] as const;
export type Template = (typeof templates)[number];

export interface ExportOptions {
  /** The title where the notebook has none: usually its file name. */
  readonly name: string;
  /** Where the images lie that markdown refers to: the notebook's folder. */
  readonly folder: string;
  /** Where pictures beside the document go, relative to it (Markdown, LaTeX). */
  readonly filesFolder: string;
  /** Default: `report`. */
  readonly template?: Template;
  /** CSS that follows the template's own (HTML and PDF). */
  readonly css?: string;
  /** false: no code at all. Default: true. */
  readonly input?: boolean;
  /** Scripts and styles of outputs work as they do in a trusted notebook. Default: false. */
  readonly trust?: boolean;
  /** Told of what could not be shown: a missing image, a chart without a browser. */
  readonly warn?: (text: string) => void;
  /** The browser for PDF and for charts as pictures. Default: the one that is found (see `findChromium`). */
  readonly chromium?: string;
  /** BibTeX files whose works the text cites, beside those that the notebook names; from `folder`. */
  readonly bibliography?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Options with what was read for them. */
export interface RenderOptions extends ExportOptions {
  readonly works?: Bibliography | undefined;
}

/** A file that an exported document refers to, by its path beside the document. */
export interface SideFile {
  readonly path: string;
  readonly content: Uint8Array;
}

/** A document and what belongs to it. */
export interface Exported {
  readonly document: string | Uint8Array;
  /** Pictures that the document refers to, by paths relative to it. */
  readonly files: readonly SideFile[];
}
