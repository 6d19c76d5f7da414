import { existsSync } from "node:fs";
import { readFloats, readSafetensorsHeader, writeSafetensors, type TensorToWrite } from "../checkpoint/safetensors.js";
import { requiredTensors } from "../checkpoint/required.js";
import type { ModelConfig } from "../checkpoint/types.js";
import { Random } from "../random.js";
import { usesMuon, type TrainedTensor } from "./optimizer.js";

/** A training run between two steps. */
export interface TrainingState {
  step: number;
  /** Tokens seen. */
  tokens: number;
  /** Seconds of computing so far, over all calls. */
  seconds: number;
  readonly tensors: readonly TrainedTensor[];
}

/** Random weights: normal with deviation 0.02, the two projections back into the residual stream scaled by 1/sqrt(2 · layers). */
export function initialState(config: ModelConfig, seed: number): TrainingState {
  const random = new Random(seed);
  const tensors = requiredTensors(config).map(({ name, shape }) => {
    const deviation = /o_proj|down_proj/.test(name) ? 0.02 / Math.sqrt(2 * config.layers) : 0.02;
    const size = shape.reduce((a, b) => a * b, 1);
    const value = shape.length === 1 ? () => (name.endsWith(".bias") ? 0 : 1) : () => deviation * random.normal();
    return trained(name, shape, Float32Array.from({ length: size }, value));
  });
  return { step: 0, tokens: 0, seconds: 0, tensors };
}

function trained(name: string, shape: readonly number[], values: Float32Array): TrainedTensor {
  const variance = new Float32Array(usesMuon(name, shape) ? 0 : values.length);
  return { name, shape, values, momentum: new Float32Array(values.length), variance };
}

/** Writes the whole state, atomically: a run killed at any moment goes on from its last save. */
export async function saveState(file: string, state: TrainingState): Promise<void> {
  const parts = (["values", "momentum", "variance"] as const).flatMap((part) =>
    state.tensors.map((tensor): TensorToWrite => ({
      name: `${part}/${tensor.name}`,
      dtype: "F32",
      shape: part === "variance" && tensor.variance.length === 0 ? [0] : tensor.shape,
      data: tensor[part],
    })),
  );
  const { step, tokens, seconds } = state;
  await writeSafetensors(file, parts, { step: String(step), tokens: String(tokens), seconds: String(seconds) });
}

/** The saved state, or a fresh one where there is none. @throws when the file is of a model of another shape */
export async function loadState(file: string, config: ModelConfig, seed: number): Promise<TrainingState> {
  const state = initialState(config, seed);
  if (!existsSync(file)) return state;
  const header = await readSafetensorsHeader(file);
  for (const tensor of state.tensors) {
    for (const part of ["values", "momentum", "variance"] as const) {
      const stored = header.tensors.get(`${part}/${tensor.name}`);
      const target = tensor[part];
      if (!stored || stored.shape.reduce((a, b) => a * b, 1) !== target.length) {
        throw new Error(`${file}: ${part}/${tensor.name} is missing or of another shape (is this the run of another model?)`);
      }
      target.set(await readFloats(stored));
    }
  }
  const number = (key: string) => Number(header.metadata[key] ?? NaN);
  return { step: number("step"), tokens: number("tokens"), seconds: number("seconds"), tensors: state.tensors };
}
