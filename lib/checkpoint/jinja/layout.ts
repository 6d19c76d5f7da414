import type { Value } from "./values.js";

/** Spaces before each line but the first, unless that is wanted; empty lines stay empty, unless they are wanted too. */
export function indented(text: string, width: Value, first: boolean, blank: boolean): string {
  const margin = typeof width === "string" ? width : " ".repeat(Math.max(0, Number(width)));
  const lines = text.split("\n");
  return lines.map((line, i) => ((i === 0 ? first : blank || line !== "") ? margin + line : line)).join("\n");
}

/** At most `length` characters, and a mark where some were dropped. */
export function truncated(text: string, length: number, killWords: boolean, end: string, leeway: number): string {
  const all = Array.from(text);
  if (all.length <= length + leeway) return text;
  const cut = all.slice(0, Math.max(0, length - Array.from(end).length)).join("");
  if (killWords) return cut + end;
  const space = cut.lastIndexOf(" ");
  return (space < 0 ? cut : cut.slice(0, space)) + end;
}

/** Without tags and comments, runs of white space as one space. */
export const braceless = (text: string): string => text.replace(/<!--.*?-->|<[^>]*>/gs, "").split(/\s+/).filter((word) => word !== "").join(" ");

/** Lines of at most `width` characters. */
export function wrapped(text: string, width: number): string {
  return text.split("\n").map((line) => {
    const lines: string[] = [];
    for (const word of line.split(" ")) {
      const last = lines.at(-1);
      if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
      else for (let at = 0; at === 0 || at < word.length; at += width) lines.push(word.slice(at, at + width));
    }
    return lines.join("\n");
  }).join("\n");
}
