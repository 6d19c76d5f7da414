import type { Scale } from "./scale.js";
import type { Area } from "./draw.js";

/** Where traces are drawn: the scales of two axes, and the area between them. */
export interface Plot extends Area {
  readonly x: Scale;
  readonly y: Scale;
}

/** A pair of values in pixels. */
export const place = ({ x, y, left, top, width, height }: Plot, a: unknown, b: unknown): [number, number] => [left + x.at(a) * width, top + (1 - y.at(b)) * height];
