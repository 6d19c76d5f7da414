import { InferenceSession, type Tensor } from "onnxruntime-node";
import type { Checkpoint, ModelConfig } from "../checkpoint/types.js";
import { lossGraph } from "../decoder/training.js";
import { toOnnx } from "../onnx/serialize.js";
import { activationLabel, allFinite, firstNotFinite } from "../runtime/finite.js";
import { Model } from "../runtime/model.js";
import type { TrainingState } from "./state.js";

/** Why a loss is not finite, of a model under training: the first parameter or activation that is not, in words. @param feeds of its training graph */
export async function trainingNotFinite(config: ModelConfig, { tensors }: Pick<TrainingState, "tensors">, feeds: Readonly<Record<string, Tensor>>): Promise<string> {
  const wrong = tensors.find(({ values }) => !allFinite(values));
  if (wrong) return `parameter ${wrong.name} holds ${wrong.values.find((value) => !Number.isFinite(value))}`;
  const [batch, length] = feeds["ids"]!.dims as [number, number];
  const session = await InferenceSession.create(toOnnx(lossGraph(config, tensors, batch, length, { finite: true })));
  try {
    const results = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, feeds[name]!])));
    const found = firstNotFinite(config, results, () => Array.from({ length }, (_, position) => position));
    return found ? `${activationLabel(config, found.name)} is not finite, first at token ${found.position}` : "every block is finite";
  } finally {
    await session.release();
  }
}

/** The error for something not finite that came of a frozen model: the model's own, with its first block, where that is to blame; else `error`. */
export async function frozenNotFinite(checkpoint: Checkpoint, ids: readonly number[], error: Error): Promise<Error> {
  const model = new Model(checkpoint);
  try {
    await model.prefill(ids, { reserve: 0 });
    return error;
  } catch (own) {
    return own as Error;
  } finally {
    await model.release();
  }
}
