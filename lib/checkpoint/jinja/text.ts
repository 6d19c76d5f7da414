import { Float, isDict, Namespace, Tuple, typeName, Undefined, type Value } from "./values.js";

/** A value as it is written into the text: Python's `str`. */
export function toText(value: Value): string {
  if (typeof value === "string") return value;
  return value instanceof Undefined ? "" : represented(value);
}

/** Python's `repr`. */
export function represented(value: Value): string {
  if (typeof value === "string") return quoted(value);
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString();
  if (value instanceof Float) return floatText(value.value);
  if (value instanceof Tuple) return `(${value.map(represented).join(", ")}${value.length === 1 ? "," : ""})`;
  if (Array.isArray(value)) return `[${value.map(represented).join(", ")}]`;
  if (isDict(value)) return `{${Array.from(value, ([key, item]) => `${represented(key)}: ${represented(item)}`).join(", ")}}`;
  if (value instanceof Undefined) return "Undefined";
  return value instanceof Namespace ? `<Namespace {${Array.from(value.fields, ([key, item]) => `${quoted(key)}: ${represented(item)}`).join(", ")}}>` : (value.shown ?? "<function>");
}

/** Shortest digits that give the same number; an exponent from 1e16 and below 1e-4. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  const power = Number(exponent);
  if (value !== 0 && (power < -4 || power >= 16)) return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  const text = String(value);
  return /[.]/.test(text) ? text : `${text}.0`;
}

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inside = text.replace(/[\\\n\r\t]|[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, (character) => {
    const known = escapes[character];
    if (known !== undefined) return known;
    const code = character.codePointAt(0)!;
    const hex = code.toString(16);
    return code < 0x100 ? `\\x${hex.padStart(2, "0")}` : code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return quote + (quote === "'" ? inside.replaceAll("'", "\\'") : inside) + quote;
}

export interface JsonOptions {
  readonly ensureAscii: boolean;
  /** Spaces a level, or the text of one; null: all on one line. */
  readonly indent: string | null;
  readonly separators: readonly [string, string] | null;
  readonly sortKeys: boolean;
}

/** Python's `json.dumps`. */
export function toJson(value: Value, options: JsonOptions, level = 0): string {
  const { ensureAscii, indent, separators, sortKeys } = options;
  const [comma, colon] = separators ?? [indent === null ? ", " : ",", ": "];
  const text = (string: string) => {
    const json = JSON.stringify(string);
    return ensureAscii ? json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`) : json;
  };
  const block = (open: string, items: readonly string[], close: string) => {
    if (items.length === 0) return open + close;
    if (indent === null) return open + items.join(comma) + close;
    const line = `\n${indent.repeat(level + 1)}`;
    return `${open}${line}${items.join(comma + line)}\n${indent.repeat(level)}${close}`;
  };
  if (typeof value === "string") return text(value);
  if (value === null) return "null";
  if (typeof value === "boolean") return String(value);
  if (value instanceof Float) return Number.isNaN(value.value) ? "NaN" : Number.isFinite(value.value) ? floatText(value.value) : value.value > 0 ? "Infinity" : "-Infinity";
  if (typeof value === "number") return represented(value);
  if (Array.isArray(value)) return block("[", value.map((item) => toJson(item, options, level + 1)), "]");
  if (isDict(value)) {
    const entries = Array.from(value, ([key, item]) => [typeof key === "string" ? key : toJson(key, options), item] as const);
    if (sortKeys) entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return block("{", entries.map(([key, item]) => text(key) + colon + toJson(item, options, level + 1)), "}");
  }
  throw new Error(`Object of type ${typeName(value)} is not JSON serializable`);
}
