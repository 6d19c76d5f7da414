import { inspect, types } from "node:util";
import { clip } from "../display/text.js";

/** What is in a value: named values, or a text where there is none to look into. */
export interface Child {
  name: string;
  value?: unknown;
  text?: string;
}

/** Values listed of one value, unless more are asked for. */
const MOST = 200;
/** Characters of a value in a list. */
const LONGEST = 300;
/** Numbers that are gone through for statistics: some milliseconds. */
const COUNTED = 4_000_000;

interface Tensor {
  type: string;
  dims: readonly number[];
  location?: string;
  data: ArrayLike<number | bigint>;
}

interface Frame {
  $isSeries: boolean;
  $data: unknown[];
  $columns: string[];
}

function isTensor(value: unknown): value is Tensor {
  return isNamed(value, "Tensor") && typeof (value as Partial<Tensor>).type === "string" && Array.isArray((value as Partial<Tensor>).dims);
}

function isFrame(value: unknown): value is Frame {
  return (isNamed(value, "DataFrame") || isNamed(value, "Series")) && Array.isArray((value as Partial<Frame>).$data) && Array.isArray((value as Partial<Frame>).$columns);
}

function isNamed(value: unknown, name: string): boolean {
  return typeof value === "object" && value !== null && !types.isProxy(value) && value.constructor?.name === name;
}

function isNumbers(value: unknown): value is ArrayLike<number | bigint> & ArrayBufferView {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/**
 * A value in one line: numbers by their shape and statistics, all else as `inspect` shows it, shortened. Never throws.
 * @param most numbers that are gone through at most
 */
export function summary(value: unknown, most = COUNTED): string {
  try {
    if (isTensor(value)) {
      const shape = `Tensor ${value.type} [${value.dims.join(", ")}]`;
      // Reading a tensor that lives on a device may end the process.
      return value.location === undefined || value.location === "cpu" ? `${shape}${statistics(value.data, most)}` : `${shape} on ${value.location}`;
    }
    if (isNumbers(value)) return `${value.constructor.name}(${value.length})${statistics(value, most)}`;
    if (isFrame(value)) return value.$isSeries ? `Series: ${value.$data.length} values` : `DataFrame: ${value.$data.length} rows × ${value.$columns.length} columns`;
    if (types.isProxy(value)) return "[Proxy]";
    const text = inspect(value, { depth: 1, breakLength: Infinity, compact: true, maxArrayLength: 8, maxStringLength: LONGEST, getters: false });
    return clip(text.replace(/\s*\n\s*/g, " "), LONGEST);
  } catch {
    return "[a value that throws when it is looked at]";
  }
}

/** How many numbers {@link summary} goes through. */
export function countedOf(value: unknown, most: number): number {
  const data = isTensor(value) && (value.location === undefined || value.location === "cpu") ? value.data : isNumbers(value) ? value : [];
  return Math.min(data.length, most, COUNTED);
}

/** ` min … max … mean …` of numbers, with how many are none (NaN, infinite). */
function statistics(data: ArrayLike<number | bigint>, most: number): string {
  const { length } = data;
  if (length === 0 || typeof data[0] === "string") return "";
  const n = Math.min(length, most, COUNTED);
  let [min, max, sum, finite] = [Infinity, -Infinity, 0, 0];
  for (let i = 0; i < n; i++) {
    const each = Number(data[i]);
    if (!Number.isFinite(each)) continue;
    finite++;
    sum += each;
    if (each < min) min = each;
    if (each > max) max = each;
  }
  const round = (x: number) => String(Number(x.toPrecision(6)));
  const shown = finite === 0 ? " no finite value" : ` min ${round(min)} max ${round(max)} mean ${round(sum / finite)}`;
  const odd = finite < n ? `, ${n - finite} not finite` : "";
  return `${shown}${odd}${n < length ? `, of the first ${n}` : ""}`;
}

export function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  if (types.isProxy(value)) return "Proxy";
  try {
    return String(value.constructor?.name || "object");
  } catch {
    return "object";
  }
}

/** What is in a value, from the `start`th on. Getters are not called. Never throws. */
export function childrenOf(value: unknown, start: number, count: number): Child[] {
  try {
    const { length, at } = entriesOf(value);
    const most = Math.min(count, MOST);
    const found = Array.from({ length: Math.max(0, Math.min(most, length - start)) }, (_, i) => at(start + i));
    const left = length - start - found.length;
    return left > 0 && count === Infinity ? [...found, { name: "…", text: `${left} more` }] : found;
  } catch {
    return [];
  }
}

interface Entries {
  length: number;
  at(i: number): Child;
}

function entriesOf(value: unknown): Entries {
  const list = (items: Child[]): Entries => ({ length: items.length, at: (i) => items[i] as Child });
  if (((typeof value !== "object" || value === null) && typeof value !== "function") || types.isProxy(value)) return list([]);
  if (isFrame(value)) {
    if (value.$isSeries) return entriesOf(value.$data);
    const rows = value.$data as unknown[][];
    return { length: value.$columns.length, at: (j) => ({ name: String(value.$columns[j]), value: rows.map((row) => row[j]) }) };
  }
  if (isTensor(value)) {
    const isHere = value.location === undefined || value.location === "cpu";
    return list([{ name: "type", value: value.type }, { name: "dims", value: value.dims }, ...(isHere ? [{ name: "data", value: value.data }] : [])]);
  }
  if (Array.isArray(value) || isNumbers(value)) {
    const items = value as ArrayLike<unknown>;
    return { length: items.length, at: (i) => ({ name: String(i), value: items[i] }) };
  }
  if (value instanceof Map) {
    const pairs = [...value];
    return { length: pairs.length, at: (i) => ({ name: summary(pairs[i]![0]), value: pairs[i]![1] }) };
  }
  if (value instanceof Set) return entriesOf([...value]);
  const names = [...Object.keys(value), ...(value instanceof Error ? ["message", "stack"] : [])];
  return {
    length: names.length,
    at: (i) => {
      const name = names[i] as string;
      if (value instanceof Error) return { name, value: (value as unknown as Record<string, unknown>)[name] };
      const { get, value: each } = Object.getOwnPropertyDescriptor(value, name) ?? {};
      return get ? { name, text: "(getter)" } : { name, value: each };
    },
  };
}
