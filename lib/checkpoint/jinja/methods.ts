import { braceFormat } from "./format.js";
import { toText } from "./text.js";
import { compare, defined, elements, equal, isDict, isInteger, keyOf, Tuple, tuple, typeName, type Callable, type Value } from "./values.js";

type Method<T> = (self: T, args: readonly Value[], named: ReadonlyMap<string, Value>) => Value;

/** What changes a value is refused: templates see the caller's own messages. */
const changing = /^(append|extend|insert|remove|pop|clear|reverse|sort|update|setdefault|popitem|add|discard)$/;

/** A method of Python's str, list or dict, bound to its value; undefined: there is none of that name. */
export function methodOf(value: Value, name: string): Callable | undefined {
  if (/^__.*__$/.test(name) || ((Array.isArray(value) || isDict(value)) && changing.test(name) && !(isDict(value) && value.has(name)))) throw new Error(`access to attribute '${name}' of '${typeName(value)}' object is unsafe.`);
  const bind = <T>(methods: Readonly<Record<string, Method<T>>>, self: T): Callable | undefined => {
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    return method && ((args, named) => method(self, args, named));
  };
  if (typeof value === "string") return bind(strings, value);
  if (isDict(value)) return bind(dicts, value);
  return Array.isArray(value) ? bind(lists, value) : undefined;
}

const blank = "\\p{White_Space}\\x1c-\\x1f";
const blanks = new RegExp(`[${blank}]+`, "u");
const somethingElse = new RegExp(`[^${blank}]`, "u");

/** White space, or of the characters given, at the left, the right, or both. */
export function strip(text: string, characters: Value, left: boolean, right: boolean): string {
  const set = typeof characters === "string" ? new Set(characters) : null;
  const goes = (character: string) => (set ? set.has(character) : blanks.test(character));
  const all = Array.from(text);
  let [from, to] = [0, all.length];
  if (left) while (from < to && goes(all[from]!)) from++;
  if (right) while (to > from && goes(all[to - 1]!)) to--;
  return all.slice(from, to).join("");
}

function split(text: string, args: readonly Value[], named: ReadonlyMap<string, Value>, fromRight: boolean): string[] {
  const separator = args[0] ?? named.get("sep") ?? null;
  const limit = args[1] ?? named.get("maxsplit") ?? -1;
  const most = isInteger(limit) && limit >= 0 ? limit : Infinity;
  if (separator === "") throw new Error("empty separator");
  if (typeof separator === "string") {
    const parts = text.split(separator);
    if (parts.length - 1 <= most) return parts;
    return fromRight ? [parts.slice(0, parts.length - most).join(separator), ...parts.slice(parts.length - most)] : [...parts.slice(0, most), parts.slice(most).join(separator)];
  }
  if (fromRight && most === Infinity) return split(text, args, named, false);
  const found: string[] = [];
  let rest = strip(text, null, !fromRight, fromRight);
  while (found.length < most) {
    // Beyond the last part white space goes; what the limit leaves keeps it.
    if (!somethingElse.test(rest)) return fromRight ? found.reverse() : found;
    const at = fromRight ? lastBlank(rest) : rest.search(blanks);
    if (at < 0) break;
    const gap = blanks.exec(rest.slice(at))![0].length;
    found.push(fromRight ? rest.slice(at + gap) : rest.slice(0, at));
    rest = fromRight ? rest.slice(0, at) : rest.slice(at + gap);
  }
  if (rest !== "") found.push(rest);
  return fromRight ? found.reverse() : found;
}

/** Where the last run of white space begins. */
function lastBlank(text: string): number {
  const runs = [...text.matchAll(new RegExp(blanks, "gu"))];
  return runs.at(-1)?.index ?? -1;
}

const affix = (text: string, args: readonly Value[], has: (text: string, affix: string) => boolean): boolean => {
  const [wanted, start = 0, end = null] = args;
  const part = isInteger(start) && start === 0 && end === null ? text : Array.from(text).slice(start as number, (end as number | null) ?? undefined).join("");
  if (typeof wanted === "string") return has(part, wanted);
  if (wanted instanceof Tuple) return wanted.some((each) => typeof each === "string" && has(part, each));
  throw new Error(`startswith or endswith: the first argument must be str or a tuple of str, not ${typeName(wanted ?? null)}`);
};

const place = (text: string, part: Value | undefined, last = false): number => {
  if (typeof part !== "string") throw new Error("must be str");
  const unit = last ? text.lastIndexOf(part) : text.indexOf(part);
  return unit < 0 ? -1 : Array.from(text.slice(0, unit)).length;
};
const found = (at: number): number => {
  if (at < 0) throw new Error("substring not found");
  return at;
};
const pad = (text: string, args: readonly Value[], before: (missing: number) => number): string => {
  const missing = Math.max(0, Number(args[0] ?? 0) - Array.from(text).length);
  const fill = typeof args[1] === "string" ? args[1] : " ";
  return fill.repeat(before(missing)) + text + fill.repeat(missing - before(missing));
};
const parted = (text: string, separator: Value | undefined, last: boolean): Tuple => {
  const at = typeof separator === "string" && separator !== "" ? (last ? text.lastIndexOf(separator) : text.indexOf(separator)) : -1;
  if (at < 0) return tuple(last ? ["", "", text] : [text, "", ""]);
  return tuple([text.slice(0, at), separator as string, text.slice(at + (separator as string).length)]);
};
const every = (pattern: RegExp) => (self: string) => pattern.test(self);

/** Each word with a capital, the rest small. */
export const titled = (text: string): string => text.replace(/\p{L}+/gu, (word) => capitalized(word));
export const capitalized = (text: string): string => {
  const [first = "", ...rest] = Array.from(text);
  return first.toUpperCase() + rest.join("").toLowerCase();
};

export function replaced(text: string, from: Value | undefined, to: Value | undefined, count: Value | undefined): string {
  if (typeof from !== "string" || typeof to !== "string") throw new Error("replace: both arguments must be str");
  if (!isInteger(count ?? null) || (count as number) < 0) return text.replaceAll(from, () => to);
  let left = count as number;
  return text.replaceAll(from, (match) => (left-- > 0 ? to : match));
}

const strings: Readonly<Record<string, Method<string>>> = {
  strip: (self, [characters = null]) => strip(self, characters, true, true),
  lstrip: (self, [characters = null]) => strip(self, characters, true, false),
  rstrip: (self, [characters = null]) => strip(self, characters, false, true),
  split: (self, args, named) => split(self, args, named, false),
  rsplit: (self, args, named) => split(self, args, named, true),
  splitlines: (self, [keep = false]) => (self.match(/[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])|[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+$/g) ?? []).map((line) => (keep === true ? line : line.replace(/(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])$/, ""))),
  startswith: (self, args) => affix(self, args, (text, wanted) => text.startsWith(wanted)),
  endswith: (self, args) => affix(self, args, (text, wanted) => text.endsWith(wanted)),
  replace: (self, [from, to, count], named) => replaced(self, from, to, count ?? named.get("count")),
  find: (self, [part]) => place(self, part),
  rfind: (self, [part]) => place(self, part, true),
  index: (self, [part]) => found(place(self, part)),
  rindex: (self, [part]) => found(place(self, part, true)),
  count: (self, [part]) => (typeof part === "string" && part !== "" ? self.split(part).length - 1 : Array.from(self).length + 1),
  join: (self, [items]) => elements(defined(items ?? null)).map((each) => {
    if (typeof each !== "string") throw new Error(`join: expected str, ${typeName(each)} found`);
    return each;
  }).join(self),
  lower: (self) => self.toLowerCase(),
  upper: (self) => self.toUpperCase(),
  casefold: (self) => self.toLowerCase().replaceAll("ß", "ss"),
  title: (self) => titled(self),
  capitalize: (self) => capitalized(self),
  swapcase: (self) => Array.from(self, (each) => (each === each.toUpperCase() ? each.toLowerCase() : each.toUpperCase())).join(""),
  isdigit: every(/^[\p{Nd}²³¹⁰-⁹₀-₉]+$/u),
  isdecimal: every(/^\p{Nd}+$/u),
  isnumeric: every(/^\p{N}+$/u),
  isalpha: every(/^\p{L}+$/u),
  isalnum: every(/^[\p{L}\p{N}]+$/u),
  isspace: every(new RegExp(`^[${blank}]+$`, "u")),
  isupper: (self) => self !== self.toLowerCase() && self === self.toUpperCase(),
  islower: (self) => self !== self.toUpperCase() && self === self.toLowerCase(),
  istitle: (self) => /\p{L}/u.test(self) && self === titled(self),
  isascii: every(/^[\0-\x7f]*$/),
  zfill: (self, [width]) => self.replace(/^[-+]?/, (sign) => sign + "0".repeat(Math.max(0, Number(width) - Array.from(self).length))),
  ljust: (self, args) => pad(self, args, () => 0),
  rjust: (self, args) => pad(self, args, (missing) => missing),
  center: (self, args) => pad(self, args, (missing) => Math.floor(missing / 2) + (missing & Number(args[0]) & 1)),
  format: (self, args, named) => braceFormat(self, args, named),
  removeprefix: (self, [prefix]) => (typeof prefix === "string" && prefix !== "" && self.startsWith(prefix) ? self.slice(prefix.length) : self),
  removesuffix: (self, [suffix]) => (typeof suffix === "string" && suffix !== "" && self.endsWith(suffix) ? self.slice(0, -suffix.length) : self),
  partition: (self, [separator]) => parted(self, separator, false),
  rpartition: (self, [separator]) => parted(self, separator, true),
  // To the next column that is a multiple, counted from the line's beginning.
  expandtabs: (self, [size = 8]) => {
    let column = 0;
    return Array.from(self, (character) => {
      const width = character === "\t" ? (Number(size) > 0 ? Number(size) - (column % Number(size)) : 0) : 1;
      column = character === "\n" || character === "\r" ? 0 : column + width;
      return character === "\t" ? " ".repeat(width) : character;
    }).join("");
  },
};

const lists: Readonly<Record<string, Method<Value[]>>> = {
  index: (self, [item]) => {
    const at = self.findIndex((each) => equal(each, item ?? null));
    if (at < 0) throw new Error(`${toText(item ?? null)} is not in list`);
    return at;
  },
  count: (self, [item]) => self.filter((each) => equal(each, item ?? null)).length,
  copy: (self) => [...self],
};

const dicts: Readonly<Record<string, Method<Map<string | number | boolean | null, Value>>>> = {
  get: (self, [key, otherwise = null]) => self.get(keyOf(defined(key ?? null))) ?? (self.has(keyOf(key ?? null)) ? null : otherwise),
  items: (self) => Array.from(self, ([key, value]) => tuple([key, value])),
  keys: (self) => [...self.keys()],
  values: (self) => [...self.values()],
  copy: (self) => new Map(self),
};

/** In Python's order. */
export const sorted = (values: readonly Value[], key: (value: Value) => Value = (value) => value): Value[] => [...values].sort((a, b) => compare(key(a), key(b)));
