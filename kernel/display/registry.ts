import { arrays } from "./arrays.js";
import { elements } from "./elements.js";
import { errors } from "./errors.js";
import type { Format } from "./format.js";
import { frames } from "./frames.js";
import { images } from "./image.js";
import { plotly } from "./plotly.js";
import { tables } from "./tables.js";

const registered: Format[] = [errors, frames, plotly, arrays, tables, elements, images];

/** All formats; the one registered last is asked first. */
export function formats(): readonly Format[] {
  return registered;
}

export function registerFormat(format: Format): void {
  registered.unshift(format);
}
