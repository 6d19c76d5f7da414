import type { Formatted } from "./format.js";
import { asText } from "./text.js";

/** An Error that is a value (not thrown): its stack, with the cell's own lines. */
export function errors(value: unknown): Formatted | undefined {
  return value instanceof Error ? { "text/plain": asText(value) } : undefined;
}
