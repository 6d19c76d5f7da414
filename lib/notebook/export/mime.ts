import type { Json } from "../../jupyter/messages.js";
import type { MimeData, Output } from "../types.js";

export const PLOTLY = "application/vnd.plotly.v1+json";

/** A Plotly figure as a bundle holds it. */
export interface Figure {
  readonly data: readonly Record<string, unknown>[];
  readonly layout?: Record<string, unknown>;
  readonly config?: Record<string, unknown>;
}

/** The bundle's first type among `order` that is there, with its data. */
export function chosen(data: MimeData, order: readonly string[]): { type: string; content: Json } | undefined {
  for (const type of order) {
    const content = data[type];
    if (content !== undefined && content !== null && content !== "") return { type, content };
  }
  return undefined;
}

/** Text of a bundle: nbformat keeps it whole or in lines. */
export function textOf(content: Json | undefined): string {
  return Array.isArray(content) ? content.join("") : typeof content === "string" ? content : content === undefined ? "" : JSON.stringify(content, null, 2);
}

/** The figure of a bundle, undefined where there is none that Plotly could draw. */
export function figureOf(data: MimeData): Figure | undefined {
  const figure = data[PLOTLY] as Partial<Figure> | undefined;
  return typeof figure === "object" && figure !== null && Array.isArray(figure.data) ? (figure as Figure) : undefined;
}

/** A chart's own title as text. */
export function figureTitle({ layout }: Figure): string {
  const title = layout?.["title"] as string | { text?: unknown } | undefined;
  const text = typeof title === "string" ? title : title?.text;
  return typeof text === "string" ? text.replace(/<br\s*\/?>/gi, ". ").replace(/<[^>]*>/g, "").trim() : "";
}

/** Text that says no more than that there is another representation: `HTML`, `<IPython.core.display.HTML object>`. */
export const isPlaceholder = (text: string): boolean => /^\s*(HTML|Markdown|LaTeX|SVG|<[^>]*>)?\s*$/i.test(text);

/** What an image says to those who do not see it: its text twin, unless that is only how a program names an object. */
export function altText(data: MimeData, otherwise: string): string {
  const text = textOf(data["text/plain"]).trim();
  return isPlaceholder(text) || text.length > 300 ? otherwise : text;
}

export const isDisplay = (output: Output): output is Extract<Output, { data: MimeData }> => output.output_type === "display_data" || output.output_type === "execute_result";
