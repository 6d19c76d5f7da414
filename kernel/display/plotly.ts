import { bringPlotly, clearFigure, figureHtml, figureJson, type PlotlyFigure } from "../../lib/report/views/figure-html.js";
import type { Formatted } from "./format.js";

/**
 * Plotly figures: `application/vnd.plotly.v1+json` for clients that draw it themselves (VS Code,
 * JupyterLab with its extension), and HTML that draws without a network, over a picture for where no script runs.
 */
export function plotly(value: unknown): Formatted | undefined {
  return isFigure(value) ? plotlyBundle(value) : undefined;
}

export function plotlyBundle(figure: PlotlyFigure): Formatted {
  const { length } = figure.data;
  const text = `Plotly figure: ${length} ${length === 1 ? "trace" : "traces"}`;
  bringPlotly();
  return {
    "application/vnd.plotly.v1+json": JSON.parse(figureJson(clearFigure(figure))) as object,
    "text/html": figureHtml(figure, text),
    "text/plain": text,
  };
}

/** An object literal `{data: traces, layout}`: every trace says its type or has coordinates. */
function isFigure(value: unknown): value is PlotlyFigure {
  if (typeof value !== "object" || value === null) return false;
  const { data, layout } = value as Partial<PlotlyFigure>;
  if (!Array.isArray(data) || data.length === 0 || typeof layout !== "object" || layout === null) return false;
  const isTrace = (trace: unknown) =>
    typeof trace === "object" && trace !== null && ["type", "x", "y", "z", "values"].some((key) => key in trace);
  return data.every(isTrace);
}
