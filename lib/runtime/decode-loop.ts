import { Tensor } from "onnxruntime-node";
import type { ModelConfig } from "../checkpoint/types.js";
import { isMaskedForOne } from "../decoder/decode-loop.js";
import type { RotaryTables } from "../decoder/rotary.js";
import { layerKv, type HostCache } from "./host-cache.js";
import { rotaryFeeds } from "./rotary-feeds.js";
import type { LoadedGraph } from "./session.js";
import { int64 } from "./int64.js";

export interface LoopStart {
  /** Logits that the first token is chosen by, `[vocabulary]`. */
  readonly logits: Float32Array;
  /** Its position. */
  readonly position: number;
  /** Most tokens to generate. */
  readonly steps: number;
  /** Ids after which it ends; the token itself is generated. */
  readonly stops: readonly number[];
}

export interface LoopEnd {
  readonly tokens: number[];
  /** After the last token, `[vocabulary]`. */
  readonly logits: Float32Array;
}

/** Greedy generation in one run of the loop graph (see `loopGraph`). The cache grows by the tokens generated; it must hold what the graph computes in. */
export async function runLoop(graph: LoadedGraph, config: ModelConfig, rotaries: RotaryTables, cache: HostCache, { logits, position, steps, stops }: LoopStart): Promise<LoopEnd> {
  const { kvHeads, headDim, vocabSize } = config;
  const feeds: Record<string, Tensor> = {
    steps: new Tensor("int64", BigInt64Array.of(BigInt(steps)), []),
    running: new Tensor("bool", Uint8Array.of(1), []),
    "logits.before": new Tensor("float32", logits, [1, vocabSize]),
    position: new Tensor("int64", BigInt64Array.of(BigInt(position)), [1]),
    stops: int64(stops.length > 0 ? stops : [-1]),
  };
  Object.assign(feeds, rotaryFeeds(rotaries.steps(position, steps)));
  cache.layers.forEach((layer, l) => {
    if (layer.kvDtype === "int8") throw new Error("loop: caches in int8 (must be fp32, or fp16 where that is computed in)");
    const half = layer.kvDtype === "fp16";
    for (const part of ["key", "value"] as const) {
      const all = new (half ? Uint16Array : Float32Array)(kvHeads * layer.length * headDim);
      for (let head = 0; head < kvHeads; head++) all.set(layer.stored(part, head).elements, head * layer.length * headDim);
      feeds[`past_${part}.${l}`] = new Tensor(half ? "float16" : "float32", all as Float32Array, [1, kvHeads, layer.length, headDim]);
    }
    if (isMaskedForOne(config)) feeds[`past_slots.${l}`] = int64(layer.positions);
  });
  const results = await graph.run(feeds, graph.outputNames);
  const tokens = Array.from(results["tokens"]!.data as BigInt64Array, Number);
  const positions = tokens.map((_, i) => position + i);
  cache.layers.forEach((layer, l) => {
    const { length } = layer;
    const rows = Int32Array.from(tokens, (_, i) => length + i);
    layer.append(layerKv(results, l), length + tokens.length, positions, rows);
  });
  return { tokens, logits: results["logits"]!.data as Float32Array };
}
