/**
 * What stands beside a cell's marker in a text notebook: `Title [markdown] tags=["a"] slideshow={"slide_type": "slide"}`.
 * Source: https://jupytext.readthedocs.io/en/latest/formats-scripts.html
 */
import type { Json, JsonObject } from "../../jupyter/messages.js";
import type { CellMetadata } from "../types.js";

const KEY = /^[a-zA-Z0-9_.@/-]+$/;

/** Metadata that stays in the .ipynb: what clients, jupytext and runs note about a cell, not what people write. */
const HIDDEN = new Set(["autoscroll", "collapsed", "scrolled", "trusted", "execution", "ExecuteTime", "skipline", "noskipline", "cell_marker", "lines_to_next_cell", "lines_to_end_of_cell_marker", "papermill", "sdtp"]);

/**
 * The metadata of a cell that a text notebook shows.
 * @param filter jupytext's `cell_metadata_filter`: `tags,slideshow,-all`, `-name`
 */
export function shownMetadata(metadata: CellMetadata, filter = ""): JsonObject {
  const names = filter.split(",").map((name) => name.trim()).filter(Boolean);
  const excluded = new Set(names.filter((name) => name.startsWith("-")).map((name) => name.slice(1)));
  const included = new Set(names.filter((name) => !name.startsWith("-")));
  const isShown = (key: string) => {
    if (excluded.has("all")) return included.has(key);
    return !excluded.has(key) && (included.has("all") || included.has(key) || !HIDDEN.has(key));
  };
  const isEmptyTags = (key: string, value: Json | undefined) => key === "tags" && Array.isArray(value) && value.length === 0;
  return Object.fromEntries(Object.entries(metadata).filter(([key, value]) => KEY.test(key) && isShown(key) && !isEmptyTags(key, value)));
}

/** `key=value …` as jupytext writes it. */
export function formatOptions(metadata: JsonObject): string {
  return Object.entries(metadata).map(([key, value]) => (value === null ? key : `${key}=${pythonJson(value)}`)).join(" ");
}

/** A title in front of options, and the options. Text that is none of either is taken for the title. */
export function parseOptions(text: string): { title: string; metadata: JsonObject } {
  const trimmed = text.trim();
  // Older versions of jupytext write JSON: `Title {"tags": […]}`.
  const json = /^([^={]*)(\{[^]*\})$/.exec(trimmed);
  if (json) {
    const metadata = parsed(json[2] ?? "");
    if (typeof metadata === "object" && metadata !== null && !Array.isArray(metadata)) return { title: (json[1] ?? "").trim(), metadata };
  }
  // The title is what stands in front of the first key.
  const first = trimmed.indexOf("=");
  const words = (first < 0 ? trimmed : trimmed.slice(0, first).replace(/\S*\s*$/, "")).trim();
  return { title: words, metadata: parseKeys(trimmed.slice(words.length)) };
}

/** `key=value key …`: a key without a value has null. Text that is neither is left out. */
export function parseKeys(text: string): JsonObject {
  const found: [string, Json][] = [];
  let rest = text.trim();
  // From the right: a value may have blanks and `=` in it.
  search: while (rest !== "") {
    const word = /(?:^|\s)([a-zA-Z_.][\w.]*)$/.exec(rest);
    if (word) {
      found.push([word[1] ?? "", null]);
      rest = rest.slice(0, word.index).trimEnd();
      continue;
    }
    for (let at = rest.lastIndexOf("="); at > 0; at = rest.lastIndexOf("=", at - 1)) {
      const left = /(?:^|\s)([^\s=]+)\s*$/.exec(rest.slice(0, at));
      const key = left?.[1];
      if (left === null || key === undefined || !KEY.test(key)) continue;
      const value = parsed(rest.slice(at + 1).trim());
      if (value === undefined) continue;
      found.push([key, value]);
      rest = rest.slice(0, left.index).trimEnd();
      continue search;
    }
    break;
  }
  return Object.fromEntries(found.reverse());
}

/** JSON, or text in Python's single quotes; undefined for anything else. */
function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    const quoted = /^'((?:[^'\\]|\\.)*)'$/.exec(text);
    if (quoted) return (quoted[1] ?? "").replace(/\\(.)/g, "$1");
    return text === "True" ? true : text === "False" ? false : text === "None" ? null : undefined;
  }
}

/** JSON as Python's `json.dumps` writes it: blanks behind `,` and `:`, ASCII only. */
function pythonJson(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  // A number that keeps its digits is an object.
  if (typeof value === "object" && value !== null && !((value as object) instanceof Number)) {
    return `{${Object.entries(value).map(([key, item]) => `${pythonJson(key)}: ${pythonJson(item)}`).join(", ")}}`;
  }
  return (JSON.stringify(value) ?? "null").replace(/[\x7f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
