import { toHtml, toLatex, toMarkdown } from "../formats/index.js";
import type { Table } from "../table.js";
import type { View } from "./view.js";

/** A table that shows itself in a cell, in every form that a client may want. */
export type ShownTable<Row> = Table<Row> & View & {
  /** GitHub-flavoured markdown. */
  readonly markdown: string;
  /** A LaTeX table environment with booktabs rules. */
  readonly latex: string;
};

/** Adds the view to a table: HTML, markdown and LaTeX in one bundle. They are made when looked at. */
export function shownTable<Row>(table: Table<Row>): ShownTable<Row> {
  const made = { ...table };
  const bundle = () => ({ "text/html": toHtml(made), "text/markdown": toMarkdown(made), "text/latex": toLatex(made), "text/plain": toMarkdown(made) });
  return Object.defineProperties(made, {
    html: { get: () => toHtml(made) },
    text: { get: () => toMarkdown(made) },
    markdown: { get: () => toMarkdown(made) },
    latex: { get: () => toLatex(made) },
    [Symbol.for("Jupyter.display")]: { value: bundle },
  }) as ShownTable<Row>;
}
