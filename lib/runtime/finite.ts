import { readFloatChunks } from "../checkpoint/safetensors.js";
import type { Checkpoint, ModelConfig, StoredTensor } from "../checkpoint/types.js";
import { activationBlock } from "../methods/plan/activations.js";
import { finiteNames, finiteOutput } from "../decoder/finite.js";
import type { Outputs } from "./session.js";

/** Whether all are numbers, infinities not among them: one pass, a fraction of a nanosecond each. */
export function allFinite(values: Float32Array): boolean {
  // Four sums, so that none waits for the one before it. Zero times what is finite is zero, times all else NaN.
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += values[i]! * 0;
    b += values[i + 1]! * 0;
    c += values[i + 2]! * 0;
    d += values[i + 3]! * 0;
  }
  for (let i = whole; i < values.length; i++) a += values[i]! * 0;
  return a + b + c + d === 0;
}

/** Where numbers first went wrong in a forward pass. */
export interface NotFinite {
  /** Of the activation, as it can be captured: `block.3.mlp.output`. */
  readonly name: string;
  /** Original position of the first token that has such a number there. */
  readonly position: number;
}

/**
 * The first activation that is not finite.
 * @param results of a graph that tells (see `outputFinite`)
 * @param positionsOf original positions of the tokens that a block sees
 */
export function firstNotFinite(config: ModelConfig, results: Outputs, positionsOf: (layer: number) => ArrayLike<number>): NotFinite | null {
  for (const name of finiteNames(config)) {
    const output = results[finiteOutput(name)];
    if (!output) continue;
    const told = output.data as Float32Array;
    const at = told.findIndex((value) => value !== 0);
    if (at < 0) continue;
    const positions = positionsOf(activationBlock(config, name).layer ?? 0);
    // What is of the last token alone has one entry.
    return { name, position: told.length === 1 ? positions[positions.length - 1]! : positions[at]! };
  }
  return null;
}

/** `block.3.mlp.output` -> `block 3 (mlp output)`. */
export function activationLabel(config: ModelConfig, name: string): string {
  const { layer, part } = activationBlock(config, name);
  return layer === null ? name : `block ${layer} (${part!.replace(".", " ")})`;
}

/**
 * The error for it, with the tensor that is to blame where one is: `block 3 (mlp output): not finite at token 5 (tensor … holds NaN)`.
 * @param advice what could be done where the weights are finite
 */
export async function notFiniteError(checkpoint: Checkpoint, { name, position }: NotFinite, advice = "its weights are finite: what it computes goes beyond float32"): Promise<Error> {
  const { config, tensors } = checkpoint;
  const { layer } = activationBlock(config, name);
  const prefix = layer === null ? "model.embed_" : `model.layers.${layer}.`;
  const wrong = await wrongTensor([...tensors.values()].filter((tensor) => tensor.name.startsWith(prefix)));
  return new Error(`${activationLabel(config, name)}: not finite, first at token ${position} (${wrong ?? advice})`);
}

/** The same where all blocks are finite and the logits are not. */
export async function logitsError({ config, tensors }: Checkpoint, logits: Float32Array, advice = "their weights are finite: they go beyond float32"): Promise<Error> {
  const id = logits.findIndex((value) => !Number.isFinite(value)) % config.vocabSize;
  const head = tensors.has("lm_head.weight") ? "lm_head." : "model.embed_tokens.";
  const wrong = await wrongTensor([...tensors.values()].filter(({ name }) => name.startsWith("model.norm.") || name.startsWith(head)));
  return new Error(`logits: ${logits.find((value) => !Number.isFinite(value))} for token id ${id}, after all blocks were finite (${wrong ?? advice})`);
}

/** The first tensor that holds what is not finite, in words; null: none does. */
async function wrongTensor(tensors: readonly StoredTensor[]): Promise<string | null> {
  for (const tensor of tensors) {
    const floats = tensor.quantization ? tensor.quantization.scales : tensor;
    if (floats.length === 0) continue;
    for await (const values of readFloatChunks(floats)) {
      if (!allFinite(values)) return `tensor ${floats.name} holds ${values.find((value) => !Number.isFinite(value))}`;
    }
  }
  return null;
}
