import { parse, stringify } from "lossless-json";

/**
 * A number whose text JavaScript would not write again (`1.0`, `12345678901234567890`). It is a `Number` object, so
 * it computes and `JSON.stringify`s as the nearest number; {@link stringifyExact} writes the text that was read.
 */
export class ExactNumber extends Number {
  constructor(readonly text: string) {
    super(text);
  }
}

/**
 * JSON in which every number keeps its digits.
 * @throws SyntaxError with line and column
 */
export function parseExact(text: string): unknown {
  try {
    return parse(text, undefined, number);
  } catch (error) {
    throw new SyntaxError(placed((error as Error).message, text));
  }
}

/** JSON as nbformat writes it: one space a level, or none in one line. */
export function stringifyExact(value: unknown, indent: 0 | 1 = 1): string {
  return stringify(value, undefined, indent === 0 ? undefined : indent, [{ test: (item) => item instanceof ExactNumber, stringify: (item) => (item as ExactNumber).text }]) as string;
}

function number(text: string): number | ExactNumber {
  const value = Number(text);
  return String(value) === text ? value : new ExactNumber(text);
}

/** `… at position 12` -> `… at line 2, column 5`. */
function placed(message: string, text: string): string {
  return message.replace(/\bposition (\d+)/, (_, position: string) => {
    const before = text.slice(0, Number(position)).split("\n");
    return `line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`;
  });
}
