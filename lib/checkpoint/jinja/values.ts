// Values of Python as templates see them: str, int, bool and None are JavaScript's own, list an array, dict a Map.

export class Float {
  constructor(readonly value: number) {}
}

export class Tuple extends Array<Value> {
  /** What is made of its elements by map and filter is a list. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

export function tuple(items: Iterable<Value>): Tuple {
  const made = new Tuple();
  for (const item of items) made.push(item);
  return made;
}

export class Namespace {
  readonly fields = new Map<string, Value>();
}

/** What a name stands for that nobody gave a value: empty as text, false, without elements; an attribute of it is an error. */
export class Undefined {
  constructor(readonly what: string) {}
}

/** Arguments by place, and by name. */
export type Callable = ((args: readonly Value[], named: ReadonlyMap<string, Value>) => Value) & { readonly shown?: string };

export type Dict = Map<string | number | boolean | null, Value>;
export type Value = string | number | boolean | null | Float | Undefined | Namespace | Callable | Dict | Value[];

export const isDict = (value: Value): value is Dict => value instanceof Map;
export const isCallable = (value: Value): value is Callable => typeof value === "function";
export const isInteger = (value: Value): value is number => typeof value === "number";
export const isNumber = (value: Value): value is number | Float | boolean => typeof value === "number" || value instanceof Float || typeof value === "boolean";
export const numberOf = (value: number | Float | boolean): number => (value instanceof Float ? value.value : Number(value));

/** JSON data as a template sees it. Without fraction it is an int. */
export function fromJson(data: unknown): Value {
  if (data === null || data === undefined) return null;
  if (typeof data === "number") return Number.isInteger(data) ? data : new Float(data);
  if (typeof data === "string" || typeof data === "boolean") return data;
  if (Array.isArray(data)) return data.map(fromJson);
  if (typeof data === "object") return new Map(Object.entries(data).map(([key, value]) => [key, fromJson(value)]));
  throw new Error(`a value of type ${typeof data} (must be JSON)`);
}

export function isTrue(value: Value): boolean {
  if (value instanceof Float) return value.value !== 0;
  if (value instanceof Undefined) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (isDict(value)) return value.size > 0;
  return Boolean(value);
}

/** A type's name, for errors. */
export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (typeof value === "string") return "str";
  if (typeof value === "number") return "int";
  if (typeof value === "boolean") return "bool";
  if (value instanceof Float) return "float";
  if (value instanceof Tuple) return "tuple";
  if (Array.isArray(value)) return "list";
  if (isDict(value)) return "dict";
  if (value instanceof Undefined) return "Undefined";
  return value instanceof Namespace ? "Namespace" : "function";
}

/** Complains where a value is used that is not there. */
export function defined<T extends Value>(value: T): Exclude<T, Undefined> {
  if (value instanceof Undefined) throw new Error(value.what);
  return value as Exclude<T, Undefined>;
}

export function equal(a: Value, b: Value): boolean {
  if (isNumber(a) && isNumber(b)) return numberOf(a) === numberOf(b);
  if (a instanceof Undefined) return b instanceof Undefined;
  if (Array.isArray(a)) return Array.isArray(b) && a instanceof Tuple === b instanceof Tuple && a.length === b.length && a.every((item, i) => equal(item, b[i]!));
  if (isDict(a)) return isDict(b) && a.size === b.size && [...a].every(([key, value]) => b.has(key) && equal(value, b.get(key)!));
  return a === b;
}

/** Below zero: a comes first. */
export function compare(a: Value, b: Value): number {
  if (isNumber(a) && isNumber(b)) return numberOf(a) - numberOf(b);
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) if (!equal(a[i]!, b[i]!)) return compare(a[i]!, b[i]!);
    return a.length - b.length;
  }
  throw new Error(`'<' not supported between ${typeName(defined(a))} and ${typeName(defined(b))}`);
}

/** By code points. */
function compareText(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) if (left[i] !== right[i]) return left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
  return left.length - right.length;
}

/** A value's elements, in order. @throws where it has none */
export function elements(value: Value): Value[] {
  if (typeof value === "string") return Array.from(value);
  if (Array.isArray(value)) return value;
  if (isDict(value)) return [...value.keys()];
  if (value instanceof Undefined) return [];
  throw new Error(`${typeName(value)} has no elements`);
}

export function length(value: Value): number {
  if (isDict(value)) return value.size;
  return elements(value).length;
}

export function contains(container: Value, item: Value): boolean {
  if (typeof container === "string") {
    if (typeof item !== "string") throw new Error(`'in <string>' requires a string, not ${typeName(item)}`);
    return container.includes(item);
  }
  if (isDict(container)) return container.has(keyOf(item));
  return elements(container).some((element) => equal(element, item));
}

/** What a dict can have as a key; numbers that are equal are one key. */
export function keyOf(value: Value): string | number | boolean | null {
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "string" || typeof value === "number" || value === null) return value;
  if (value instanceof Float) return value.value;
  throw new Error(`unhashable type: ${typeName(value)}`);
}
