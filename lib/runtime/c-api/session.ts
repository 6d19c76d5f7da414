import { Tensor } from "onnxruntime-node";
import "../float16-tensors.js";
import type { LoadedGraph, Outputs, RunOptions } from "../loaded-graph.js";
import { elementOf, elementOfCode } from "./elements.js";
import { giveBackFreedMemory } from "./heap.js";
import type { ExternalWeight } from "../serialized-graph.js";
import type { Address, Library } from "./library.js";
import { appendProvider, assignedOperators, type ChosenProvider } from "./provider.js";
import { SharedWeights } from "./shared-weights.js";

export interface CApiSettings {
  readonly threads?: number | undefined;
  readonly folder?: string | undefined;
  /** Weights in files of the folder: all sessions of this thread hold them together. Default: none; the session has each for itself. */
  readonly weights?: readonly ExternalWeight[];
  /** A plugin provider that does what it can of the graph; the CPU does the rest. */
  readonly provider?: ChosenProvider | undefined;
  /** Load it on a thread of Node's pool, while this one does other work: called when that has begun. Absent: loading blocks this thread. */
  readonly onAside?: (() => void) | undefined;
}

/** Names as C has them, and their addresses. */
interface Names {
  readonly texts: readonly Buffer[];
  readonly addresses: ReadonlyMap<string, Address>;
}

/** What native code uses while a run is under way. Nothing of it may be collected until then. */
interface Job {
  readonly arrays: unknown[];
  readonly values: Address[];
}

/** What must be freed of a session, also where it was forgotten instead of released. */
interface Native {
  readonly library: Library;
  session: Address;
  readonly shared: SharedWeights | null;
}

/** Stops each run that is under way in this thread. */
const underWay = new Set<() => void>();

/** A process ends when Node's pool is done: without this, at the end of the run. */
let stopsAtExit = false;

const forgotten = new FinalizationRegistry<Native>(free);

/** What ONNX Runtime has for tensors that outputs are written into: used as long as someone has the tensor, which holds the array under it. */
const lasting = new WeakMap<Tensor, { readonly value: Address; readonly data: unknown }>();
const unused = new FinalizationRegistry<{ readonly library: Library; readonly value: Address }>(({ library, value }) => library.call("ReleaseValue", value));

function free(native: Native): void {
  if (native.session === 0n) return;
  native.library.call("ReleaseSession", native.session);
  native.session = 0n;
  native.shared?.letGo();
}

/**
 * A graph loaded by ONNX Runtime's C API. A run is made on a thread of Node's pool: this one's event loop stays free, and a run can be stopped.
 * Inputs are read where they lie; they are held until the run is over. Outputs are arrays of JavaScript's own.
 */
export class CApiSession implements LoadedGraph {
  private readonly jobs = new Set<Job>();
  private readonly names: Names;
  /** Waits for the last run, where the session was released during one. */
  private over: { readonly done: Promise<void>; readonly finish: () => void } | null = null;

  private constructor(
    private readonly native: Native,
    readonly inputNames: readonly string[],
    readonly outputNames: readonly string[],
    /** Operators by the provider that does them, where that was to be recorded. */
    readonly assigned: ReadonlyMap<string, readonly string[]> | null,
  ) {
    const texts = [...inputNames, ...outputNames].map((name) => Buffer.from(`${name}\0`));
    const all = [...inputNames, ...outputNames];
    this.names = { texts, addresses: new Map(all.map((name, i) => [name, native.library.addressOf(texts[i]!)])) };
    forgotten.register(this, native, this);
  }

  /** Loads a graph. @param onnx the graph as an ONNX model @throws with ONNX Runtime's message */
  static async open(library: Library, onnx: Uint8Array, { threads, folder, weights = [], provider, onAside }: CApiSettings): Promise<CApiSession> {
    const shared = folder !== undefined && weights.length > 0 ? SharedWeights.of(library, folder) : null;
    const options = library.make("CreateSessionOptions");
    // What is said of each is said in session.ts, where onnxruntime-node is given the same.
    try {
      if (threads !== undefined) library.call("SetIntraOpNumThreads", options, threads);
      library.call("SetSessionGraphOptimizationLevel", options, 99);
      library.call("DisableMemPattern", options);
      // Not even errors: they are thrown. ONNX Runtime would print them as well, a run that was stopped among them.
      library.call("SetSessionLogSeverityLevel", options, 4);
      if (folder !== undefined) library.call("AddSessionConfigEntry", options, "session.model_external_initializers_file_folder_path", folder);
      if (provider) appendProvider(library, options, provider);
      // Held until the session is there: loaded aside, the bytes are read in the middle of other work.
      const held = [onnx, new BigUint64Array(1)] as const;
      const model = [library.env, library.addressOf(held[0]), onnx.byteLength, options] as const;
      const create = async (name: "CreateSessionFromArray" | "CreateSessionFromArrayWithPrepackedWeightsContainer", ...container: Address[]): Promise<Address> => {
        const given = [...model, ...container, library.addressOf(held[1])] as const;
        // In this thread unless asked otherwise: what loading frees on another one, the C library keeps for that one until it is told to give it back.
        if (onAside) {
          const loading = library.callAside(name, ...given);
          onAside();
          await loading;
        } else library.call(name, ...given);
        return held[1][0]!;
      };
      const session = shared ? await shared.hold(options, weights, (container) => create("CreateSessionFromArrayWithPrepackedWeightsContainer", container)) : await create("CreateSessionFromArray");
      giveBackFreedMemory();
      const native = { library, session, shared };
      return new CApiSession(native, names(native, "Input"), names(native, "Output"), provider?.record ? assignedOperators(library, session) : null);
    } finally {
      library.call("ReleaseSessionOptions", options);
    }
  }

  async run(feeds: Readonly<Record<string, Tensor>>, wanted: readonly string[] = this.outputNames, { signal, into = {} }: RunOptions = {}): Promise<Outputs> {
    signal?.throwIfAborted();
    const { library, session } = this.native;
    if (this.over || session === 0n) throw new Error("session: it was released");
    const job: Job = { arrays: [this], values: [] };
    const options = library.make("CreateRunOptions");
    const stop = () => library.call("RunOptionsSetTerminate", options);
    const found = new BigUint64Array(wanted.length);
    this.jobs.add(job);
    underWay.add(stop);
    if (!stopsAtExit) process.once("exit", () => underWay.forEach((each) => each()));
    stopsAtExit = true;
    try {
      const again = new Set(Object.values(into));
      const valueOf = (name: string, tensor: Tensor | undefined) => (tensor && again.has(tensor) ? this.lastingValue(name, tensor, job) : this.value(name, tensor, job));
      const inputs = BigUint64Array.from(this.inputNames, (name) => valueOf(name, feeds[name]));
      const inputNames = BigUint64Array.from(this.inputNames, (name) => this.names.addresses.get(name)!);
      const outputNames = BigUint64Array.from(wanted, (name) => this.addressOfName(name));
      job.arrays.push(inputs, inputNames, outputNames, found);
      wanted.forEach((name, i) => into[name] && (found[i] = valueOf(name, into[name])));
      signal?.addEventListener("abort", stop);
      const at = (array: BigUint64Array) => (array.length === 0 ? 0n : library.addressOf(array));
      await library.callAside("Run", session, options, at(inputNames), at(inputs), inputs.length, at(outputNames), wanted.length, at(found));
      signal?.throwIfAborted();
      return Object.fromEntries(wanted.flatMap((name, i) => (into[name] ? [] : [[name, this.take(name, found, i)]])));
    } catch (error) {
      // Whoever stopped a run gets his reason, not ONNX Runtime's words for it.
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", stop);
      underWay.delete(stop);
      wanted.forEach((name, i) => into[name] && (found[i] = 0n));
      for (const value of [...job.values, ...found]) if (value !== 0n) library.call("ReleaseValue", value);
      library.call("ReleaseRunOptions", options);
      this.jobs.delete(job);
      this.finishIfOver();
    }
  }

  /** Frees the graph: now, or as soon as the last run under way is over. Later runs are refused at once. */
  release(): Promise<void> {
    if (!this.over) {
      let finish = () => {};
      const done = new Promise<void>((resolve) => (finish = resolve));
      this.over = { done, finish };
      this.finishIfOver();
    }
    return this.over.done;
  }

  private finishIfOver(): void {
    if (!this.over || this.jobs.size > 0) return;
    forgotten.unregister(this);
    free(this.native);
    this.over.finish();
  }

  /** An input as ONNX Runtime has it, over the array's own memory. */
  private value(name: string, tensor: Tensor | undefined, job: Job): Address {
    if (!tensor) throw new Error(`input '${name}' is missing in 'feeds'.`);
    const { library } = this.native;
    const { data, dims, type } = tensor as Tensor & { data: NodeJS.TypedArray };
    const { code, bytes } = elementOf(type, name);
    const shape = BigInt64Array.from(dims, BigInt);
    const count = dims.reduce((product, size) => product * size, 1);
    if (data.byteLength !== count * bytes) throw new Error(`input ${name}: ${data.byteLength} bytes for ${type} [${dims.join(", ")}] (must be ${count * bytes})`);
    // An array of nothing lies nowhere; ONNX Runtime wants an address all the same.
    const array = data.byteLength === 0 ? new Uint8Array(8) : data;
    job.arrays.push(array);
    const value = library.make("CreateTensorWithDataAsOrtValue", library.memory, library.addressOf(array), data.byteLength, shape, dims.length, code);
    job.values.push(value);
    return value;
  }

  /** As `value`, of a tensor that outputs are written into: the same run after run, so that what ONNX Runtime has for it is made once. */
  private lastingValue(name: string, tensor: Tensor, job: Job): Address {
    const { library } = this.native;
    job.arrays.push(tensor);
    const known = lasting.get(tensor);
    if (known && known.data === tensor.data) return known.value;
    const made: Job = { arrays: [], values: [] };
    const value = this.value(name, tensor, made);
    lasting.set(tensor, { value, data: tensor.data });
    unused.register(tensor, { library, value });
    return value;
  }

  private addressOfName(name: string): Address {
    const address = this.names.addresses.get(name);
    if (address === undefined) throw new Error(`output '${name}' is not one of the graph's: ${this.outputNames.join(", ")}`);
    return address;
  }

  /** An output in an array of its own, ONNX Runtime's freed at once: they are never all there twice. */
  private take(name: string, found: BigUint64Array, i: number): Tensor {
    const { library } = this.native;
    const value = found[i]!;
    const info = library.make("GetTensorTypeAndShape", value);
    try {
      const rank = Number(library.make("GetDimensionsCount", info));
      const dims = new BigInt64Array(rank);
      if (rank > 0) library.call("GetDimensions", info, dims, rank);
      const code = new Int32Array(2);
      library.call("GetTensorElementType", info, code);
      const { type, array, bytes } = elementOfCode(code[0]!, name);
      const shape = Array.from(dims, Number);
      const length = bytes * shape.reduce((product, size) => product * size, 1);
      const data = length === 0 ? new array(new ArrayBuffer(0)) : new array(library.view(library.make("GetTensorMutableData", value), length)).slice();
      return new Tensor(type as "float32", data as Float32Array, shape);
    } finally {
      library.call("ReleaseTensorTypeAndShapeInfo", info);
      library.call("ReleaseValue", value);
      found[i] = 0n;
    }
  }
}

/** Names of a session's inputs or outputs, in its order. */
function names({ library, session }: Native, what: "Input" | "Output"): string[] {
  const allocator = library.make("GetAllocatorWithDefaultOptions");
  return Array.from({ length: Number(library.make(`SessionGet${what}Count`, session)) }, (_, i) => {
    const text = library.make(`SessionGet${what}Name`, session, i, allocator);
    const name = library.text(text);
    library.call("AllocatorFree", allocator, text);
    return name;
  });
}
