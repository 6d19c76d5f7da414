import { escapeHtml } from "../../../escape-html.js";
import type { Attributes } from "../../figure.js";
import { colorway, colours } from "./colour.js";
import { extent, isList, list, numbers } from "./values.js";

/** Part of the picture in pixels. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A line of the legend. */
export interface Name {
  readonly name: string;
  readonly colour: string;
  readonly dash?: string | undefined;
}

/** A coordinate with a tenth of a pixel. */
export const px = (value: number): string => String(Math.round(10 * value) / 10);

export const text = (x: number, y: number, words: string, more = ""): string => `<text x="${Math.round(x)}" y="${Math.round(y)}" ${more}>${escapeHtml(plainWords(words))}</text>`;

/** Words without the markup that Plotly knows: what a picture writes is text. Other angle brackets are what they are: `<pad>`. */
export const plainWords = (words: unknown): string => String(words ?? "").replace(/<br\s*\/?>/gi, " ").replace(/<\/?(?:b|strong|i|em|u|s|sub|sup|span|a)(?:\s[^>]*)?>/gi, "").trim();

export const words = (title: unknown): string => plainWords(typeof title === "object" && title !== null ? (title as { text?: unknown }).text : title);

export const paletteOf = (layout: Attributes): readonly string[] => {
  const own = layout["colorway"] ?? layout["template"]?.layout?.colorway;
  return Array.isArray(own) && own.length > 0 ? own.map(String) : colorway;
};

/** The one colour of a trace: its own, or its turn of the palette. */
export const colourOf = (trace: Attributes, index: number, palette: readonly string[]): string =>
  escapeHtml(String([trace["line"]?.color, trace["marker"]?.color, trace["fillcolor"]].find((colour) => typeof colour === "string") ?? palette[index % palette.length]));

/** The colour of each point: of a list of colours, or of numbers on a scale; otherwise the trace's own. */
export function pointColours(marker: Attributes | undefined, otherwise: string): (index: number) => string {
  const given = marker?.["color"];
  if (!isList(given)) return () => otherwise;
  const each = list(given);
  if (each.every((value) => typeof value === "string" && Number.isNaN(Number(value)))) return (i) => escapeHtml(String(each[i] ?? otherwise));
  const values = numbers(given);
  const [low, high] = extent(values);
  const [from, to] = [Number(marker?.["cmin"] ?? low), Number(marker?.["cmax"] ?? high)];
  const scale = colours(marker?.["colorscale"], marker?.["reversescale"] === true);
  return (i) => (Number.isFinite(values[i]) ? rgb(scale((values[i]! - from) / (to - from || 1))) : otherwise);
}

export const rgb = ([r, g, b]: readonly number[]): string => `rgb(${Math.round(r!)},${Math.round(g!)},${Math.round(b!)})`;

/** A number as short as it can be read. */
export const label = (value: number): string => String(Number(value.toPrecision(3)));
