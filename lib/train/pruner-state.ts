import { existsSync } from "node:fs";
import { readFloats, readSafetensorsHeader, writeSafetensors, type TensorToWrite } from "../checkpoint/safetensors.js";
import type { ModelConfig } from "../checkpoint/types.js";
import { prunerParameters } from "../decoder/pruner-training.js";
import type { ModuleInputs } from "../methods/module.js";
import { Random } from "../random.js";
import type { TrainedTensor } from "./optimizer.js";

/** The pruning modules under training, between two steps. */
export interface PrunerState {
  step: number;
  readonly tensors: readonly TrainedTensor[];
}

const parts = ["values", "momentum", "variance"] as const;

/** Weights and biases uniform within 1/sqrt(inputs), as PyTorch initialises a linear layer. */
export function initialPruner(config: Pick<ModelConfig, "hiddenSize">, blocks: readonly number[], inputs: ModuleInputs, seed: number): PrunerState {
  const tensors = prunerParameters(config, blocks, inputs).map(({ name, shape }, index): TrainedTensor => {
    const random = new Random(seed, index);
    const inputs = name.includes(".scorer.2.") ? Math.max(1, Math.floor(config.hiddenSize / 4)) : config.hiddenSize;
    const bound = 1 / Math.sqrt(inputs);
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: size }, () => bound * (2 * random.next() - 1));
    return { name, shape, values, momentum: new Float32Array(size), variance: new Float32Array(size) };
  });
  return { step: 0, tensors };
}

/** @param fingerprint stands for everything that decides the run: a state of another run is not taken up */
export async function savePrunerState(file: string, state: PrunerState, fingerprint: string): Promise<void> {
  const tensors = parts.flatMap((part) => state.tensors.map((tensor): TensorToWrite => ({ name: `${part}/${tensor.name}`, dtype: "F32", shape: tensor.shape, data: tensor[part] })));
  await writeSafetensors(file, tensors, { step: String(state.step), fingerprint });
}

/** Fills `state` from the saved one, where there is one. @throws where it is of another run */
export async function loadPrunerState(file: string, state: PrunerState, fingerprint: string): Promise<void> {
  if (!existsSync(file)) return;
  const { tensors, metadata } = await readSafetensorsHeader(file);
  if (metadata["fingerprint"] !== fingerprint) {
    throw new Error(`pruner run: ${file} (is of a run with another model, data or settings: delete it, or choose another folder)`);
  }
  for (const tensor of state.tensors) {
    for (const part of parts) {
      const stored = tensors.get(`${part}/${tensor.name}`);
      if (!stored) throw new Error(`${file}: ${part}/${tensor.name} is missing`);
      tensor[part].set(await readFloats(stored));
    }
  }
  state.step = Number(metadata["step"]);
}
