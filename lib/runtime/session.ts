import { InferenceSession, type Tensor } from "onnxruntime-node";
import { unlessAborted } from "../ambient-signal.js";
import type { Graph } from "../onnx/graph.js";
import { backend } from "./c-api/backend.js";
import "./float16-tensors.js";
import type { LoadedGraph, Outputs, RunOptions } from "./loaded-graph.js";
import type { ChosenProvider } from "./c-api/provider.js";
import type { PluginName } from "./providers/names.js";
import { serialized, type SerializedGraph } from "./serialized-graph.js";

export type { LoadedGraph, Outputs, RunOptions } from "./loaded-graph.js";

/** ONNX Runtime's execution providers that are used here: its own, and those of plugins. */
export type Provider = BuiltIn | PluginName;

/** Those of onnxruntime-node. */
export type BuiltIn = "cpu" | "webgpu" | "cuda";

export interface SessionSettings {
  /** Threads for one operator; default: ONNX Runtime's choice, one a physical core. */
  readonly threads?: number | undefined;
  /** Folder that external data locations are relative to. */
  readonly folder?: string | undefined;
  /** Default `cpu`. What a provider cannot do, ONNX Runtime does on the CPU. */
  readonly provider?: BuiltIn;
  /** A plugin's provider instead, called by ONNX Runtime's C API. */
  readonly plugin?: ChosenProvider;
  /** Outputs of the graph that stay in buffers of the device (WebGPU alone can), by the start of their name. */
  readonly onDevice?: readonly string[];
  /** Load it while this thread does other work, where ONNX Runtime's C API loads it: called when that has begun. Absent: in this thread. */
  readonly onAside?: (() => void) | undefined;
}

/** Loads a graph. @throws where the provider or its device is not there */
export async function createSession(graph: Graph, settings: SessionSettings): Promise<LoadedGraph> {
  return openSession(await serialized(graph), settings);
}

/**
 * As `createSession`: on the CPU by ONNX Runtime's C API where that is used here (see `backend`), else by onnxruntime-node's binding.
 * There all graphs hold one copy of the weights that lie in files of one folder.
 */
export async function openSession({ onnx, outputs, weights }: SerializedGraph, settings: SessionSettings): Promise<LoadedGraph> {
  const { threads, folder, provider = "cpu", plugin, onAside } = settings;
  if (plugin) return (await import("./providers/session.js")).openPluginSession(onnx, plugin, { threads, folder });
  const { library } = provider === "cpu" ? await backend() : { library: null };
  if (!library) return BindingSession.open(onnx, outputs, settings);
  const { CApiSession } = await import("./c-api/session.js");
  return CApiSession.open(library, onnx, { threads, folder, weights, onAside });
}

/** A graph that onnxruntime-node's binding loaded: its runs block this thread's event loop and cannot be stopped. */
class BindingSession implements LoadedGraph {
  private constructor(private readonly session: InferenceSession) {}

  static async open(onnx: Uint8Array, outputs: readonly string[], { threads, folder, provider = "cpu", onDevice = [] }: SessionSettings): Promise<BindingSession> {
    const options: InferenceSession.SessionOptions = {
      executionProviders: [provider],
      graphOptimizationLevel: "all",
      // Lengths differ from run to run: a memory pattern would be planned anew for each and never used again.
      enableMemPattern: false,
      // ONNX Runtime's warnings speak of its own optimiser, not of anything a user could change.
      logSeverityLevel: 3,
    };
    const stay = outputs.filter((name) => onDevice.some((start) => name.startsWith(start)));
    if (stay.length > 0) options.preferredOutputLocation = Object.fromEntries(stay.map((name) => [name, "gpu-buffer"]));
    if (threads !== undefined) options.intraOpNumThreads = threads;
    if (folder !== undefined) options.extra = { session: { model_external_initializers_file_folder_path: folder } };
    return new BindingSession(await InferenceSession.create(onnx, options));
  }

  get inputNames(): readonly string[] {
    return this.session.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.session.outputNames;
  }

  async run(feeds: Readonly<Record<string, Tensor>>, wanted: readonly string[] = this.outputNames, { signal, into }: RunOptions = {}): Promise<Outputs> {
    const results = await unlessAborted(this.session.run(feeds, wanted), signal);
    if (!into) return results;
    // The binding writes outputs into arrays of its own only.
    for (const [name, { data }] of Object.entries(into)) (data as Float32Array).set(results[name]!.data as Float32Array);
    return Object.fromEntries(Object.entries(results).filter(([name]) => !(name in into)));
  }

  release(): Promise<void> {
    return this.session.release();
  }
}
