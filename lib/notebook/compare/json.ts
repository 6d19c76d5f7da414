import { close, sameText, type Tolerance } from "./text.js";

/** Where two JSON values differ: a path such as `data[0].y[3]`, and both sides in short. The first few only. */
export interface JsonDifference {
  place: string;
  before: string;
  after: string;
}

/**
 * Compares two JSON values; numbers within the tolerance are equal, and so are the texts that {@link sameText} takes for equal.
 * @param skips whether a path is left out
 */
export function jsonDifferences(before: unknown, after: unknown, tolerance: Tolerance, skips: (path: string) => boolean = () => false, most = 10): JsonDifference[] {
  const found: JsonDifference[] = [];
  const differ = (path: string, a: unknown, b: unknown) => found.push({ place: path || "value", before: short(a), after: short(b) });
  const visit = (path: string, a: unknown, b: unknown): void => {
    if (found.length >= most || skips(path)) return;
    const [x, y] = [plain(a), plain(b)];
    if (typeof x === "number" && typeof y === "number") {
      if (!tolerance.ignoreNumbers && !close(x, y, tolerance.rtol)) differ(path, x, y);
    } else if (typeof x === "string" && typeof y === "string") {
      if (!sameText(x, y, tolerance)) differ(path, x, y);
    } else if (Array.isArray(x) && Array.isArray(y)) {
      if (x.length !== y.length) differ(`${path}.length`, x.length, y.length);
      else x.forEach((item, i) => visit(`${path}[${i}]`, item, y[i]));
    } else if (isObject(x) && isObject(y)) {
      for (const key of new Set([...Object.keys(x), ...Object.keys(y)])) visit(path === "" ? key : `${path}.${key}`, x[key], y[key]);
    } else if (x !== y) differ(path, x, y);
  };
  visit("", before, after);
  return found;
}

/** A number that keeps its digits is an object. */
const plain = (value: unknown): unknown => (value instanceof Number ? Number(value) : value);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function short(value: unknown): string {
  const text = value === undefined ? "(missing)" : JSON.stringify(value);
  return text.length <= 200 ? text : `${text.slice(0, 199)}…`;
}
