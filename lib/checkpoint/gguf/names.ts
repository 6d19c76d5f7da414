import { blockTensor } from "../families/family.js";
import type { ModelConfig } from "../types.js";
import type { Architecture } from "./config.js";

const outside: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "token_embd.weight",
  "model.norm.weight": "output_norm.weight",
  "lm_head.weight": "output.weight",
};
const modules: Readonly<Record<string, string>> = {
  "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
  "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
  "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
  "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
};

/** The name in a GGUF file of a tensor by llama's Hugging Face name. */
export function ggufName(name: string): string {
  const block = blockTensor(name);
  return block ? `blk.${block.layer}.${modules[block.module] ?? block.module}.${block.kind}` : (outside[name] ?? name);
}

/**
 * Heads whose rows lie in another order than here: llama's files have the two halves of each head's queries and keys interleaved,
 * since llama.cpp turns neighbours. Null: as here.
 */
export function interleavedHeads(name: string, architecture: Architecture, { heads, kvHeads }: ModelConfig): number | null {
  if (architecture !== "llama") return null;
  const module = blockTensor(name)?.module;
  return module === "self_attn.q_proj" ? heads : module === "self_attn.k_proj" ? kvHeads : null;
}

/** For each row here, the row there. */
export function interleavedRows(heads: number, headDim: number): number[] {
  return Array.from({ length: heads * headDim }, (_, row) => {
    const within = row % headDim;
    return row - within + 2 * (within % (headDim / 2)) + Math.floor(within / (headDim / 2));
  });
}
