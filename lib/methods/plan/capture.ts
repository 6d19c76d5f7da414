import { formatBytes } from "../../checkpoint/free-space.js";
import type { ModelConfig } from "../../checkpoint/types.js";
import { activationBlock, activationShape, scoreActivations } from "./activations.js";

/** Bytes that one prefill may capture unless told otherwise. */
export const CAPTURE_LIMIT = 2 ** 30;

/** What is to be captured, checked before anything runs. */
export interface CapturePlan {
  readonly names: readonly string[];
  /** Part of a graph's key: layers that need their attention spelled out make it another graph. */
  readonly key: string;
}

/**
 * @param tokens that each block computes on
 * @param limit bytes; what the run returns counts, of which ONNX Runtime holds as much again until it is copied
 * @throws on an unknown name, or above the limit, with the costliest activation named
 */
export function planCapture(config: ModelConfig, names: readonly string[], tokens: readonly number[], limit = CAPTURE_LIMIT): CapturePlan {
  if (!(limit >= 0)) throw new Error(`capture limit: ${limit} (must be a number of bytes)`);
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

/** Of a tensor of float32. */
export function bytesOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, Float32Array.BYTES_PER_ELEMENT);
}
