// Checkpoints whose weights are made of the tensors' names, as reference.py makes them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSafetensorsFile, type TensorToWrite } from "../storage.js";

/** Numbers in [-1, 1): a hash of the name (FNV-1a) and the place (murmur3's finalizer). */
function uniform(name: string, count: number): Float64Array {
  let seed = 2166136261;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 16777619);
  return Float64Array.from({ length: count }, (_, i) => {
    let h = (seed + Math.imul(i, 0x9e3779b9)) | 0;
    h ^= h >>> 16;
    h = Math.imul(h, 0x85ebca6b);
    h ^= h >>> 13;
    h = Math.imul(h, 0xc2b2ae35);
    h ^= h >>> 16;
    return (h >>> 0) / 2 ** 31 - 1;
  });
}

/** Norms near 1 (or 0 where the model adds 1), everything else so that activations stay near 1. @param zeroCentred the model adds 1 to the weights of norms */
export function weights(name: string, shape: readonly number[], zeroCentred: boolean): Float64Array {
  const u = uniform(name, shape.reduce((a, b) => a * b, 1));
  const values = (offset: number, factor: number) => u.map((value) => Math.fround(offset + factor * value));
  if ((/(norm|ln_[12f])(\.weight|s\.\d+\.weight|.*layernorm\.weight)$/.test(name) && shape.length === 1) || /[qk]_norm\.weight$/.test(name)) return values(zeroCentred ? 0 : 1, 0.3);
  if (name.endsWith(".bias")) return values(0, 0.3);
  if (/_bias$|sinks$/.test(name)) return values(0, name.endsWith("sinks") ? 1.5 : 0.5);
  if (/embed|wte|wpe/.test(name)) return values(0, zeroCentred ? 0.3 : 1.7);
  const gain = /([qk]_proj|qkv_proj|query_key_value|c_attn)\.weight$/.test(name) ? 2.5 : 1.7;
  return u.map((value) => Math.fround((gain * value) / Math.sqrt(shape[1]!)));
}

/** Tensors in the place of one. */
export type Split = (tensor: TensorToWrite) => readonly TensorToWrite[];

export interface HashedCheckpoint {
  /** A new temporary folder; `remove` it when done. */
  readonly folder: string;
  remove(): void;
}

/**
 * Writes config.json and model.safetensors.
 * @param tensors shapes by name, `.*.` standing for every layer @param rename what a tensor is called in the file
 */
export function hashedCheckpoint(config: Readonly<Record<string, unknown>>, layers: number, tensors: Readonly<Record<string, readonly number[]>>, rename = (name: string) => name, split: Split = (tensor) => [tensor]): HashedCheckpoint {
  const text = String((config["text_config"] as Record<string, unknown> | undefined)?.["model_type"] ?? config["model_type"]);
  const all = Object.entries(tensors).flatMap(([pattern, shape]) =>
    (pattern.includes(".*.") ? Array.from({ length: layers }, (_, layer) => pattern.replace(".*.", `.${layer}.`)) : [pattern]).map((name): TensorToWrite =>
      ({ name: rename(name), shape: [...shape], values: weights(name, shape, text.startsWith("gemma")), dtype: "F32" })));
  const folder = mkdtempSync(join(tmpdir(), "sdtp-family-"));
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeSafetensorsFile(join(folder, "model.safetensors"), all.flatMap(split), { format: "pt" });
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
