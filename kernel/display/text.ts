import { inspect } from "node:util";

/** Longest text/plain, in characters. */
const LONGEST = 50_000;

/** `util.inspect`, at a depth whose text has a readable length. */
export function asText(value: unknown): string {
  let text = "";
  for (const depth of [4, 2, 1, 0]) {
    text = inspect(value, { depth, maxArrayLength: 100, maxStringLength: 20_000, breakLength: 100 });
    if (text.length <= LONGEST) return text;
  }
  return clip(text, LONGEST);
}

/** At most `longest` characters of `text`, and how many are left out. */
export function clip(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}… (${text.length - longest} more characters)`;
}
