// What goes between the main thread and the one that runs graphs: requests, done strictly one after the other.
import { Tensor } from "onnxruntime-node";
import "../float16-tensors.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import type { KvDtype } from "../../checkpoint/kv-dtype.js";
import type { BatchPart, BatchRoom } from "../batch.js";
import type { CopyOptions, HeldPositions } from "../kv-cache.js";
import type { StoredHead } from "../kv-store.js";
import type { SerializedGraph } from "../serialized-graph.js";
import type { Outputs } from "../session.js";

/** Places in the memory that both threads see: 1 while a request is being done; 1 when the process is about to end. */
export const BUSY = 0;
export const ENDING = 1;

/** What is kept in the worker, by the number that the main thread gave it: loaded graphs, keys and values of a prefill, caches. */
export type Handle = number;

/** A tensor in a message. */
export interface Sent {
  readonly type: Tensor.Type;
  readonly data: Tensor.DataType;
  readonly dims: readonly number[];
}

export type SentTensors = Readonly<Record<string, Sent>>;

export type Request =
  | { readonly op: "load"; readonly graph: Handle; readonly model: SerializedGraph; readonly threads: number | undefined; readonly folder: string | undefined }
  /** Keys and values stay, as `kept`. */
  | { readonly op: "run"; readonly graph: Handle; readonly feeds: SentTensors; readonly wanted: readonly string[]; readonly kept: Handle }
  | { readonly op: "cache"; readonly kept: Handle; readonly cache: Handle; readonly config: ModelConfig; readonly present: readonly HeldPositions[]; readonly evictedTo: Int32Array | null; readonly reserve: number; readonly kvDtype: KvDtype }
  | { readonly op: "step"; readonly graph: Handle; readonly cache: Handle; readonly feeds: SentTensors; readonly config: ModelConfig; readonly positions: readonly number[] }
  /** As a step, but nothing is taken over. */
  | { readonly op: "look"; readonly graph: Handle; readonly cache: Handle; readonly feeds: SentTensors; readonly config: ModelConfig; readonly positions: readonly number[] }
  | { readonly op: "keep"; readonly cache: Handle; readonly kept: Handle; readonly held: readonly HeldPositions[]; readonly reserve: number }
  | { readonly op: "together"; readonly graph: Handle; readonly parts: readonly BatchPart<Handle>[]; readonly feeds: SentTensors; readonly config: ModelConfig; readonly room: BatchRoom }
  | { readonly op: "clone"; readonly cache: Handle; readonly copy: Handle; readonly options: CopyOptions }
  | { readonly op: "read"; readonly cache: Handle }
  | { readonly op: "free"; readonly handle: Handle };

/** A cache as it is held: of each layer elements `[kvHeads, length, headDim]` and, where there are any, scales `[kvHeads, length]`. */
export type ReadLayers = readonly Readonly<Record<"key" | "value", StoredHead>>[];

export interface Answers {
  load: { readonly inputNames: readonly string[]; readonly outputNames: readonly string[] };
  run: SentTensors;
  /** Bytes of a token, by layer. */
  cache: readonly number[];
  step: SentTensors;
  look: SentTensors;
  keep: null;
  together: SentTensors;
  clone: null;
  read: ReadLayers;
  free: null;
}

/** What is sent to the worker: a request, or that one is no longer wanted. */
export type Message = { readonly id: number; readonly request: Request } | { readonly stop: number };

export type Reply = { readonly id: number } & ({ readonly result: Answers[keyof Answers] } | { readonly error: Error });

/** Whether an output stays in the worker. */
export const stays = (output: string): boolean => /^(key|value)\.\d+$/.test(output);

export function sent(tensors: Readonly<Record<string, Tensor>> | Outputs): SentTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, { type, data, dims }]) => [name, { type, data, dims }]));
}

export function received(tensors: SentTensors): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { type, data, dims }]) => [name, new Tensor(type as "float32", data as Float32Array, dims)]));
}
