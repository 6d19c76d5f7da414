import type { InferenceSession } from "onnxruntime-node";
import type { ModelConfig } from "../checkpoint/types.js";
import { activationBlock, activationNames, activationShape } from "../methods/plan/activations.js";
import type { Dim } from "../onnx/graph.js";
import type { UserMethod } from "../methods/method.js";
import { bytesOf, type CapturePlan } from "../methods/plan/capture.js";
import { schedule, tokensPerBlock } from "../methods/plan/stages.js";
import { resolveMethod } from "../methods/resolve.js";

/** An activation that can be captured. */
export interface ActivationInfo {
  readonly name: string;
  /** With `n` for the tokens present where no prompt length was given. */
  readonly shape: readonly Dim[];
  /** Bytes that capturing it takes; null where no prompt length was given. */
  readonly bytes: number | null;
}

/** An activation that was captured. */
export interface Activation {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** Original positions of the tokens along its token axis. */
  readonly positions: Int32Array;
}

export interface ActivationsOptions {
  /** Tokens of the prompt, for shapes and bytes. */
  readonly length?: number;
  /** Blocks after a pruning stage have fewer tokens; default `baseline`. */
  readonly preset?: string | UserMethod;
}

/** Every activation with its shape and cost. @throws on an unknown preset or a length that is no positive integer */
export function listActivations(config: ModelConfig, { length, preset = "baseline" }: ActivationsOptions = {}): ActivationInfo[] {
  const tokens = length === undefined ? null : tokensPerBlock(schedule(resolveMethod(preset), length, config.layers), length, config.layers);
  return activationNames(config).map((name) => {
    const { layer, part } = activationBlock(config, name);
    const shape = activationShape(config, part, tokens?.[layer ?? 0] ?? "n");
    return { name, shape, bytes: tokens ? bytesOf(shape as number[]) : null };
  });
}

/** @param positions of the tokens present in each block */
export function readCapture(config: ModelConfig, plan: CapturePlan, results: InferenceSession.OnnxValueMapType, positions: readonly Int32Array[]): Map<string, Activation> {
  return new Map(plan.names.map((name) => {
    const { layer, part } = activationBlock(config, name);
    const present = positions[layer ?? 0]!;
    return [name, { name, shape: activationShape(config, part, present.length) as number[], data: results[name]!.data as Float32Array, positions: present }];
  }));
}
