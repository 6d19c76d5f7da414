import { methodOf } from "./methods.js";
import { defined, Float, isCallable, isDict, isInteger, keyOf, Namespace, Tuple, tuple, typeName, Undefined, type Value } from "./values.js";

/** `value.name`: a method, else an element of that name. */
export function attribute(given: Value, name: string): Value {
  const value = defined(given);
  if (value instanceof Namespace) return value.fields.get(name) ?? (value.fields.has(name) ? value.fields.get(name)! : missing(value, name));
  // `loop` of a loop that calls itself is both.
  if (isCallable(value)) return (value as { readonly fields?: ReadonlyMap<string, Value> }).fields?.get(name) ?? missing(value, name);
  return methodOf(value, name) ?? elementOf(value, name) ?? missing(value, name);
}

/** `value[key]`: an element, else a method of that name. */
export function item(given: Value, key: Value): Value {
  const value = defined(given);
  if (value instanceof Namespace && typeof key === "string") return attribute(value, key);
  const found = elementOf(value, key);
  if (found !== undefined) return found;
  return (typeof key === "string" ? methodOf(value, key) : undefined) ?? missing(value, key);
}

function elementOf(value: Value, key: Value): Value | undefined {
  if (isDict(value)) return Array.isArray(key) || key instanceof Undefined ? undefined : value.get(keyOf(key));
  if (!isInteger(key) && typeof key !== "boolean") return undefined;
  if (typeof value === "string") return Array.from(value).at(Number(key));
  return Array.isArray(value) ? value.at(Number(key)) : undefined;
}

function missing(value: Value, key: Value): Undefined {
  const what = typeof key === "string" ? `'${typeName(value)} object' has no attribute '${key}'` : `${typeName(value)} has no element ${String(key instanceof Float ? key.value : key)}`;
  return new Undefined(what);
}

/** `value[start:stop:step]`, as in Python. */
export function slice(given: Value, bounds: readonly Value[]): Value {
  const value = defined(given);
  if (typeof value !== "string" && !Array.isArray(value)) throw new Error(`'${typeName(value)}' object is not subscriptable by a slice`);
  const items = typeof value === "string" ? Array.from(value) : value;
  const [start, stop, step] = bounds.map((bound) => {
    if (bound === null) return null;
    if (!isInteger(bound)) throw new Error("slice indices must be integers or None");
    return bound;
  }) as [number | null, number | null, number | null];
  const by = step ?? 1;
  if (by === 0) throw new Error("slice step cannot be zero");
  const n = items.length;
  const clamp = (bound: number, low: number, high: number) => Math.min(Math.max(bound < 0 ? bound + n : bound, low), high);
  const taken: Value[] = [];
  if (by > 0) for (let i = clamp(start ?? 0, 0, n), end = clamp(stop ?? n, 0, n); i < end; i += by) taken.push(items[i]!);
  else for (let i = start === null ? n - 1 : clamp(start, -1, n - 1), end = stop === null ? -1 : clamp(stop, -1, n - 1); i > end; i += by) taken.push(items[i]!);
  if (typeof value === "string") return taken.join("");
  return value instanceof Tuple ? tuple(taken) : taken;
}
