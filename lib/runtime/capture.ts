import type { InferenceSession } from "onnxruntime-node";
import { formatBytes } from "../checkpoint/free-space.js";
import type { ModelConfig } from "../checkpoint/types.js";
import { activationBlock, activationNames, activationShape, scoreActivations } from "../methods/plan/activations.js";
import type { Dim } from "../onnx/graph.js";
import { resolvePreset, schedule, tokensPerBlock, type Stage, type UserPreset } from "../methods/plan/stages.js";

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
  readonly preset?: string | UserPreset;
}

/** Bytes that one prefill may capture unless told otherwise. */
export const CAPTURE_LIMIT = 2 ** 30;

/** Every activation with its shape and cost. @throws on an unknown preset or a length that is no positive integer */
export function listActivations(config: ModelConfig, { length, preset = "baseline" }: ActivationsOptions = {}): ActivationInfo[] {
  const tokens = length === undefined ? null : tokensPerBlock(schedule(resolvePreset(preset), length, config.layers), length, config.layers);
  return activationNames(config).map((name) => {
    const { layer, part } = activationBlock(config, name);
    const shape = activationShape(config, part, tokens?.[layer ?? 0] ?? "n");
    return { name, shape, bytes: tokens ? bytesOf(shape as number[]) : null };
  });
}

/** What is to be captured, checked before anything runs. */
export interface CapturePlan {
  readonly names: readonly string[];
  /** Part of a graph's key: layers that need their attention spelled out make it another graph. */
  readonly key: string;
}

/**
 * @param limit bytes; what the run returns counts, of which ONNX Runtime holds as much again until it is copied
 * @throws on an unknown name, or above the limit, with the costliest activation named
 */
export function planCapture(config: ModelConfig, names: readonly string[], stages: readonly Stage[], n: number, limit = CAPTURE_LIMIT): CapturePlan {
  if (!(limit >= 0)) throw new Error(`capture limit: ${limit} (must be a number of bytes)`);
  const tokens = tokensPerBlock(stages, n, config.layers);
  const unique = [...new Set(names)];
  const costs = unique.map((name) => {
    const { layer, part } = activationBlock(config, name);
    return { name, bytes: bytesOf(activationShape(config, part, tokens[layer ?? 0]!) as number[]) };
  });
  const total = costs.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > limit) {
    const most = costs.reduce((a, b) => (b.bytes > a.bytes ? b : a));
    const quadratic = scoreActivations.some((part) => most.name.endsWith(part)) ? ", quadratic in the prompt's length" : "";
    throw new Error(`capture: ${formatBytes(total)} for ${unique.length} ${unique.length === 1 ? "activation" : "activations"} (the limit is ${formatBytes(limit)}, set by captureLimit in bytes; ${most.name} alone takes ${formatBytes(most.bytes)}${quadratic})`);
  }
  return { names: unique, key: unique.join(",") };
}

/** @param positions of the tokens present in each block */
export function readCapture(config: ModelConfig, plan: CapturePlan, results: InferenceSession.OnnxValueMapType, positions: readonly Int32Array[]): Map<string, Activation> {
  return new Map(plan.names.map((name) => {
    const { layer, part } = activationBlock(config, name);
    const present = positions[layer ?? 0]!;
    return [name, { name, shape: activationShape(config, part, present.length) as number[], data: results[name]!.data as Float32Array, positions: present }];
  }));
}

function bytesOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, Float32Array.BYTES_PER_ELEMENT);
}
