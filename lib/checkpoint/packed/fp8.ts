// Matrices of 8-bit floats with a scale for all of them, for each output, or for each block of outputs and inputs (DeepSeek's `weight_scale_inv`):
// they stay as they are, an element being the float times its scale. https://arxiv.org/abs/2412.19437, section 3.3
import type { StoredTensor } from "../types.js";
import { floatDtypes, wrongTensor } from "./weight.js";

export interface Fp8Settings {
  /** Outputs and inputs that share a scale, where the file says so. */
  readonly block: readonly [number, number] | null;
  readonly where: string;
}

/** The 8-bit float matrices with their scales joined to them, and what they are made of. @throws on a scale that is missing or does not fit */
export function fp8Weights(stored: ReadonlyMap<string, StoredTensor>, settings: Fp8Settings): { joined: Map<string, StoredTensor>; used: Set<string> } {
  const joined = new Map<string, StoredTensor>();
  const used = new Set<string>();
  for (const tensor of stored.values()) {
    if (!tensor.dtype.startsWith("F8_") || !tensor.name.endsWith(".weight")) continue;
    const scale = stored.get(`${tensor.name}_scale_inv`) ?? stored.get(`${tensor.name}_scale`);
    if (!scale) throw new Error(`tensor ${tensor.name}_scale: missing (${tensor.name} is ${tensor.dtype} and needs its scale: ${settings.where})`);
    if (tensor.shape.length !== 2) throw wrongTensor(tensor, "must be [out, in]");
    used.add(scale.name);
    joined.set(tensor.name, { ...tensor, scaling: { scale, block: blockOf(tensor, scale, settings) } });
  }
  return { joined, used };
}

function blockOf({ shape, name }: StoredTensor, scale: StoredTensor, { block, where }: Fp8Settings): readonly [number, number] {
  const [out, inputs] = shape as [number, number];
  const kinds: readonly (readonly [number, number])[] = [[out, inputs], [1, inputs], ...(block ? [block] : [])];
  const blocksIn = ([height, width]: readonly [number, number]) => [Math.ceil(out / height), Math.ceil(inputs / width)];
  const size = scale.shape.reduce((a, b) => a * b, 1);
  const fits = (kind: readonly [number, number]) => {
    const [rows, columns] = blocksIn(kind) as [number, number];
    return scale.shape.length === 2 ? scale.shape[0] === rows && scale.shape[1] === columns : size === rows * columns && columns === 1;
  };
  const found = kinds.find(fits);
  if (!found || !(floatDtypes as readonly string[]).includes(scale.dtype)) {
    throw wrongTensor(scale, `must be F32, F16 or BF16 ${kinds.map((kind) => `[${blocksIn(kind).join(", ")}]`).join(" or ")} for ${name} [${shape.join(", ")}]: ${where}`);
  }
  return found;
}
