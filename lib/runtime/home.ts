import type { Checkpoint, ModelConfig } from "../checkpoint/types.js";
import type { Plan } from "../methods/plan/plan.js";
import type { PiecesWay } from "../methods/plan/pieces-plan.js";
import type { MemoryPlan } from "./memory.js";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { Accuracy } from "../decoder/checkpoint-weights.js";
import type { Tensor } from "onnxruntime-node";
import { decodeGraph } from "../decoder/decode.js";
import { decodesInPlace, inPlaceGraph } from "../decoder/decode-in-place.js";
import { batchGraph } from "../decoder/decode-batch.js";
import type { Weights } from "../decoder/weights.js";
import type { Floats } from "../onnx/graph.js";
import { GraphBuilder } from "../onnx/builder.js";
import { stepTogether, type BatchPart } from "./batch.js";
import { HostCache } from "./host-cache.js";
import { exactIntegerProducts } from "./integer-products.js";
import type { HeldPositions, KvCache } from "./kv-cache.js";
import { runsInPlace, sharesWeights } from "./c-api/backend.js";
import { createSession, type LoadedGraph, type Outputs, type Provider, type SessionSettings } from "./session.js";

/** How attention is computed: by ONNX Runtime's fused operator, or spelled out in products and a softmax. */
export type AttentionKind = "fused" | "plain";

/** What a decode graph is asked for. */
export interface DecodeStep {
  /** New tokens. */
  readonly count: number;
  /** Give the attention weights too. */
  readonly attention: boolean;
  /** Heads of a layer hold different numbers of tokens. */
  readonly ragged: boolean;
  /** Graphs can write into arrays of this process. */
  readonly inPlace: boolean;
}

/** A graph, and by which name it is kept. */
export interface GraphToLoad {
  /** Graphs of one key are the same. */
  readonly key: string;
  /** Of a whole prompt: its products are of many rows. */
  readonly prompt?: boolean;
  readonly build: (g: GraphBuilder, weights: Weights, weightsOf: (g: GraphBuilder) => Weights) => void;
}

/** The key of the graph that decodes. */
export const DECODE = "decode";

/** How keys of graphs begin that decode in sections of blocks: together they are one graph's worth of weights. */
export const SECTION = "decode blocks";

/** How keys of graphs begin that decode several sequences at once. */
export const TOGETHER = "decode together";

/** How a device computes tokens of several sequences in one run. */
export interface Together {
  /** @param slots sequences at most */
  graph(config: ModelConfig, slots: number): GraphToLoad;
  /** See `stepTogether`. @param parts caches of this home */
  step(graph: LoadedGraph, feeds: Readonly<Record<string, Tensor>>, config: ModelConfig, parts: readonly BatchPart<KvCache>[], slots: number): Promise<Outputs>;
}

/** How a device takes prompts through the blocks in pieces. */
export interface InPieces {
  readonly way: () => PiecesWay;
  /** An empty cache. @param capacities tokens to make room for, by layer */
  empty(config: ModelConfig, capacities: readonly number[]): PieceableCache;
}

/** A cache that some blocks can be given their part of. */
export interface PieceableCache extends KvCache {
  part(from: number, to: number): KvCache;
}

/** A device's own memory. */
export interface DeviceMemory {
  /** Bytes that were free when the device was opened; null: it is this process's memory. */
  readonly limit: number | null;
  /** What a prompt takes of it. @param graphs that are loaded */
  plan(checkpoint: Checkpoint, plan: Plan, options: { readonly reserve: number; readonly graphs: number }): MemoryPlan;
}

/** Where a model runs and where its caches live: everything in which devices differ. */
export interface Home {
  readonly device: Provider;
  /** Attention of prompts. */
  attention(config: ModelConfig): AttentionKind;
  /** Memory that the device plans for itself; null or absent: as the CPU does, or unknown. */
  readonly memory?: DeviceMemory | null;
  /** Heads of spelled-out attention are apart, as the device's own operator wants them (see `attendApart`); default false. */
  readonly headsApart?: boolean;
  /** Works that a prompt is parted in, since its provider is stopped between two of them alone; default 1. */
  readonly works?: number;
  /** Pieces that spelled-out attention takes a long prompt in at least; absent: as memory wants it. */
  readonly pieces?: number;
  /** Caches may be ragged: heads of a layer hold different numbers of tokens. */
  readonly ragged: boolean;
  /** Evicted tokens are taken from the caches inside the prefill graph, not after it. */
  readonly evictsInGraph: boolean;
  /**
   * All outputs of a graph must be asked for: ONNX Runtime finds the place where an output is to stay by its number among
   * those asked for, so that with some left out others would go astray.
   */
  readonly takesAllOutputs: boolean;
  /** What activations are rounded to where they meet weights, unless asked otherwise. */
  readonly accuracy: Accuracy;
  /** What caches hold keys and values in, unless asked otherwise. */
  readonly kvDtype: KvDtype;
  /** Tables of weights are widened as a whole: the device may have no 16-bit numbers. */
  readonly wideTables: boolean;
  /** Whether all graphs hold one copy of the weights, as far as those lie in files as they are multiplied. Absent: each has its own. */
  readonly oneCopy?: () => boolean;
  /** Quantised weights are multiplied as the numbers that they stand for; absent: in their blocks. */
  readonly wideProducts?: boolean;
  /** Whether the device computes the graph of a key; absent: each. Others the CPU computes as it does its own. */
  readonly isThere?: (key: string) => boolean;
  /** Whether products of many rows may take 8-bit weights by output channel (see `exactIntegerProducts`); null or absent: never. */
  readonly byChannel?: (() => Promise<boolean>) | null;
  /** @param floats what the graph's activations are; default: float32 */
  builder(name: string, floats?: Floats): GraphBuilder;
  load(g: GraphBuilder, settings: Pick<SessionSettings, "threads" | "folder" | "onAside">): Promise<LoadedGraph>;
  /** Frees a loaded graph, caches that it made left usable. */
  release(session: LoadedGraph): Promise<void>;
  decode(config: ModelConfig, step: DecodeStep): GraphToLoad;
  /** Several sequences in one run; null or absent: each has runs of its own. */
  readonly together?: Together | null;
  /** Prompts in pieces; null or absent: they are taken as a whole. */
  readonly inPieces?: InPieces | null;
  /** Tokens that greedy decoding generates in one run, inside the graph (see `loopGraph`); null: a run for each token. */
  readonly loop: number | null;
  /**
   * The cache after prefill.
   * @param present positions of the tokens in each layer as the graph returned them
   * @param kept positions of the tokens that every layer is to hold; null: all that are present
   * @param reserve tokens to make room for beyond them
   */
  cache(config: ModelConfig, session: LoadedGraph, results: Outputs, present: readonly HeldPositions[], kept: Int32Array | null, reserve: number): KvCache | Promise<KvCache>;
}

/** The CPU: caches in this process's memory, which ONNX Runtime reads in place. */
export function hostHome(attention: AttentionKind = "fused", kvDtype: KvDtype = "fp32"): Home {
  return {
    device: "cpu",
    attention: () => attention,
    evictsInGraph: false,
    takesAllOutputs: false,
    accuracy: "int8",
    kvDtype,
    wideTables: false,
    byChannel: exactIntegerProducts,
    oneCopy: sharesWeights,
    builder: (name, floats) => new GraphBuilder(name, "fused", true, "", floats),
    load: (g, settings) => createSession(g, settings),
    ragged: true,
    decode: (config, { attention, ragged, inPlace }) => ({
      key: `${DECODE}${attention ? " attention" : ""}${ragged ? " ragged" : ""}`,
      build: (g, weights) => (inPlace && !attention && g.floats === "float32" && decodesInPlace(config, kvDtype) ? inPlaceGraph(g, weights, config, { ragged }) : decodeGraph(g, weights, config, { attention, kvDtype, ragged })),
    }),
    together: {
      graph: (config, slots) => ({ key: `${TOGETHER} ${slots}`, build: (g, weights) => batchGraph(g, weights, config, { slots, kvDtype }) }),
      step: (graph, feeds, config, parts, slots) => stepTogether(graph, feeds, config, parts as BatchPart<HostCache>[], { slots, kvDtype }),
    },
    inPieces: {
      way: () => (attention === "fused" && runsInPlace() ? "in place" : "beside"),
      empty: (config, capacities) => HostCache.empty(config, capacities, kvDtype),
    },
    loop: null,
    release: (session) => session.release(),
    cache: (config, _session, results, present, kept, reserve) => HostCache.fromPrefill(config, results, present, kept, reserve, kvDtype),
  };
}
