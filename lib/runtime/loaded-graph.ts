import type { InferenceSession, Tensor } from "onnxruntime-node";

/** What a graph gave: tensors by name. */
export type Outputs = InferenceSession.OnnxValueMapType;

export interface RunOptions {
  /** Arrays that outputs are written into, by name, of the type and shape that these have. They are not among what is given. */
  readonly into?: Readonly<Record<string, Tensor>> | undefined;
  /**
   * Ends a run with the signal's reason: where ONNX Runtime's C API runs it, when it has stopped, between two operators; elsewhere the run
   * goes on for nobody.
   */
  readonly signal?: AbortSignal | undefined;
}

/** A graph that is loaded and can be run, wherever that is. */
export interface LoadedGraph {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** @param wanted names of the outputs to give; default: all */
  run(feeds: Readonly<Record<string, Tensor>>, wanted?: readonly string[], options?: RunOptions): Promise<Outputs>;
  /** Frees it, when the runs under way are over. */
  release(): Promise<void>;
}
