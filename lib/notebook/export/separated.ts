import type { Output } from "../types.js";
import { tablesAndText } from "./html-tables.js";
import { figureOf, isDisplay, textOf } from "./mime.js";

const script = /<script\b[\s\S]*?<\/script\s*>/gi;
/** Where the library's own HTML has a chart drawn (lib/report/views/figure-html.ts). */
const chart = /<div id="plotly-[^"]*"[^>]*>(?:<pre>[^<]*<\/pre>(?:<table>(?:(?!<\/?(?:div|script)\b)[\s\S])*<\/table>)?|<img [^>]*>)<\/div>/;

/**
 * A chart and what its HTML shows beside it, such as a table, as two outputs: of a bundle one type is shown, and a chart as
 * such is none of HTML. Other outputs stay as they are.
 */
export function separated(output: Output): Output[] {
  if (!isDisplay(output) || figureOf(output.data) === undefined) return [output];
  const html = textOf(output.data["text/html"]);
  const rest = chart.test(html) ? html.replace(script, "").replace(chart, "") : "";
  if (tablesAndText(rest).length === 0) return [output];
  const { "text/html": _, ...data } = output.data;
  const text = output.data["text/plain"];
  return [
    { output_type: "display_data", data, metadata: output.metadata },
    { ...output, data: { "text/html": rest, ...(text !== undefined && { "text/plain": text }) }, metadata: {} },
  ];
}
