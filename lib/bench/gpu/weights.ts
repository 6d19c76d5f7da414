import type { Checkpoint } from "../../checkpoint/types.js";
import type { Accuracy } from "../../decoder/checkpoint-weights.js";

/** Bytes of weights that one decode step reads: all but the embedding's other rows, in what they are multiplied in. Of models that are not quantised. */
export function decodedBytes({ config, tensors }: Checkpoint, accuracy: Accuracy): number {
  let elements = config.hiddenSize;
  for (const { name, shape } of tensors.values()) {
    if (name !== "model.embed_tokens.weight" || config.tiedEmbeddings) elements += shape.reduce((a, b) => a * b, 1);
  }
  return (accuracy === "float16" ? 2 : 4) * elements;
}
