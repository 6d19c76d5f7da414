import { existsSync } from "node:fs";
import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { readJsonObject } from "./json.js";
import { requiredTensors } from "./required.js";
import { readSafetensorsHeader } from "./safetensors.js";
import type { ModelConfig, StoredTensor } from "./types.js";

/** Names of the weight files that a model folder may have. */
export const weightsFile = "model.safetensors";
export const indexFile = "model.safetensors.index.json";
const torchFiles = ["pytorch_model.bin", "pytorch_model.pt", "model.pt"];
const torchIndex = "pytorch_model.bin.index.json";

export interface Weights {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** `__metadata__` of the (first) file. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads the headers of a folder's weights: model.safetensors, or else the shards of model.safetensors.index.json, or else the same
 * in PyTorch's format (pytorch_model.bin, or shards with pytorch_model.bin.index.json).
 * @throws on a missing or broken file or shard, and on a tensor that its shard does not hold
 */
export async function readWeights(folder: string): Promise<Weights> {
  const files = await readdir(folder);
  if (files.includes(weightsFile)) return readSafetensorsHeader(join(folder, weightsFile));
  if (files.includes(indexFile)) return readShards(folder, indexFile, /^[^/\\]+\.safetensors$/, readSafetensorsHeader);
  const single = torchFiles.find((file) => files.includes(file));
  if (single !== undefined) return readTorchHeader(join(folder, single));
  if (files.includes(torchIndex)) return readShards(folder, torchIndex, /^[^/\\]+\.(bin|pt)$/, readTorchHeader);
  throw noWeights(folder, files);
}

/** Links are followed, as for safetensors. */
async function readTorchHeader(file: string): Promise<Weights> {
  const { indexTorch } = await import("./torch.js");
  return { tensors: await indexTorch(await realpath(file)), metadata: {} };
}

async function readShards(folder: string, index: string, pattern: RegExp, read: (file: string) => Promise<Weights>): Promise<Weights> {
  const path = join(folder, index);
  const { weight_map: map } = await readJsonObject(path);
  if (typeof map !== "object" || map === null || Array.isArray(map)) throw new Error(`${path}: weight_map: ${JSON.stringify(map) ?? "missing"} (must be an object: tensor -> file)`);
  const entries = Object.entries(map as Record<string, unknown>);
  if (entries.length === 0) throw new Error(`${path}: weight_map: empty (must name a file for each tensor)`);
  const shards = new Map<string, Weights>();
  const tensors = new Map<string, StoredTensor>();
  for (const [name, file] of entries) {
    if (typeof file !== "string" || !pattern.test(file)) {
      throw new Error(`${path}: weight_map: ${name}: ${JSON.stringify(file)} (must be a ${index === indexFile ? ".safetensors" : ".bin"} file in the same folder)`);
    }
    let shard = shards.get(file);
    if (!shard) {
      if (!existsSync(join(folder, file))) throw new Error(`shard: ${file} is missing in ${folder} (${index} names it, for ${name})`);
      shards.set(file, (shard = await read(join(folder, file))));
    }
    const tensor = shard.tensors.get(name);
    if (!tensor) throw new Error(`tensor ${name}: not in ${join(folder, file)} (where ${index} has it)`);
    tensors.set(name, tensor);
  }
  return { tensors, metadata: shards.values().next().value!.metadata };
}

function noWeights(folder: string, files: readonly string[]): Error {
  const others = files.filter((file) => /\.(bin|gguf|pth|pt|ckpt|h5|onnx|safetensors)$/i.test(file));
  const found = others.length > 0 ? `has only ${others.join(", ")}` : "has no weights";
  return new Error(`weights: ${folder} ${found} (supported: ${weightsFile}, ${torchFiles[0]}, or shards with ${indexFile} or ${torchIndex})`);
}

/**
 * Checks that every tensor a model of this shape needs is there, with its shape and a supported dtype.
 * @param folder named in errors
 */
export function checkTensors(config: ModelConfig, tensors: ReadonlyMap<string, StoredTensor>, folder: string): void {
  for (const { name, shape } of requiredTensors(config)) {
    const tensor = tensors.get(name);
    const expected = `[${shape.join(", ")}]`;
    if (!tensor) throw new Error(`tensor ${name}: missing in ${folder} (must be there with shape ${expected})`);
    if (tensor.shape.length !== shape.length || tensor.shape.some((size, axis) => size !== shape[axis])) {
      throw new Error(`tensor ${name}: shape [${tensor.shape.join(", ")}] in ${tensor.file} (config.json makes it ${expected})`);
    }
    if (!tensor.quantization && !tensor.scaling && !["F32", "F16", "BF16"].includes(tensor.dtype)) {
      throw new Error(`tensor ${name}: dtype ${tensor.dtype} in ${tensor.file} (supported: F32, F16, BF16)`);
    }
  }
}
