import { blockTensor } from "../families/family.js";
import { requiredTensors } from "../required.js";
import type { ModelConfig } from "../types.js";
import type { Architecture } from "./architecture.js";
import { architectures, type ArchitectureName } from "./architectures.js";

const outside: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "token_embd.weight",
  "model.embed_positions.weight": "position_embd.weight",
  "model.embed_norm.weight": "token_embd_norm.weight",
  "model.embed_norm.bias": "token_embd_norm.bias",
  "model.norm.weight": "output_norm.weight",
  "model.norm.bias": "output_norm.bias",
  "lm_head.weight": "output.weight",
};
const modules: Readonly<Record<string, string>> = {
  "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
  "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
  "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
  "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
  "mlp.gate": "ffn_gate_inp", "mlp.shared_expert_gate": "ffn_gate_inp_shexp", "self_attn.sinks": "attn_sinks",
  "mlp.shared_expert.gate_proj": "ffn_gate_shexp", "mlp.shared_expert.up_proj": "ffn_up_shexp", "mlp.shared_expert.down_proj": "ffn_down_shexp",
};

/** Where a GGUF file has a tensor. */
export interface GgufSource {
  readonly name: string;
  /** The rows of it, of `of` rows, where several tensors are kept in one; absent: all. */
  readonly rows?: { readonly from: number; readonly to: number; readonly of: number };
  /** Heads whose rows lie in another order than here, see `interleavedRows`; null: as here. */
  readonly interleavedHeads: number | null;
}

/**
 * Where a file of an architecture has a tensor, by llama's Hugging Face name.
 * @param has whether the file has a tensor: some files keep apart what others fuse
 */
export function ggufSource(name: string, architecture: ArchitectureName, config: ModelConfig, has: (name: string) => boolean = () => true): GgufSource {
  const definition: Architecture = architectures[architecture];
  const block = blockTensor(name);
  if (!block) return { name: outside[name] ?? name, interleavedHeads: null };
  const { layer, module, kind } = block;
  const heads = { "self_attn.q_proj": config.heads, "self_attn.k_proj": config.kvHeads }[module];
  const interleavedHeads = definition.interleaved && heads !== undefined ? heads : null;
  const whole = (own: string) => `blk.${layer}.${own}.${kind}`;
  for (const [own, parts] of Object.entries(definition.fused ?? {})) {
    if (!parts.includes(module) || !has(whole(own))) continue;
    const sizes = parts.map((part) => rowsOf(part, config));
    const from = sizes.slice(0, parts.indexOf(module)).reduce((a, b) => a + b, 0);
    return { name: whole(own), rows: { from, to: from + rowsOf(module, config), of: sizes.reduce((a, b) => a + b, 0) }, interleavedHeads };
  }
  const [, expert, part] = /^mlp\.experts\.(\d+)\.(gate|up|down)_proj$/.exec(module) ?? [];
  if (expert !== undefined) {
    // The first files with experts have a tensor for each.
    const alone = `blk.${layer}.ffn_${part}.${expert}.${kind}`;
    if (has(alone) && !has(whole(`ffn_${part}_exps`))) return { name: alone, interleavedHeads };
    const size = part === "down" ? config.hiddenSize : config.experts!.size;
    return { name: whole(`ffn_${part}_exps`), rows: { from: Number(expert) * size, to: (Number(expert) + 1) * size, of: config.experts!.count * size }, interleavedHeads };
  }
  return { name: whole(definition.names?.[module] ?? modules[module] ?? module), interleavedHeads };
}

function rowsOf(module: string, config: ModelConfig): number {
  const suffix = `.${module}.weight`;
  return requiredTensors({ ...config, layers: 1 }).find(({ name }) => name.endsWith(suffix))!.shape[0]!;
}

/** For each row of interleaved heads here, the row there: llama's files have the two halves of each head alternate. */
export function interleavedRows(heads: number, headDim: number): number[] {
  return Array.from({ length: heads * headDim }, (_, row) => {
    const within = row % headDim;
    return row - within + 2 * (within % (headDim / 2)) + Math.floor(within / (headDim / 2));
  });
}
