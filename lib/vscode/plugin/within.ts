interface Span {
  start: number;
  length: number;
}

const isSpan = (value: unknown): value is Span => typeof value === "object" && value !== null && typeof (value as Span).start === "number" && typeof (value as Span).length === "number";

/**
 * An answer of the language service without what lies in the text behind a cell, of which the editor knows nothing.
 * @param file the one that was asked about; parts that name another are of that one
 * @param end the length of a cell's own text; undefined for other files
 */
export function within(answer: unknown, file: string, end: (file: string) => number | undefined): unknown {
  if (Array.isArray(answer)) return answer.filter((each) => !isBehind(each, file, end)).map((each) => within(each, file, end));
  if (typeof answer !== "object" || answer === null || Object.getPrototypeOf(answer) !== Object.prototype) return answer;
  const own = typeof (answer as { fileName?: unknown }).fileName === "string" ? (answer as { fileName: string }).fileName : file;
  if (isSpan(answer)) {
    const last = end(own);
    return last !== undefined && answer.start + answer.length > last ? { ...answer, length: Math.max(0, last - answer.start) } : answer;
  }
  return Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, key === "symbol" || key === "file" ? value : within(value, own, end)]));
}

function isBehind(value: unknown, file: string, end: (file: string) => number | undefined): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { fileName, textSpan, span, spans } = value as { fileName?: string; textSpan?: unknown; span?: unknown; spans?: unknown[] };
  const last = end(fileName ?? file);
  if (last === undefined) return false;
  const found = [value, textSpan, span, ...(Array.isArray(spans) ? spans.slice(0, 1) : [])].find(isSpan);
  return found !== undefined && found.start > last;
}
