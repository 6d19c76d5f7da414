import { Tensor } from "onnxruntime-node";
import type { ModelConfig } from "../checkpoint/types.js";
import type { Example } from "./examples.js";
import { rotaryFeeds } from "./feeds.js";

/** Whose next-token loss counts: the response's tokens, or all but the first. */
export const lossKinds = ["response", "all"] as const;
export type LossKind = (typeof lossKinds)[number];

/** An example as inputs of a graph made with `frozenModel` and `textLoss`; the loss is the mean over the tokens that count. */
export function exampleFeeds(config: ModelConfig, { ids, promptLength }: Example, loss: LossKind): Record<string, Tensor> {
  const first = loss === "response" ? promptLength : 1;
  const count = ids.length - first;
  const big = (values: readonly number[]) => BigInt64Array.from(values, BigInt);
  return {
    ids: new Tensor("int64", big(ids), [1, ids.length]),
    ...rotaryFeeds(config, ids.length),
    rows: new Tensor("int64", BigInt64Array.from({ length: count }, (_, i) => BigInt(first - 1 + i)), [count]),
    targets: new Tensor("int64", big(ids.slice(first)), [count, 1]),
    loss_weights: new Tensor("float32", new Float32Array(count).fill(1 / count), [count, 1]),
  };
}
