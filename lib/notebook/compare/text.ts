import { plainText } from "../plain-text.js";
import { CLOCK, MEASURED_UNIT, NOISE, THREADS } from "./measured.js";

export interface Tolerance {
  /** How far two numbers may be apart, relative to the larger one. 0: they must be written alike. */
  rtol: number;
  /** Numbers are not compared at all. */
  ignoreNumbers?: boolean;
  /** Times and rates are compared like other numbers. */
  exactTimes?: boolean;
}

const NUMBER = /(?<![\p{L}\p{N}_.])[-+−]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/gu;

/** Whether two numbers are within the tolerance; NaN is NaN. */
export function close(a: number, b: number, rtol: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= rtol * Math.max(Math.abs(a), Math.abs(b));
}

/**
 * Whether two texts say the same: the same words, and numbers within the tolerance. Colours, trailing blanks and the
 * width of gaps do not count. A number with a unit of time or rate behind it is not compared, nor is what a clock reads, nor are
 * lines that say what is within noise.
 */
export function sameText(a: string, b: string, tolerance: Tolerance): boolean {
  const [left, right] = [tidy(a), tidy(b)].map((text) => (tolerance.exactTimes ? text : withoutTimes(text))) as [string, string];
  if (left === right) return true;
  const [x, y] = [parts(left), parts(right)];
  if (x.words.length !== y.words.length || x.words.some((word, i) => word !== y.words[i])) return false;
  if (tolerance.ignoreNumbers) return true;
  return x.numbers.every((number, i) => {
    const other = y.numbers[i];
    if (other === undefined) return false;
    if (number.measured && other.measured && !tolerance.exactTimes) return true;
    return number.text === other.text || (tolerance.rtol > 0 && close(number.value, other.value, tolerance.rtol));
  });
}

const tidy = (text: string): string => plainText(text).replace(/[ \t]+$/gm, "").trimEnd();

function withoutTimes(text: string): string {
  const lines = text.split("\n").filter((line) => !NOISE.test(line)).join("\n").trimEnd();
  return lines.replace(CLOCK, "TIME").replace(THREADS, "threads N");
}

interface Found {
  text: string;
  value: number;
  measured: boolean;
}

/** The numbers of a text, and what stands between them, gaps made one blank wide. */
function parts(text: string): { words: string[]; numbers: Found[] } {
  const words: string[] = [];
  const numbers: Found[] = [];
  let at = 0;
  for (const match of text.matchAll(NUMBER)) {
    words.push(text.slice(at, match.index));
    at = match.index + match[0].length;
    numbers.push({ text: match[0], value: Number(match[0].replace(/[,_]/g, "").replace("−", "-")), measured: MEASURED_UNIT.test(text.slice(at, at + 12)) });
  }
  words.push(text.slice(at));
  // A unit may change with the size of what is measured.
  return { words: words.map((word, i) => (numbers[i - 1]?.measured ? word.replace(MEASURED_UNIT, " TIME") : word).replace(/[ \t─━-]+/g, " ")), numbers };
}
