import { InferenceSession } from "onnxruntime-node";
import type { Graph } from "../onnx/graph.js";
import { toOnnx } from "../onnx/serialize.js";

export interface SessionSettings {
  /** Threads for one operator; default: ONNX Runtime's choice, one a physical core. */
  readonly threads?: number | undefined;
  /** Folder that external data locations are relative to. */
  readonly folder?: string;
}

/** Loads a graph for the CPU. */
export async function createSession(graph: Graph, { threads, folder }: SessionSettings): Promise<InferenceSession> {
  const options: InferenceSession.SessionOptions = {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    // Lengths differ from run to run: a memory pattern would be planned anew for each and never used again.
    enableMemPattern: false,
    // ONNX Runtime's warnings speak of its own optimiser, not of anything a user could change.
    logSeverityLevel: 3,
  };
  if (threads !== undefined) options.intraOpNumThreads = threads;
  if (folder !== undefined) options.extra = { session: { model_external_initializers_file_folder_path: folder } };
  return InferenceSession.create(toOnnx(graph), options);
}
