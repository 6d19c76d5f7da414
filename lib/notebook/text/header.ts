/**
 * The YAML in front of a text notebook, with the notebook's metadata under `jupyter`.
 * Source: https://jupytext.readthedocs.io/en/latest/formats-scripts.html
 */
import { parse, stringify } from "yaml";
import type { JsonObject } from "../../jupyter/messages.js";
import { lines, type Cell, type NotebookMetadata, type RawCell } from "../types.js";

/** The version of jupytext whose files these are like. */
const JUPYTEXT = "1.19.6";

/** Metadata of a notebook that text shows, as jupytext has it. */
const SHOWN = ["jupytext", "kernelspec", "kernel_info", "orphan", "tocdepth"];

export interface TextFormat {
  extension: string;
  name: "percent" | "markdown";
  version: "1.3";
  /** What each line of the header begins with. */
  comment: "" | "//";
}

/** A header's lines, and whether it took the first cell: a raw one with YAML in it is front matter. */
export function formatHeader(metadata: NotebookMetadata, cells: Cell[], { extension, name, version, comment }: TextFormat): { header: string[]; usedFirst: boolean } {
  const shown = Object.fromEntries(SHOWN.filter((key) => metadata[key] !== undefined).map((key) => [key, metadata[key]]));
  const { encoding, executable, ...kept } = (metadata["jupytext"] ?? {}) as JsonObject;
  const jupytext = { ...kept, text_representation: { extension, format_name: name, format_version: version, jupytext_version: JUPYTEXT } };
  const yaml = stringify({ jupyter: { ...shown, jupytext } }, { singleQuote: true, sortMapEntries: true, indentSeq: false, lineWidth: 0 }).trimEnd();
  const first = cells[0];
  const matter = first?.cell_type === "raw" ? frontMatter(first) : undefined;
  const text = ["---", ...(matter ?? []), ...yaml.split("\n"), "---"].map((line) => (comment === "" ? line : line === "" ? comment : `${comment} ${line}`));
  const ascii = cells.every((cell) => /^[\0-\x7f]*$/.test(typeof cell.source === "string" ? cell.source : cell.source.join("")));
  const before = comment === "" ? [] : [...(typeof executable === "string" ? [`#!${executable}`] : []), ...(typeof encoding === "string" ? [encoding] : ascii ? [] : [`${comment} -*- coding: utf-8 -*-`])];
  return { header: [...before, ...text], usedFirst: matter !== undefined };
}

/**
 * Reads a header.
 * @returns the metadata, a raw cell of other front matter, and where the cells begin; without a header, nothing
 * @throws Error with the line where it is no YAML
 */
export function parseHeader(all: string[], comment: "" | "//"): { metadata: NotebookMetadata; cell?: RawCell; next: number; found: boolean } {
  const jupytext: JsonObject = {};
  let at = 0;
  if (comment !== "" && all[0]?.startsWith("#!")) jupytext["executable"] = (all[at++] ?? "").slice(2);
  if (comment !== "" && /^\/\/.*?coding[:=]\s*utf-8/.test(all[at] ?? "")) jupytext["encoding"] = all[at++] ?? "";
  const extra = Object.keys(jupytext).length > 0 ? { jupytext } : {};
  const bare = (line: string) => (comment === "" ? line : line.startsWith(`${comment} `) ? line.slice(comment.length + 1) : line.startsWith(comment) ? line.slice(comment.length) : undefined);
  const nothing = { metadata: extra as NotebookMetadata, next: at, found: false };
  if (bare(all[at] ?? "x")?.trim() !== "---") return nothing;
  const inside: string[] = [];
  let end = at + 1;
  for (; end < all.length; end++) {
    const line = bare(all[end] ?? "");
    if (line === undefined) return nothing;
    if (line.trim() === "---") break;
    inside.push(line);
  }
  if (end === all.length) return nothing;
  const isJupyter = sections(inside);
  const jupyter = inside.filter((_, i) => isJupyter[i]);
  const matter = inside.filter((_, i) => !isJupyter[i]);
  let metadata: NotebookMetadata = {};
  if (jupyter.length > 0) {
    const value = (parse(jupyter.join("\n")) as { jupyter?: unknown } | null)?.jupyter;
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`line ${at + 2}: jupyter: must be a mapping`);
    metadata = value as NotebookMetadata;
  }
  const own = { ...(metadata["jupytext"] as JsonObject | undefined), ...jupytext };
  // It says how this file is written, not what the notebook is.
  delete own["text_representation"];
  delete metadata["jupytext"];
  if (Object.keys(own).length > 0) metadata["jupytext"] = own;
  const next = end + 1 + (all[end + 1]?.trim() === "" ? 1 : 0);
  const cell: RawCell | undefined = matter.some((line) => line.trim() !== "") ? { cell_type: "raw", metadata: {}, source: lines(["---", ...matter, "---"].join("\n")) } : undefined;
  return { metadata, ...(cell && { cell }), next, found: jupyter.length > 0 };
}

/** Which lines belong to the key `jupyter`. */
function sections(inside: string[]): boolean[] {
  let within = false;
  return inside.map((line) => {
    if (/^jupyter\s*:\s*$/.test(line)) within = true;
    else if (line !== "" && !/^\s/.test(line)) within = false;
    return within;
  });
}

/** The lines between the `---` of a raw cell that is front matter. */
function frontMatter({ source }: RawCell): string[] | undefined {
  const all = (typeof source === "string" ? source : source.join("")).trim().split("\n");
  return all.length >= 2 && all[0]?.trim() === "---" && all.at(-1)?.trim() === "---" ? all.slice(1, -1) : undefined;
}
