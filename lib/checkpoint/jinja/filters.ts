import { fixed } from "./decimals.js";
import { attribute, item } from "./access.js";
import { braceless, indented, truncated, wrapped } from "./layout.js";
import { capitalized, replaced, sorted, strip, titled } from "./methods.js";
import { percentFormat } from "./format.js";
import { testNamed } from "./tests.js";
import { toJson, toText } from "./text.js";
import { compare, defined, elements, equal, Float, isDict, isInteger, isNumber, isTrue, length, numberOf, tuple, Undefined, type Value } from "./values.js";

/** `value | name(args)`. */
export type Filter = (value: Value, args: readonly Value[], named: ReadonlyMap<string, Value>) => Value;

type Named = ReadonlyMap<string, Value>;

/** An argument by place or by name. */
const argument = (args: readonly Value[], named: Named, at: number, name: string, otherwise: Value): Value => args[at] ?? (at < args.length ? null : (named.get(name) ?? (named.has(name) ? null : otherwise)));

/** What `attribute="a.b"` and the like take of an element. */
function getter(path: Value, otherwise: Value = null): (value: Value) => Value {
  if (path === null) return (value) => value;
  const parts: Value[] = isInteger(path) ? [path] : toText(path).split(".").map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return (value) => {
    const found = parts.reduce((inner, part) => item(inner, part), value);
    return found instanceof Undefined && otherwise !== null ? otherwise : found;
  };
}

/** Letters of any case alike, unless told otherwise. */
const caseless = (sensitive: Value) => (value: Value): Value => (typeof value === "string" && !isTrue(sensitive) ? value.toLowerCase() : value);

/** select, reject, selectattr, rejectattr. */
const chosen = (byAttribute: boolean, wanted: boolean): Filter => (value, args) => {
  const get = byAttribute ? getter(args[0] ?? null) : getter(null);
  const [name, ...rest] = byAttribute ? args.slice(1) : args;
  const test = name === undefined ? isTrue : (each: Value) => testNamed(toText(name))(each, ...rest);
  return elements(value).filter((each) => test(get(each)) === wanted);
};

const extreme = (sign: number): Filter => (value, args, named) => {
  const fold = caseless(argument(args, named, 0, "case_sensitive", false));
  const get = getter(argument(args, named, 1, "attribute", null));
  const all = elements(value);
  if (all.length === 0) return new Undefined("No aggregated item, sequence was empty.");
  return all.reduce((best, each) => (sign * compare(fold(get(each)), fold(get(best))) > 0 ? each : best));
};

const mapped: Filter = (value, args, named) => {
  if (named.has("attribute")) return elements(value).map(getter(named.get("attribute")!, named.get("default") ?? null));
  const [name, ...rest] = args;
  if (name === undefined) throw new Error("map requires a filter argument");
  const filter = filterNamed(toText(name));
  return elements(value).map((each) => filter(each, rest, named));
};

const number = (value: Value): number => {
  const given = defined(value);
  if (!isNumber(given)) throw new Error("must be a number");
  return numberOf(given);
};

const toInteger = (value: Value, otherwise: Value): Value => {
  if (isNumber(value)) return Math.trunc(numberOf(value));
  const text = toText(value).trim();
  return /^[-+]?\d+$/.test(text) ? Number(text) : /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Math.trunc(Number(text)) : otherwise;
};
const toFloat = (value: Value, otherwise: Value): Value => {
  if (isNumber(value)) return new Float(numberOf(value));
  const text = toText(value).trim();
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? new Float(Number(text)) : otherwise;
};

const rounded: Filter = (value, args, named) => {
  const precision = number(argument(args, named, 0, "precision", 0));
  const method = argument(args, named, 1, "method", "common");
  const factor = 10 ** precision;
  const scaled = number(value) * factor;
  const floor = Math.floor(scaled);
  if (method === "ceil" || method === "floor") return new Float((method === "ceil" ? Math.ceil(scaled) : floor) / factor);
  const whole = isInteger(value);
  if (whole && precision >= 0) return value;
  // Halves go to the even neighbour; integers stay integers.
  const common = precision >= 0 ? Number(fixed(number(value), precision)) : (scaled - floor === 0.5 ? floor + (floor % 2 === 0 ? 0 : 1) : Math.round(scaled)) / factor;
  return whole ? Math.round(common) : new Float(common);
};

const escape = (value: Value): string => toText(value).replace(/[&<>'"]/g, (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;" })[character]!);

const tojson: Filter = (value, args, named) => {
  const indent = argument(args, named, 1, "indent", null);
  const separators = argument(args, named, 2, "separators", null);
  return toJson(value, {
    ensureAscii: isTrue(argument(args, named, 0, "ensure_ascii", false)),
    indent: isInteger(indent) ? " ".repeat(Math.max(0, indent)) : typeof indent === "string" ? indent : null,
    separators: Array.isArray(separators) && separators.length === 2 ? [toText(separators[0]!), toText(separators[1]!)] : null,
    sortKeys: isTrue(argument(args, named, 3, "sort_keys", false)),
  });
};

const batches: Filter = (value, args, named) => {
  const size = number(argument(args, named, 0, "linecount", 1));
  const fill = argument(args, named, 1, "fill_with", null);
  const all = elements(value);
  const found: Value[][] = [];
  for (let at = 0; at < all.length; at += Math.max(1, size)) found.push(all.slice(at, at + Math.max(1, size)));
  const last = found.at(-1);
  if (fill !== null) while (last && last.length < size) last.push(fill);
  return found;
};

const grouped: Filter = (value, args, named) => {
  const get = getter(argument(args, named, 0, "attribute", null), named.get("default") ?? null);
  const fold = caseless(named.get("case_sensitive") ?? false);
  const groups: [Value, Value[]][] = [];
  for (const each of sorted(elements(value), (one) => fold(get(one)))) {
    const last = groups.at(-1);
    if (last && equal(fold(last[0]), fold(get(each)))) last[1].push(each);
    else groups.push([get(each), [each]]);
  }
  return groups.map(([key, items]) => tuple([key, items]));
};

const filters: Readonly<Record<string, Filter>> = {
  abs: (value) => (value instanceof Float ? new Float(Math.abs(value.value)) : Math.abs(number(value))),
  attr: (value, [name]) => attribute(value, toText(name ?? null)),
  batch: batches,
  capitalize: (value) => capitalized(toText(value)),
  center: (value, args, named) => {
    const text = toText(value);
    const width = number(argument(args, named, 0, "width", 80));
    const missing = Math.max(0, width - Array.from(text).length);
    const before = Math.floor(missing / 2) + (missing & width & 1);
    return " ".repeat(before) + text + " ".repeat(missing - before);
  },
  default: (value, args, named) => (value instanceof Undefined || (isTrue(argument(args, named, 1, "boolean", false)) && !isTrue(value)) ? argument(args, named, 0, "default_value", "") : value),
  dictsort: (value, args, named) => {
    if (!isDict(value)) throw new Error("dictsort: must be a dict");
    const fold = caseless(argument(args, named, 0, "case_sensitive", false));
    const at = argument(args, named, 1, "by", "key") === "value" ? 1 : 0;
    const all = sorted(Array.from(value, ([key, each]) => tuple([key, each])), (pair) => fold((pair as Value[])[at]!));
    return isTrue(argument(args, named, 2, "reverse", false)) ? all.reverse() : all;
  },
  escape,
  first: (value) => elements(value)[0] ?? (elements(value).length ? null : new Undefined("No first item, sequence was empty.")),
  float: (value, args, named) => toFloat(value, argument(args, named, 0, "default", new Float(0))),
  format: (value, args) => percentFormat(toText(value), tuple(args)),
  groupby: grouped,
  indent: (value, args, named) => indented(toText(value), argument(args, named, 0, "width", 4), isTrue(argument(args, named, 1, "first", false)), isTrue(argument(args, named, 2, "blank", false))),
  int: (value, args, named) => toInteger(value, argument(args, named, 0, "default", 0)),
  items: (value) => {
    if (value instanceof Undefined) return [];
    if (!isDict(value)) throw new Error("Can only get item pairs from a mapping.");
    return Array.from(value, ([key, each]) => tuple([key, each]));
  },
  join: (value, args, named) => elements(value).map(getter(argument(args, named, 1, "attribute", null))).map(toText).join(toText(argument(args, named, 0, "d", ""))),
  last: (value) => elements(value).at(-1) ?? (elements(value).length ? null : new Undefined("No last item, sequence was empty.")),
  length: (value) => length(value),
  list: (value) => [...elements(value)],
  lower: (value) => toText(value).toLowerCase(),
  map: mapped,
  max: extreme(1),
  min: extreme(-1),
  reject: chosen(false, false),
  rejectattr: chosen(true, false),
  replace: (value, args, named) => replaced(toText(value), toText(argument(args, named, 0, "old", "")), toText(argument(args, named, 1, "new", "")), argument(args, named, 2, "count", null)),
  reverse: (value) => (typeof value === "string" ? Array.from(value).reverse().join("") : [...elements(value)].reverse()),
  round: rounded,
  safe: (value) => toText(value),
  select: chosen(false, true),
  selectattr: chosen(true, true),
  slice: (value, args, named) => {
    const parts = number(argument(args, named, 0, "slices", 1));
    const all = elements(value);
    const [size, more] = [Math.floor(all.length / parts), all.length % parts];
    return Array.from({ length: parts }, (_, i) => all.slice(i * size + Math.min(i, more), (i + 1) * size + Math.min(i + 1, more)));
  },
  sort: (value, args, named) => {
    const fold = caseless(argument(args, named, 1, "case_sensitive", false));
    const paths = argument(args, named, 2, "attribute", null);
    const getters = typeof paths === "string" ? paths.split(",").map((path) => getter(path)) : [getter(paths)];
    const all = sorted(elements(value), (each) => getters.map((get) => fold(get(each))));
    return isTrue(argument(args, named, 0, "reverse", false)) ? stableReverse(all, (each) => getters.map((get) => fold(get(each)))) : all;
  },
  string: (value) => toText(value),
  striptags: (value) => braceless(toText(value)),
  sum: (value, args, named) => {
    const all = elements(value).map(getter(argument(args, named, 0, "attribute", null)));
    const start = argument(args, named, 1, "start", 0);
    if (Array.isArray(start)) return [start, ...all].flatMap((each) => elements(each));
    const total = all.reduce<number>((sum, each) => sum + number(each), number(start));
    return [start, ...all].some((each) => each instanceof Float) ? new Float(total) : total;
  },
  title: (value) => titled(toText(value)),
  tojson,
  trim: (value, args, named) => strip(toText(value), argument(args, named, 0, "chars", null), true, true),
  truncate: (value, args, named) => truncated(toText(value), number(argument(args, named, 0, "length", 255)), isTrue(argument(args, named, 1, "killwords", false)), toText(argument(args, named, 2, "end", "...")), number(argument(args, named, 3, "leeway", 5))),
  unique: (value, args, named) => {
    const fold = caseless(argument(args, named, 0, "case_sensitive", false));
    const get = getter(argument(args, named, 1, "attribute", null));
    const seen: Value[] = [];
    return elements(value).filter((each) => {
      const key = fold(get(each));
      return !seen.some((one) => equal(one, key)) && seen.push(key) > 0;
    });
  },
  upper: (value) => toText(value).toUpperCase(),
  urlencode: (value) => encodeURIComponent(toText(value)).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`).replaceAll("%2F", "/"),
  wordcount: (value) => (toText(value).match(/[\p{L}\p{N}_]+/gu) ?? []).length,
  wordwrap: (value, args, named) => wrapped(toText(value), number(argument(args, named, 0, "width", 79))),
};
const others: Readonly<Record<string, string>> = { d: "default", e: "escape", count: "length", forceescape: "escape" };

/** Sorted the other way round, equals in the order that they had. */
function stableReverse(ascending: readonly Value[], key: (value: Value) => Value): Value[] {
  const groups: Value[][] = [];
  for (const each of ascending) {
    const last = groups.at(-1);
    if (last && equal(key(last[0]!), key(each))) last.push(each);
    else groups.push([each]);
  }
  return groups.reverse().flat();
}

/** @throws where there is no such filter */
export function filterNamed(name: string): Filter {
  const known = Object.hasOwn(others, name) ? others[name]! : name;
  const filter = Object.hasOwn(filters, known) ? filters[known] : undefined;
  if (!filter) throw new Error(`No filter named '${name}'.`);
  return filter;
}
