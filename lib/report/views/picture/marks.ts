import { escapeHtml } from "../../../escape-html.js";
import type { Attributes } from "../../figure.js";
import { type Area, plainWords, px, text } from "./draw.js";
import type { Scale } from "./scale.js";

/** Lines, rectangles and words that a layout puts on its plots. */
export function marks(layout: Attributes, scales: (axis: string) => { readonly scale: Scale; readonly area: Area } | undefined, whole: Area): { below: string; above: string } {
  const [paperX, paperY] = [(value: number) => whole.left + value * whole.width, (value: number) => whole.top + (1 - value) * whole.height];
  const x = (reference: unknown, value: unknown): number => {
    const [, axis, domain] = /^(x\d*)( domain)?$/.exec(String(reference ?? "x")) ?? [];
    const found = axis ? scales(axis) : undefined;
    if (!found) return paperX(Number(value));
    return found.area.left + (domain ? Number(value) : found.scale.at(value)) * found.area.width;
  };
  const y = (reference: unknown, value: unknown): number => {
    const [, axis, domain] = /^(y\d*)( domain)?$/.exec(String(reference ?? "y")) ?? [];
    const found = axis ? scales(axis) : undefined;
    if (!found) return paperY(Number(value));
    return found.area.top + (1 - (domain ? Number(value) : found.scale.at(value))) * found.area.height;
  };
  const shapes = ((layout["shapes"] ?? []) as Attributes[]).map((shape): [string, string] => {
    const [x0, x1, y0, y1] = [x(shape["xref"], shape["x0"]), x(shape["xref"], shape["x1"]), y(shape["yref"], shape["y0"]), y(shape["yref"], shape["y1"])];
    if (![x0, x1, y0, y1].every(Number.isFinite)) return ["", ""];
    const { color = "#7a7a7a", width = 2, dash } = (shape["line"] ?? {}) as { color?: string; width?: number; dash?: string };
    const look = `stroke="${escapeHtml(String(color))}" stroke-width="${Number(width)}"${dash && dash !== "solid" ? ` stroke-dasharray="${dash === "dot" ? "2 4" : "6 4"}"` : ""} opacity="${Number(shape["opacity"] ?? 1)}"`;
    const fill = typeof shape["fillcolor"] === "string" ? escapeHtml(shape["fillcolor"]) : "none";
    const svg = shape["type"] === "line" ? `<path d="M${px(x0)} ${px(y0)}L${px(x1)} ${px(y1)}" ${look}/>`
      : shape["type"] === "circle" ? `<ellipse cx="${px((x0 + x1) / 2)}" cy="${px((y0 + y1) / 2)}" rx="${px(Math.abs(x1 - x0) / 2)}" ry="${px(Math.abs(y1 - y0) / 2)}" fill="${fill}" ${look}/>`
      : shape["type"] === "path" ? ""
      : `<rect x="${px(Math.min(x0, x1))}" y="${px(Math.min(y0, y1))}" width="${px(Math.abs(x1 - x0))}" height="${px(Math.abs(y1 - y0))}" fill="${fill}" ${look}/>`;
    return shape["layer"] === "below" ? [svg, ""] : ["", svg];
  });
  const notes = ((layout["annotations"] ?? []) as Attributes[]).filter(({ visible }) => visible !== false).map((note) => {
    const [atX, atY] = [x(note["xref"], note["x"]), y(note["yref"], note["y"])];
    if (!Number.isFinite(atX) || !Number.isFinite(atY)) return "";
    const isArrow = note["showarrow"] !== false;
    const [ax, ay] = isArrow && note["axref"] === undefined ? [Number(note["ax"] ?? -10), Number(note["ay"] ?? -30)] : [0, 0];
    const side = isArrow ? "middle" : note["xanchor"] === "left" || (note["xanchor"] === undefined && note["xref"] === "paper" && Number(note["x"]) < 1 / 3) ? "start" : note["xanchor"] === "right" || (note["xanchor"] === undefined && note["xref"] === "paper" && Number(note["x"]) > 2 / 3) ? "end" : "middle";
    const lift = note["yanchor"] === "bottom" ? -3 : note["yanchor"] === "top" ? 13 : 4;
    const arrow = isArrow && (ax !== 0 || ay !== 0) ? `<path d="M${px(atX)} ${px(atY)}L${px(atX + ax)} ${px(atY + ay)}" stroke="#7a7a7a"/>` : "";
    return arrow + text(atX + ax, atY + ay + (isArrow ? (ay <= 0 ? -4 : 14) : lift), plainWords(note["text"]), `text-anchor="${side}"`);
  });
  return { below: shapes.map(([svg]) => svg).join(""), above: shapes.map(([, svg]) => svg).join("") + notes.join("") };
}
