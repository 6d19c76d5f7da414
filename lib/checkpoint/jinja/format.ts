import { exponential, fixed, general } from "./decimals.js";
import { represented, toText } from "./text.js";
import { defined, Float, isDict, isNumber, numberOf, Tuple, type Value } from "./values.js";

/** `'%s of %d' % values`. */
export function percentFormat(pattern: string, values: Value): string {
  const list = values instanceof Tuple ? [...values] : [values];
  let used = 0;
  return pattern.replace(/%(?:\(([^)]*)\))?([-+ 0#]*)(\d+)?(?:\.(\d+))?([sdifFrxXeEgGc%])/g, (_, key: string | undefined, flags: string, width: string | undefined, precision: string | undefined, kind: string) => {
    if (kind === "%") return "%";
    const value = key !== undefined && isDict(values) ? (values.get(key) ?? null) : list[used++];
    if (value === undefined) throw new Error("not enough arguments for format string");
    return padded(converted(value, kind, precision, flags.includes("+")), flags, Number(width ?? 0));
  });
}

function converted(given: Value, kind: string, precision: string | undefined, signed: boolean): string {
  const value = defined(given);
  if (kind === "s" || kind === "r") {
    const text = kind === "s" ? toText(value) : represented(value);
    return precision === undefined ? text : Array.from(text).slice(0, Number(precision)).join("");
  }
  if (!isNumber(value)) throw new Error(`%${kind} format: a number is required`);
  const number = numberOf(value);
  const text = kind === "d" || kind === "i" ? String(Math.trunc(number)) : kind === "x" ? number.toString(16) : kind === "X" ? number.toString(16).toUpperCase() : kind === "f" || kind === "F" ? fixed(number, Number(precision ?? 6)) : kind === "g" || kind === "G" ? cased(general(number, Number(precision ?? 6)), kind) : cased(exponential(number, Number(precision ?? 6)), kind);
  return signed && number >= 0 ? `+${text}` : text;
}

const cased = (text: string, kind: string): string => (kind === kind.toUpperCase() ? text.toUpperCase() : text);

function padded(text: string, flags: string, width: number): string {
  if (flags.includes("-")) return text.padEnd(width);
  return flags.includes("0") && /^[-+]?\d/.test(text) ? text.replace(/^[-+]?/, (sign) => sign + "0".repeat(Math.max(0, width - text.length))) : text.padStart(width);
}

/** `'{} and {name}'.format(…)`; fields may have an index or a name, and what stands behind `:` as in `{:.2f}`. */
export function braceFormat(pattern: string, args: readonly Value[], named: ReadonlyMap<string, Value>): string {
  let used = 0;
  return pattern.replace(/\{\{|\}\}|\{([^{}:!]*)(?:!([rs]))?(?::([^{}]*))?\}/g, (all, field: string | undefined, conversion: string | undefined, spec: string | undefined) => {
    if (all === "{{" || all === "}}") return all[0]!;
    const value = field === "" || field === undefined ? args[used++] : /^\d+$/.test(field) ? args[Number(field)] : named.get(field);
    if (value === undefined) throw new Error(`format: nothing for {${field ?? ""}}`);
    if (!spec) return conversion === "r" ? represented(value) : toText(value);
    const match = /^(?:(.)?([<>^]))?([-+ ])?(0)?(\d+)?(,)?(?:\.(\d+))?([sdfFeEgGxX%])?$/s.exec(spec);
    if (!match) throw new Error(`format: ${spec} is not supported`);
    const [, fill = " ", align, sign, zero, width, comma, precision, kind] = match;
    const isNumeric = isNumber(value);
    let text = kind === "%" && isNumeric ? `${fixed(100 * numberOf(value), Number(precision ?? 6))}%` : converted(value, kind ?? (isNumeric && precision !== undefined ? "g" : isNumeric && !(value instanceof Float) ? "d" : "s"), precision, sign === "+");
    if (comma) text = text.replace(/^[-+]?\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ","));
    const missing = Math.max(0, Number(width ?? 0) - Array.from(text).length);
    if (zero && isNumeric && !align) return text.replace(/^[-+]?/, (each) => each + "0".repeat(missing));
    const side = align ?? (isNumeric ? ">" : "<");
    const before = side === "<" ? 0 : side === ">" ? missing : Math.floor(missing / 2);
    return fill.repeat(before) + text + fill.repeat(missing - before);
  });
}
