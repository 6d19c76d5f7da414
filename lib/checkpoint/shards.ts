import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tensorBytes, writeSafetensors, type TensorToWrite } from "./safetensors.js";
import { indexFile, weightsFile } from "./weights.js";

/** Largest file, in bytes, unless told otherwise. */
export const SHARD_BYTES = 4e9;

/** Writes one file, or several with an index when there are more than `shardBytes`, as the hub's checkpoints are cut. */
export async function writeShards(folder: string, tensors: readonly TensorToWrite[], metadata: Readonly<Record<string, string>>, shardBytes = SHARD_BYTES): Promise<void> {
  const shards: TensorToWrite[][] = [[]];
  let filled = 0;
  let total = 0;
  for (const tensor of tensors) {
    const bytes = tensorBytes(tensor);
    if (filled > 0 && filled + bytes > shardBytes) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push(tensor);
    filled += bytes;
    total += bytes;
  }
  if (shards.length === 1) return writeSafetensors(join(folder, weightsFile), tensors, metadata);
  const digits = (n: number) => String(n).padStart(5, "0");
  const map: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const file = `model-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`;
    await writeSafetensors(join(folder, file), shard, metadata);
    for (const { name } of shard) map[name] = file;
  }
  await writeFile(join(folder, indexFile), `${JSON.stringify({ metadata: { total_size: total }, weight_map: map }, null, 2)}\n`);
}
