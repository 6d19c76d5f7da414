// Matrices that several families keep several projections in.
import type { ModelConfig } from "../types.js";
import { blockTensor, rows, type TensorSource } from "./family.js";

type Sizes = Pick<ModelConfig, "heads" | "kvHeads" | "headDim" | "hiddenSize" | "ffnSize">;

/** `self_attn.qkv_proj`: queries, keys, values one after the other. Null for another tensor. */
export function fusedAttention(name: string, { heads, kvHeads, headDim, hiddenSize }: Sizes): TensorSource | null {
  const block = blockTensor(name);
  const [q, k] = [heads * headDim, kvHeads * headDim];
  const part = (from: number, to: number) => ({ name: `model.layers.${block!.layer}.self_attn.qkv_proj.weight`, view: rows([q + 2 * k, hiddenSize], from, to) });
  switch (block?.module) {
    case "self_attn.q_proj": return part(0, q);
    case "self_attn.k_proj": return part(q, q + k);
    case "self_attn.v_proj": return part(q + k, q + 2 * k);
    default: return null;
  }
}

/** `mlp.gate_up_proj`: gate and up one after the other. Null for another tensor. */
export function fusedMlp(name: string, { hiddenSize, ffnSize }: Sizes): TensorSource | null {
  const block = blockTensor(name);
  const part = (from: number, to: number) => ({ name: `model.layers.${block!.layer}.mlp.gate_up_proj.weight`, view: rows([2 * ffnSize, hiddenSize], from, to) });
  switch (block?.module) {
    case "mlp.gate_proj": return part(0, ffnSize);
    case "mlp.up_proj": return part(ffnSize, 2 * ffnSize);
    default: return null;
  }
}
