import { parseDocument } from "yaml";

/** What comments at the head of a code cell say of its output. */
export interface CellOptions {
  /** What `@tbl-speed` refers to: begins with `fig-` or `tbl-`. */
  readonly label?: string;
  readonly caption?: string;
}

const line = /^\s*(?:\/\/|#|--|%%)\|\s?(.*)$/;

/**
 * Options in comments at the head of a cell, a line each, as Quarto writes them: `//| label: tbl-speed`, `//| caption: What pruning gains`
 * (also `fig-cap`, `tbl-cap`). `#|` in languages whose comments begin so.
 * @returns the options, and the source without these lines
 */
export function cellOptions(source: string): { options: CellOptions; source: string } {
  const lines = source.split("\n");
  const count = lines.findIndex((each) => !line.test(each));
  const head = lines.slice(0, count < 0 ? lines.length : count).map((each) => line.exec(each)![1]!);
  if (head.length === 0) return { options: {}, source };
  const document = parseDocument(head.join("\n"));
  const values: unknown = document.errors.length > 0 ? undefined : document.toJS();
  if (typeof values !== "object" || values === null || Array.isArray(values)) return { options: {}, source };
  const { label, caption, "fig-cap": figure, "tbl-cap": table } = values as Record<string, unknown>;
  const words = caption ?? figure ?? table;
  return {
    options: { ...(typeof label === "string" && { label }), ...(words !== undefined && words !== null && { caption: String(words) }) },
    source: lines.slice(head.length).join("\n"),
  };
}
