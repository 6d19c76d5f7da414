/**
 * Variables of a notebook on disk. Runs in the kernel's process: the run asks for it after each cell, by code that it
 * sends like any client. Only values that come back exactly as they were are written.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import v8 from "node:v8";
import { writeWholeSync } from "../../files.js";

/** What was saved after a cell. */
export interface State {
  /** File with the values, in the same folder. */
  values: string;
  /** Names that cannot be restored, and why. */
  opaque: Record<string, string>;
  /** Something was still running when it was saved. */
  busy: boolean;
}

/** Bytes of values that one state may have: one is written after each cell. */
const LIMIT = 64 * 2 ** 20;

const TYPED = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array, Buffer, DataView];

let idle: Map<string, number> | undefined;

/** Remembers what a kernel without work has open. Call before the first cell. */
export function begin(): void {
  idle = resources();
}

/**
 * Saves variables.
 * @param folder exists
 * @param name of the state
 * @param variables readers by name
 * @param definitions names among them of functions and classes that their cells define anew
 */
export function save(folder: string, name: string, variables: Record<string, () => unknown>, definitions: string[]): void {
  const opaque: Record<string, string> = {};
  const values: Record<string, unknown> = {};
  const memory: Memory = new Map();
  for (const [variable, read] of Object.entries(variables)) {
    let value: unknown;
    try {
      value = read();
    } catch {
      opaque[variable] = "not set";
      continue;
    }
    if (definitions.includes(variable)) {
      // An enum is an object, which TypeScript lets nobody change.
      if (typeof value === "function" && Object.keys(value).length > 0) opaque[variable] = "a function with properties of its own";
      continue;
    }
    const problem = whyNot(value, memory);
    if (problem === undefined) values[variable] = value;
    else opaque[variable] = problem;
  }
  let data = v8.serialize(values);
  if (data.byteLength > LIMIT) {
    for (const variable of Object.keys(values)) opaque[variable] = `too large to save: all variables have ${data.byteLength} bytes`;
    data = v8.serialize({});
  }
  const file = `${createHash("sha256").update(data).digest("hex").slice(0, 32)}.values`;
  if (!existsSync(join(folder, file))) writeWholeSync(join(folder, file), data);
  const state: State = { values: file, opaque, busy: isBusy() };
  writeWholeSync(join(folder, `${name}.json`), JSON.stringify(state));
}

let loaded: Record<string, unknown> = {};

/** Reads values that {@link save} wrote, for {@link restored}. */
export function open(file: string): void {
  loaded = v8.deserialize(readFileSync(file)) as Record<string, unknown>;
}

/** The value of a variable; undefined where it was not saved, because nothing needs it. */
export function restored(name: string): never {
  return loaded[name] as never;
}

/** Which array shows which bytes of a buffer. */
type Memory = Map<ArrayBuffer, { from: number; to: number; view: object }[]>;

/**
 * Why a value would not come back exactly as it is: of structured data only what `v8.deserialize` makes anew with the
 * same prototypes, properties and shared parts.
 * @param memory seen so far, of other variables too
 */
function whyNot(root: unknown, memory: Memory): string | undefined {
  const seen = new Set<object>();
  const stack: unknown[] = [root];
  while (stack.length > 0) {
    const value = stack.pop();
    if (typeof value === "function") return "a function";
    if (typeof value === "symbol") return "a symbol";
    if (typeof value !== "object" || value === null || seen.has(value)) continue;
    seen.add(value);
    const prototype = Object.getPrototypeOf(value) as object | null;
    let problem: string | undefined;
    if (prototype === ArrayBuffer.prototype) problem = share(value, value as ArrayBuffer, 0, (value as ArrayBuffer).byteLength, memory);
    else if (TYPED.some((each) => each.prototype === prototype)) {
      const { buffer, byteOffset, byteLength } = value as Uint8Array;
      problem = share(value, buffer, byteOffset, byteOffset + byteLength, memory);
    } else if (prototype === Date.prototype || prototype === Map.prototype || prototype === Set.prototype) {
      if (Reflect.ownKeys(value).length > 0) return "has properties of its own";
      if (value instanceof Map) for (const pair of value) stack.push(...pair);
      if (value instanceof Set) stack.push(...value);
    } else if (prototype === Object.prototype || prototype === Array.prototype) problem = fields(value, stack);
    else problem = prototype === null ? "an object without prototype" : article(value.constructor?.name || "object of a class");
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Notes that a view shows these bytes. Where another shows some of them too, they would be separated. */
function share(view: object, buffer: ArrayBufferLike, from: number, to: number, memory: Memory): string | undefined {
  if (!(buffer instanceof ArrayBuffer)) return "shared memory";
  const views = memory.get(buffer) ?? [];
  if (views.some((other) => other.view !== view && other.from < to && from < other.to)) return "two arrays over the same memory";
  memory.set(buffer, [...views, { from, to, view }]);
  return undefined;
}

/** Puts the values of own properties on the stack. */
function fields(value: object, stack: unknown[]): string | undefined {
  if (Object.getOwnPropertySymbols(value).length > 0) return "has symbols for keys";
  if (!Object.isExtensible(value)) return "a frozen object";
  const isArray = Array.isArray(value);
  for (const key of Object.getOwnPropertyNames(value)) {
    if (isArray && key === "length") continue;
    if (key === "__proto__") return "has a key __proto__";
    const { enumerable, writable, configurable, get, value: item } = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
    if (get || !enumerable || !writable || !configurable) return "has properties that are no plain data";
    if (typeof item === "object" || typeof item === "function" || typeof item === "symbol") stack.push(item);
  }
  return undefined;
}

function article(name: string): string {
  return `${/^[AEIOU]/i.test(name) ? "an" : "a"} ${name}`;
}

/** Whether more timers, files or connections are open than before the first cell. */
function isBusy(): boolean {
  return [...resources()].some(([type, count]) => count > (idle?.get(type) ?? 0));
}

function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}
