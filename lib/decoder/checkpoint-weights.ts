import { dirname, relative, sep } from "node:path";
import type { Checkpoint, StoredTensor } from "../checkpoint/types.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Dtype, Value } from "../onnx/graph.js";
import type { Weights } from "./weights.js";

const dtypes: Partial<Record<StoredTensor["dtype"], Dtype>> = { F32: "float32", F16: "float16", BF16: "bfloat16", F64: "float64" };

/**
 * Weights that stay in the checkpoint's own files: each becomes an initializer that refers to its bytes,
 * behind a cast to float32 where it is stored otherwise (ONNX Runtime folds the cast when it loads the graph).
 */
export function checkpointWeights(g: GraphBuilder, checkpoint: Checkpoint): Weights {
  const folder = weightsFolder(checkpoint);
  const values = new Map<string, Value>();
  const find = (name: string): Value | null => {
    const known = values.get(name);
    if (known) return known;
    const stored = checkpoint.tensors.get(name);
    if (!stored) return null;
    const dtype = dtypes[stored.dtype];
    if (!dtype) throw new Error(`weight ${name}: dtype ${stored.dtype} (must be F32, F16, BF16 or F64)`);
    const location = relative(folder, stored.file).split(sep).join("/");
    const value = g.cast(g.external(name, dtype, stored.shape, location, stored.offset, stored.length), "float32");
    values.set(name, value);
    return value;
  };
  return {
    find,
    get(name) {
      const value = find(name);
      if (!value) throw new Error(`${checkpoint.folder}: tensor ${name} is missing`);
      return value;
    },
  };
}

/** The folder that ONNX Runtime must take as the root of external data: the nearest one that holds all files. */
export function weightsFolder(checkpoint: Checkpoint): string {
  const folders = [...new Set([...checkpoint.tensors.values()].map(({ file }) => dirname(file)))];
  let common = (folders[0] ?? checkpoint.folder).split(sep);
  for (const folder of folders) {
    const parts = folder.split(sep);
    let shared = 0;
    while (shared < common.length && common[shared] === parts[shared]) shared++;
    common = common.slice(0, shared);
  }
  return common.join(sep) || sep;
}
