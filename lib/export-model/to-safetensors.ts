import { existsSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { definitions } from "../checkpoint/families/index.js";
import { requiredTensors } from "../checkpoint/required.js";
import { writeShards } from "../checkpoint/shards.js";
import type { TensorToWrite } from "../checkpoint/safetensors.js";
import type { Checkpoint, StoredTensor } from "../checkpoint/types.js";
import { writeCompanions } from "./companions.js";
import type { ExportDtype } from "./options.js";
import { requireHalf, weightValues } from "./values.js";

/** Writes a Hugging Face folder: config.json, model.safetensors or shards with their index, tokenizer, pruning modules where there are. @returns notes */
export async function toSafetensors(checkpoint: Checkpoint, folder: string, dtype: ExportDtype, count: (elements: number) => void): Promise<string[]> {
  const { config } = checkpoint;
  // Their files hold fused or turned matrices under other names.
  if (definitions[config.family].source) throw new Error(`export: ${config.family} to safetensors (supported: families whose files have llama's names)`);
  const stored = ({ fp32: "F32", fp16: "F16", bf16: "BF16" } as const)[dtype as "fp32" | "fp16" | "bf16"];
  const notes = await writeCompanions(checkpoint, folder, { torch_dtype: { fp32: "float32", fp16: "float16", bf16: "bfloat16" }[dtype as "fp32"], dtype: undefined });
  const tensors = requiredTensors(config).map(({ name, shape }): TensorToWrite => ({
    name, shape, dtype: stored, data: () => counted(checkpoint.tensors.get(name)!, dtype, count),
  }));
  await writeShards(folder, tensors, { format: "pt" });
  const modules = join(checkpoint.folder, "pruner.safetensors");
  if (existsSync(modules)) await copyFile(modules, join(folder, "pruner.safetensors"));
  return notes;
}

async function* counted(stored: StoredTensor, dtype: ExportDtype, count: (elements: number) => void): AsyncGenerator<Float32Array> {
  for await (const values of weightValues(stored)) {
    if (dtype === "fp16") requireHalf(stored.name, values);
    yield values;
    count(values.length);
  }
}
