import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { API_LENGTH, API_VERSION, signatures } from "./signatures.js";

/** The version of ONNX Runtime that this was tried with: another one is not called. */
export const TRIED_VERSION = "1.30.0";

/**
 * Koffi makes native calls on stacks of its own, of 128 KiB where they are asynchronous: less than kernels of ONNX Runtime may want, which
 * expect a thread's eight megabytes. Pages are taken when they are touched.
 */
const STACK_BYTES = 8 * 2 ** 20;

type Name = keyof typeof signatures;
/** An address in this process, 0n for none. */
export type Address = bigint;
type Argument = Address | number | string | NodeJS.TypedArray;

/** ONNX Runtime's C API in this thread. Whatever an address stands for must be held by the caller as long as native code has it. */
export interface Library {
  readonly version: string;
  readonly env: Address;
  /** Describes this process's memory, for tensors in it. */
  readonly memory: Address;
  /** Calls a function. @throws with ONNX Runtime's own message, where the function gives a status and that is an error */
  call(name: Name, ...args: Argument[]): void;
  /** As `call`, on a thread of Node's pool. Arguments that are arrays go as addresses. */
  callAside(name: Name, ...args: (Address | number | string)[]): Promise<void>;
  /** What a function gives as its result that makes no status: a text, a number, an address (null for none). */
  ask(name: Name, ...args: Argument[]): string | number | Address | null;
  /** As `call`, for functions that give what they made by a last parameter. */
  make(name: Name, ...args: Argument[]): Address;
  /** Where an array's elements lie; they stay there as long as the array is held. */
  addressOf(array: NodeJS.TypedArray): Address;
  /** The bytes at an address, not copied. */
  view(address: Address, bytes: number): ArrayBuffer;
  /** The text at an address, up to its zero. */
  text(address: Address): string;
}

let opened: Promise<Library> | null = null;

/** Opens the library that onnxruntime-node ships, once a thread. @throws where it is not there, or another than the one tried */
export function openLibrary(): Promise<Library> {
  return (opened ??= open());
}

/** Path of the library for this platform. */
export function libraryPath(): string {
  const folder = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  const files: Partial<Record<NodeJS.Platform, string>> = { linux: "libonnxruntime.so.1", darwin: `libonnxruntime.${TRIED_VERSION}.dylib`, win32: "onnxruntime.dll" };
  const file = files[process.platform];
  if (!file) throw new Error(`platform: ${process.platform} (onnxruntime-node has no library for it)`);
  return join(folder, "bin", "napi-v6", process.platform, process.arch, file);
}

async function open(): Promise<Library> {
  const { default: koffi } = await import("koffi");
  if (koffi.config().async_stack_size! < STACK_BYTES) koffi.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES });
  const [getApi, getVersion] = koffi.decode(koffi.load(libraryPath()).func("OrtGetApiBase", "void *", [])(), "void *", 2) as [Address, Address];
  const version = koffi.decode(getVersion, koffi.proto("const char *", []))() as string;
  if (version !== TRIED_VERSION) throw new Error(`ONNX Runtime ${version} (tried with ${TRIED_VERSION})`);
  const api = koffi.decode(getApi, koffi.proto("void *", ["uint32_t"]))(API_VERSION) as Address | null;
  if (!api) throw new Error(`ONNX Runtime ${version} has no C API of version ${API_VERSION}`);
  const table = koffi.decode(api, "void *", API_LENGTH) as Address[];

  const functions = Object.fromEntries(Object.entries(signatures).map(([name, { index, result, parameters }]) =>
    [name, koffi.decode(table[index], koffi.proto(result, [...parameters]))])) as Record<Name, ReturnType<ReturnType<typeof koffi.load>["func"]>>;
  const check = (name: Name, status: Address | null | undefined): void => {
    // Of functions that give nothing, and of a status that is no error.
    if (!status || signatures[name].result === "void") return;
    const message = functions.GetErrorMessage(status) as string;
    functions.ReleaseStatus(status);
    throw new Error(message);
  };
  const library: Omit<Library, "env" | "memory"> = {
    version,
    call: (name, ...args) => check(name, functions[name](...args) as Address | null),
    callAside: (name, ...args) => new Promise<void>((resolve, reject) => {
      functions[name].async(...args, (error: Error | null, status: Address | null) => {
        try {
          if (error) throw error;
          check(name, status);
          resolve();
        } catch (problem) {
          reject(problem);
        }
      });
    }),
    ask: (name, ...args) => functions[name](...args) as string | number | Address | null,
    make(name, ...args) {
      const out = new BigUint64Array(1);
      check(name, functions[name](...args, out) as Address | null);
      return out[0]!;
    },
    addressOf(array) {
      // V8 may move a small array about until someone asks for its buffer.
      void array.buffer;
      return BigInt(koffi.address(array));
    },
    view: (address, bytes) => koffi.view(address, bytes),
    text: (address) => koffi.decode(address, "char", -1) as string,
  };
  // ONNX Runtime has one environment a process: that of onnxruntime-node, where it came first. Severity 3: errors.
  const env = library.make("CreateEnv", 3, "sdtp-notebook");
  // 1: the arena's allocator, 0: ordinary memory.
  return { ...library, env, memory: library.make("CreateCpuMemoryInfo", 1, 0) };
}
