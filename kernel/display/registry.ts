import { arrays } from "./arrays.js";
import { errors } from "./errors.js";
import { frames } from "./frames.js";
import { plotly } from "./plotly.js";
import { tables } from "./tables.js";

/** A MIME bundle, or only its data: `{"text/html": "…"}`. Bytes are allowed where base64 is meant. */
export type Formatted = Record<string, unknown>;

/** Shows values of some type; undefined for values of others. */
export type Format = (value: unknown) => Formatted | undefined;

const registered: Format[] = [errors, frames, plotly, arrays, tables];

/** All formats; the one registered last is asked first. */
export function formats(): readonly Format[] {
  return registered;
}

export function registerFormat(format: Format): void {
  registered.unshift(format);
}
