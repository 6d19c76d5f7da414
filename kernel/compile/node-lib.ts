/**
 * The part of the language's library that the running Node has. TypeScript's `lib` files after ES2023 are taken one by
 * one, each where this Node has what it declares: what compiles runs, and what this Node lacks is refused by name.
 */

/** Whether this Node has all of these in an object, which may be missing itself. */
export const has = (owner: object | undefined, ...names: string[]): boolean => owner !== undefined && names.every((name) => name in owner);
export const global = globalThis as unknown as Record<string, { prototype?: object } | undefined>;
const inPrototype = (type: string, ...names: string[]): boolean => has(global[type]?.prototype, ...names);

/** Every Node from 20.19 on has it whole. */
const BASE = "es2023";

const LATER: Record<string, () => boolean> = {
  "es2024.arraybuffer": () => inPrototype("ArrayBuffer", "transfer", "resize"),
  "es2024.collection": () => has(Map, "groupBy"),
  "es2024.object": () => has(Object, "groupBy"),
  "es2024.promise": () => has(Promise, "withResolvers"),
  "es2024.regexp": () => inPrototype("RegExp", "unicodeSets"),
  "es2024.sharedmemory": () => has(global.Atomics, "waitAsync"),
  "es2024.string": () => inPrototype("String", "isWellFormed", "toWellFormed"),
  "es2025.collection": () => inPrototype("Set", "union"),
  "es2025.float16": () => has(globalThis, "Float16Array"),
  "es2025.intl": () => has(Intl, "DurationFormat"),
  "es2025.iterator": () => has(globalThis, "Iterator") && inPrototype("Iterator", "map"),
  "es2025.promise": () => has(Promise, "try"),
  "es2025.regexp": () => has(RegExp, "escape"),
  "esnext.array": () => has(Array, "fromAsync"),
  "esnext.collection": () => inPrototype("Map", "getOrInsert"),
  "esnext.date": () => inPrototype("Date", "toTemporalInstant"),
  // Types alone: what `using` and decorators compile to needs no class of the library's.
  "esnext.decorators": () => true,
  // Node 20 and 22 have the symbols, which Node's own types declare, without the classes.
  "esnext.disposable": () => has(globalThis, "DisposableStack", "SuppressedError"),
  "esnext.error": () => has(Error, "isError"),
  "esnext.intl": () => has(Intl.Locale.prototype, "getTextInfo") && has(globalThis, "Temporal"),
  "esnext.sharedmemory": () => has(global.Atomics, "pause"),
  "esnext.temporal": () => has(globalThis, "Temporal"),
  "esnext.typedarrays": () => has(Uint8Array, "fromBase64"),
};

/** Names for the compiler's `lib` option: `lib.es2023.d.ts`, `lib.es2024.promise.d.ts`, … */
export function nodeLib(): string[] {
  const later = Object.keys(LATER).filter((name) => LATER[name]?.());
  return [BASE, ...later].map((name) => `lib.${name}.d.ts`);
}
