import { spansOf, type Span } from "./pattern.js";
import { part, type Piece } from "./pieces.js";

/** What becomes of the matches when a text is cut at them. */
export const behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
export type Behavior = (typeof behaviors)[number];

/** Cuts a piece at the matches of `pattern`; `invert`: at what lies between them. */
export function split(piece: Piece, pattern: RegExp, behavior: Behavior, invert = false): Piece[] {
  const spans = spansOf(piece.text, pattern);
  return cuts(invert ? spans.map(([start, end, matched]) => [start, end, !matched] as const) : spans, behavior).flatMap(([start, end]) =>
    start === end ? [] : [part(piece, start, end)],
  );
}

function cuts(spans: readonly Span[], behavior: Behavior): readonly (readonly [number, number, ...unknown[]])[] {
  switch (behavior) {
    case "Isolated":
      return spans;
    case "Removed":
      return spans.filter(([, , matched]) => !matched);
    case "Contiguous":
      return merged(spans, (matched, before) => matched === before);
    case "MergedWithPrevious":
      return merged(spans, (matched, before) => matched && !before);
    case "MergedWithNext":
      return merged([...spans].reverse(), (matched, before) => matched && !before).reverse();
  }
}

/** Each span by itself, or one with the span before it where `joins` says so. Spans may run backwards. */
function merged(spans: readonly Span[], joins: (matched: boolean, before: boolean) => boolean): [number, number][] {
  const found: [number, number][] = [];
  let before = false;
  for (const [start, end, matched] of spans) {
    const last = found.at(-1);
    if (last && joins(matched, before)) [last[0], last[1]] = [Math.min(last[0], start), Math.max(last[1], end)];
    else found.push([start, end]);
    before = matched;
  }
  return found;
}
