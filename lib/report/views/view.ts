import type { Figure } from "../figure.js";
import { bringPlotly, figureHtml } from "./figure-html.js";

const display = Symbol.for("Jupyter.display");

/** How data show themselves. */
export interface View {
  readonly title: string;
  /** An HTML fragment: escaped, styles scoped by class. A figure in it needs Plotly on its page (see `viewPage`). */
  readonly html: string;
  readonly text: string;
  /** For Plotly, where the data are drawn as a chart. */
  readonly figure?: Figure;
}

/** Data that show themselves in a cell; their own fields stay as they are. */
export type Shown<Data extends object> = Data & View;

export interface ViewParts {
  readonly title: string;
  readonly text: string;
  /** Made when looked at. Default: the figure. */
  readonly html?: () => string;
  readonly figure?: Figure;
}

/**
 * Adds a view to data. `title`, `html`, `text` and `figure` are not enumerable: JSON, a copy or a dataframe of the
 * value has the data alone.
 */
export function shown<Data extends object>(data: Data, { title, text, html, figure }: ViewParts): Shown<Data> {
  if (!html && !figure) throw new Error(`view: ${title} (needs html or a figure)`);
  let made: string | undefined;
  const properties = {
    title: { value: title },
    text: { value: text },
    html: { get: () => (made ??= html?.() ?? figureHtml(figure!, text)) },
    figure: { value: figure },
    [display]: {
      value(this: View) {
        const isDrawn = this.figure !== undefined;
        if (isDrawn) bringPlotly();
        return {
          ...(isDrawn && { "application/vnd.plotly.v1+json": this.figure }),
          "text/html": this.html,
          "text/plain": this.text,
        };
      },
    },
  };
  return Object.defineProperties({ ...data }, properties) as Shown<Data>;
}
