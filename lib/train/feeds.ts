import { Tensor } from "onnxruntime-node";
import type { ModelConfig } from "../checkpoint/types.js";
import { RotaryTables } from "../decoder/rotary.js";
import { rotaryFeeds as feedsOf } from "../runtime/rotary-feeds.js";
import type { TrainingState } from "./state.js";

/** The parameters as inputs of a training graph. */
export function parameterFeeds(state: Pick<TrainingState, "tensors">): Record<string, Tensor> {
  return Object.fromEntries(state.tensors.map(({ name, values, shape }) => [name, new Tensor("float32", values, [...shape])]));
}

/** `cos` and `sin` for positions 0 … length - 1; nothing where positions are not rotary. */
export function rotaryFeeds(config: ModelConfig, length: number): Record<string, Tensor> {
  return feedsOf(new RotaryTables(config).prompt(length));
}
