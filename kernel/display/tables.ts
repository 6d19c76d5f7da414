import type { Formatted } from "./format.js";
import { asText } from "./text.js";

/** Most rows of an arquero table that are shown. */
const LIMIT = 60;

/** arquero tables and anything else with `toHTML()`; a text twin by `toMarkdown()` where there is one. */
export function tables(value: unknown): Formatted | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const table = value as { toHTML?: unknown; toMarkdown?: unknown };
  if (typeof table.toHTML !== "function") return undefined;
  const html = (table.toHTML as (options: object) => unknown).call(value, { limit: LIMIT });
  if (typeof html !== "string") return undefined;
  const markdown = typeof table.toMarkdown === "function" ? (table.toMarkdown as (options: object) => unknown).call(value, { limit: LIMIT }) : undefined;
  return { "text/html": html, "text/plain": typeof markdown === "string" ? markdown : asText(value) };
}
