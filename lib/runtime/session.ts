import { InferenceSession } from "onnxruntime-node";
import type { Graph } from "../onnx/graph.js";
import { toOnnx } from "../onnx/serialize.js";

/** ONNX Runtime's execution providers that are used here. */
export type Provider = "cpu" | "webgpu" | "cuda";

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
export async function createSession(graph: Graph, { threads, folder, provider = "cpu", onDevice = [] }: SessionSettings): Promise<InferenceSession> {
  const options: InferenceSession.SessionOptions = {
    executionProviders: [provider],
    graphOptimizationLevel: "all",
    // Lengths differ from run to run: a memory pattern would be planned anew for each and never used again.
    enableMemPattern: false,
    // ONNX Runtime's warnings speak of its own optimiser, not of anything a user could change.
    logSeverityLevel: 3,
  };
  const stay = graph.outputs.filter(({ name }) => onDevice.some((start) => name.startsWith(start)));
  if (stay.length > 0) options.preferredOutputLocation = Object.fromEntries(stay.map(({ name }) => [name, "gpu-buffer"]));
  if (threads !== undefined) options.intraOpNumThreads = threads;
  if (folder !== undefined) options.extra = { session: { model_external_initializers_file_folder_path: folder } };
  return InferenceSession.create(toOnnx(graph), options);
}
