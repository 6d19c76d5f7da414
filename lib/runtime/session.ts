import { InferenceSession, type Tensor } from "onnxruntime-node";
import "./float16-tensors.js";
import type { Graph } from "../onnx/graph.js";

/** ONNX Runtime's execution providers that are used here. */
export type Provider = "cpu" | "webgpu" | "cuda";

/** What a graph gave: tensors by name. */
export type Outputs = InferenceSession.OnnxValueMapType;

/** A graph that is loaded and can be run, wherever that is. */
export interface LoadedGraph {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** @param wanted names of the outputs to give */
  run(feeds: Readonly<Record<string, Tensor>>, wanted: readonly string[]): Promise<Outputs>;
  release(): Promise<void>;
}

export interface SessionSettings {
  /** Threads for one operator; default: ONNX Runtime's choice, one a physical core. */
  readonly threads?: number | undefined;
  /** Folder that external data locations are relative to. */
  readonly folder?: string;
  /** Default `cpu`. What a provider cannot do, ONNX Runtime does on the CPU. */
  readonly provider?: Provider;
  /** Outputs of the graph that stay in buffers of the device (WebGPU alone can), by the start of their name. */
  readonly onDevice?: readonly string[];
}

/** Loads a graph. @throws where the provider or its device is not there */
export async function createSession(graph: Graph, settings: SessionSettings): Promise<InferenceSession> {
  // Writing protobuf takes a library of many modules, which nothing needs before the first graph.
  const { toOnnx } = await import("../onnx/serialize.js");
  return openSession(toOnnx(graph), graph.outputs.map(({ name }) => name), settings);
}

/** As `createSession`. @param onnx the graph as an ONNX model @param outputs names of its outputs */
export async function openSession(onnx: Uint8Array, outputs: readonly string[], { threads, folder, provider = "cpu", onDevice = [] }: SessionSettings): Promise<InferenceSession> {
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
  return InferenceSession.create(onnx, options);
}
