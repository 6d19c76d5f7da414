/**
 * Globals that Node has and that neither TypeScript's language library nor Node's own types declare: those which
 * browsers have too stand in TypeScript's `dom` library, with a thousand that Node lacks. Each is declared where the running
 * Node has it.
 */

import { global, has } from "./node-lib.js";

/** As the WebAssembly JavaScript Interface says (https://webassembly.github.io/spec/js-api/), exceptions included. */
const WEB_ASSEMBLY = `
namespace WebAssembly {
  type ValueType = "i32" | "i64" | "f32" | "f64" | "v128" | "externref" | "anyfunc";
  type ImportExportKind = "function" | "table" | "memory" | "global" | "tag";
  type Bytes = ArrayBuffer | ArrayBufferView;
  type ImportValue = Function | Global | Memory | Table | Tag | number | bigint;
  type Imports = Record<string, Record<string, ImportValue>>;
  type Exports = Record<string, any>;
  interface ModuleExportDescriptor { name: string; kind: ImportExportKind }
  interface ModuleImportDescriptor { module: string; name: string; kind: ImportExportKind }
  interface MemoryDescriptor { initial: number; maximum?: number; shared?: boolean }
  interface TableDescriptor { element: "anyfunc" | "externref"; initial: number; maximum?: number }
  interface GlobalDescriptor { value: ValueType; mutable?: boolean }
  interface WebAssemblyInstantiatedSource { instance: Instance; module: Module }
  class Module {
    constructor(bytes: Bytes);
    static exports(module: Module): ModuleExportDescriptor[];
    static imports(module: Module): ModuleImportDescriptor[];
    static customSections(module: Module, name: string): ArrayBuffer[];
  }
  class Instance { constructor(module: Module, imports?: Imports); readonly exports: Exports }
  class Memory { constructor(descriptor: MemoryDescriptor); readonly buffer: ArrayBuffer; grow(pages: number): number }
  class Table {
    constructor(descriptor: TableDescriptor, value?: any);
    readonly length: number;
    get(index: number): any;
    set(index: number, value?: any): void;
    grow(by: number, value?: any): number;
  }
  class Global { constructor(descriptor: GlobalDescriptor, value?: any); value: any; valueOf(): any }
  class Tag { constructor(type: { parameters: ValueType[] }) }
  class Exception {
    constructor(tag: Tag, payload: any[], options?: { traceStack?: boolean });
    readonly stack: string | undefined;
    is(tag: Tag): boolean;
    getArg(tag: Tag, index: number): any;
  }
  const JSTag: Tag;
  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}
  function validate(bytes: Bytes): boolean;
  function compile(bytes: Bytes): Promise<Module>;
  function compileStreaming(source: Response | PromiseLike<Response>): Promise<Module>;
  function instantiate(bytes: Bytes, imports?: Imports): Promise<WebAssemblyInstantiatedSource>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
  function instantiateStreaming(source: Response | PromiseLike<Response>, imports?: Imports): Promise<WebAssemblyInstantiatedSource>;
}`;

const CRYPTO = ["Crypto", "CryptoKey", "SubtleCrypto"].map((name) => `type ${name} = import("node:crypto").webcrypto.${name}; var ${name}: { prototype: ${name}; new (): ${name} };`).join("\n");

const LOCALE = `namespace Intl { interface Locale { ${["Calendars", "Collations", "HourCycles", "NumberingSystems", "TimeZones"].map((name) => `get${name}(): string[];`).join(" ")}
  getTextInfo(): { direction: "ltr" | "rtl" }; getWeekInfo(): { firstDay: number; weekend: number[] } } }`;

/** Names and conditions: what TypeScript's library files declare is left to them (node-lib.ts takes those whole or not at all). */
const EXTRAS: readonly [text: string, wanted: () => boolean][] = [
  [WEB_ASSEMBLY, () => has(globalThis, "WebAssembly")],
  ['interface JSON { rawJSON(text: string): { readonly rawJSON: string }; isRawJSON(value: unknown): boolean }', () => has(JSON, "rawJSON", "isRawJSON")],
  ["interface IteratorConstructor { concat<T>(...iterables: Iterable<T>[]): IteratorObject<T, undefined, unknown> }", () => has(global.Iterator, "concat")],
  ["interface ArrayBuffer { readonly maxByteLength: number; readonly resizable: boolean; resize(byteLength?: number): void } interface ArrayBufferConstructor { new (byteLength: number, options?: { maxByteLength?: number }): ArrayBuffer }", () => has(ArrayBuffer.prototype, "resize") && !has(ArrayBuffer.prototype, "transfer")],
  [LOCALE, () => has(Intl.Locale.prototype, "getTextInfo") && !has(globalThis, "Temporal")],
  // Node's own types have these from 26 on.
  [CRYPTO, () => has(globalThis, "SubtleCrypto") && release() < 26],
  ['type Performance = import("node:perf_hooks").Performance; var Performance: { prototype: Performance; new (): Performance };', () => release() < 26],
];

function release(): number {
  return Number(process.versions.node.split(".")[0]);
}

/** Declarations for a module's `declare global`. */
export function nodeExtras(): string {
  return EXTRAS.flatMap(([text, wanted]) => (wanted() ? [text] : [])).join("\n");
}
