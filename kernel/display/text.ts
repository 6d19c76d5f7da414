import { inspect } from "node:util";
import { isBroken } from "./broken.js";

/** Longest text/plain, in characters. */
const LONGEST = 50_000;

/** `util.inspect`, at a depth whose text has a readable length. */
export function asText(value: unknown): string {
  let text = "";
  for (const depth of [4, 2, 1, 0]) {
    text = inspected(value, depth);
    if (text.length <= LONGEST) return text;
  }
  return clip(text, LONGEST);
}

/** As far as it can be looked at: its own inspection, a getter or a proxy may throw. */
function inspected(value: unknown, depth: number): string {
  const options = { depth, maxArrayLength: 100, maxStringLength: 20_000, breakLength: 100 };
  try {
    return inspect(value, options);
  } catch (error) {
    if (isBroken(error)) throw error;
    try {
      return `${inspect(value, { ...options, customInspect: false })} (its own inspection throws)`;
    } catch {
      return `[${typeof value === "function" ? "Function" : "Object"} that throws when it is looked at]`;
    }
  }
}

/** At most `longest` characters of `text`, and how many are left out. */
export function clip(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}… (${text.length - longest} more characters)`;
}
