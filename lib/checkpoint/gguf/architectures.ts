// The architectures of GGUF files: how their metadata read as a config.json, and which of their tensors is which. See README.md.
import type { Architecture, RawConfig, Tensors } from "./architecture.js";
import { common, experts, windows } from "./common.js";
import type { Metadata } from "./metadata.js";

/** The norms, the MLP and the names of llama, with rotary positions. */
const usual = (model_type: string): Architecture => ({ config: () => ({ model_type }) });

const attention = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];
const gatedMlp = ["mlp.gate_proj", "mlp.up_proj"];

/** Norms of gemma's files have one added already. */
const gemmaNorms = { normOffset: 0 } as const;
/** Norms on outputs, under llama.cpp's names. */
const outputNorms = { "post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm" } as const;

const biased = (tensors: Tensors, name: string): boolean => tensors.has(`blk.0.${name}.bias`);
/** llama and what is derived from it: a bias on all four projections is `attention_bias`. */
const biases = (tensors: Tensors): RawConfig => ({ attention_bias: biased(tensors, "attn_q") && biased(tensors, "attn_output"), mlp_bias: biased(tensors, "ffn_up") });

const layerNorm = (metadata: Metadata): number | undefined => metadata.number("attention.layer_norm_epsilon");

/** Beside gemma 2 and 3 themselves, where a file does not say it: as llama.cpp does, the one size that is not scaled by its heads is told by its depth. */
function gemmaScale(metadata: Metadata, depth: number): number {
  const scale = metadata.number("attention.scale");
  if (scale) return scale ** -2;
  const { num_hidden_layers, hidden_size, num_attention_heads, head_dim } = common(metadata) as Record<string, number>;
  return num_hidden_layers === depth ? hidden_size! / num_attention_heads! : head_dim!;
}

/** Inner size of an expert, from its tensor. */
const expertSize = (tensors: Tensors): number | undefined => tensors.get("blk.0.ffn_up_exps.weight")?.shape[1];

export const architectures = {
  llama: {
    interleaved: true,
    config(metadata, tensors) {
      // llama.cpp has one name for all three; only mistral has a window, only mixtral experts.
      const { sliding_window } = windows(metadata);
      if (tensors.has("blk.0.ffn_gate_inp.weight")) {
        const { count, used, size } = experts(metadata);
        return { model_type: "mixtral", sliding_window, num_local_experts: count, num_experts_per_tok: used, ...(size !== undefined && { intermediate_size: size }) };
      }
      return sliding_window === null ? { model_type: "llama", ...biases(tensors) } : { model_type: "mistral", sliding_window };
    },
  },
  mistral3: { interleaved: true, config: (metadata) => ({ model_type: "mistral", ...windows(metadata) }) },
  smollm3: { interleaved: true, config: (_, tensors) => ({ model_type: "smollm3", no_rope_layer_interval: 4, ...biases(tensors) }) },
  granite: {
    interleaved: true,
    config: (metadata, tensors) => ({
      model_type: "granite", ...biases(tensors),
      embedding_multiplier: metadata.number("embedding_scale") || 1,
      residual_multiplier: metadata.number("residual_scale") || 1,
      logits_scaling: metadata.number("logit_scale") || 1,
      attention_multiplier: metadata.number("attention.scale") || (common(metadata)["head_dim"] as number) ** -0.5,
    }),
  },
  qwen2: usual("qwen2"),
  qwen3: usual("qwen3"),
  qwen2moe: {
    config(metadata, tensors) {
      const { count, used, size } = experts(metadata);
      metadata.must("expert_weights_norm", false);
      return {
        model_type: "qwen2_moe", num_experts: count, num_experts_per_tok: used, moe_intermediate_size: size ?? expertSize(tensors), norm_topk_prob: false, qkv_bias: biased(tensors, "attn_q"),
        shared_expert_intermediate_size: metadata.number("expert_shared_feed_forward_length") ?? tensors.get("blk.0.ffn_up_shexp.weight")?.shape[0],
      };
    },
  },
  qwen3moe: {
    config(metadata, tensors) {
      const { count, used, size } = experts(metadata);
      metadata.must("expert_weights_norm", true);
      return { model_type: "qwen3_moe", num_experts: count, num_experts_per_tok: used, moe_intermediate_size: size ?? expertSize(tensors), norm_topk_prob: true };
    },
  },
  "gpt-oss": {
    names: { "post_attention_layernorm": "post_attention_norm" },
    config(metadata, tensors) {
      // Their shares are the softmax over those that were chosen.
      const { count, used, size } = experts(metadata, { gating: 3 });
      const { rope_scaling } = common(metadata) as { rope_scaling: RawConfig | null };
      return {
        model_type: "gpt_oss", num_local_experts: count, num_experts_per_tok: used, intermediate_size: size ?? expertSize(tensors), ...windows(metadata, 128),
        attention_bias: biased(tensors, "attn_q"), rope_scaling: rope_scaling && { ...rope_scaling, ...(rope_scaling["rope_type"] === "yarn" && { truncate: false }) },
      };
    },
  },
  gemma: { changes: gemmaNorms, config: () => ({ model_type: "gemma", hidden_activation: "gelu_pytorch_tanh" }) },
  gemma2: {
    changes: gemmaNorms,
    names: outputNorms,
    config: (metadata) => ({
      model_type: "gemma2",
      hidden_activation: "gelu_pytorch_tanh",
      attn_logit_softcapping: metadata.number("attn_logit_softcapping") ?? 50,
      final_logit_softcapping: metadata.number("final_logit_softcapping") ?? 30,
      query_pre_attn_scalar: gemmaScale(metadata, 46),
      ...windows(metadata, 4096),
    }),
  },
  gemma3: {
    changes: gemmaNorms,
    names: outputNorms,
    config: (metadata) => ({
      model_type: "gemma3_text",
      hidden_activation: "gelu_pytorch_tanh",
      final_logit_softcapping: metadata.number("final_logit_softcapping") ?? null,
      query_pre_attn_scalar: gemmaScale(metadata, 62),
      rope_local_base_freq: metadata.number("rope.freq_base_swa") ?? 10000,
      ...windows(metadata, 4096),
    }),
  },
  olmo2: {
    names: outputNorms,
    config(metadata) {
      const found = windows(metadata);
      // llama.cpp has one name for both; only olmo3 has windows.
      return found.sliding_window === null ? { model_type: "olmo2" } : { model_type: "olmo3", ...found };
    },
  },
  exaone4: { names: outputNorms, config: (metadata) => ({ model_type: "exaone4", ...windows(metadata) }) },
  phi3: { fused: { attn_qkv: attention, ffn_up: gatedMlp }, config: (metadata) => ({ model_type: "phi3", ...windows(metadata) }) },
  chatglm: { fused: { attn_qkv: attention, ffn_up: gatedMlp }, config: (_, tensors) => ({ model_type: "glm", attention_bias: biased(tensors, "attn_qkv") || biased(tensors, "attn_q") }) },
  glm4: { names: outputNorms, fused: { ffn_up: gatedMlp }, config: (_, tensors) => ({ model_type: "glm4", attention_bias: biased(tensors, "attn_q") }) },
  "command-r": {
    config: (metadata, tensors) => ({
      model_type: "cohere", layer_norm_eps: layerNorm(metadata), logit_scale: metadata.number("logit_scale"), use_qk_norm: tensors.has("blk.0.attn_q_norm.weight"), ...biases(tensors),
    }),
  },
  cohere2: { config: (metadata, tensors) => ({ model_type: "cohere2", layer_norm_eps: layerNorm(metadata), logit_scale: metadata.number("logit_scale"), ...windows(metadata), ...biases(tensors) }) },
  starcoder2: {
    config: (metadata, tensors) => ({ model_type: "starcoder2", norm_epsilon: layerNorm(metadata), hidden_act: "gelu_pytorch_tanh", use_bias: biased(tensors, "attn_q"), ...windows(metadata) }),
  },
  stablelm: {
    config: (metadata, tensors) => ({
      model_type: "stablelm", layer_norm_eps: layerNorm(metadata), use_qkv_bias: biased(tensors, "attn_q"),
      // With one norm for both, the second is left out.
      use_parallel_residual: metadata.boolean("use_parallel_residual") ?? !tensors.has("blk.0.ffn_norm.weight"),
    }),
  },
  gptneox: {
    fused: { attn_qkv: attention },
    config(metadata, tensors) {
      const { rope_theta, partial_rotary_factor } = common(metadata);
      return {
        model_type: "gpt_neox", layer_norm_eps: layerNorm(metadata), rotary_emb_base: rope_theta, rotary_pct: partial_rotary_factor ?? 1,
        use_parallel_residual: metadata.boolean("use_parallel_residual") ?? true, attention_bias: biased(tensors, "attn_qkv"), hidden_act: "gelu",
      };
    },
  },
  gpt2: {
    fused: { attn_qkv: attention },
    config(metadata) {
      const { hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, max_position_embeddings } = common(metadata);
      return {
        model_type: "gpt2", activation_function: "gelu_new", n_embd: hidden_size, n_layer: num_hidden_layers, n_head: num_attention_heads, n_inner: intermediate_size,
        n_positions: max_position_embeddings, layer_norm_epsilon: layerNorm(metadata),
      };
    },
  },
  bloom: {
    fused: { attn_qkv: attention },
    config(metadata) {
      const { hidden_size, intermediate_size } = common(metadata) as Record<string, number>;
      if (intermediate_size !== 4 * hidden_size!) throw metadata.error("feed_forward_length", `must be 4 times embedding_length, ${4 * hidden_size!}`);
      return { model_type: "bloom", layer_norm_epsilon: layerNorm(metadata) };
    },
  },
} as const satisfies Record<string, Architecture>;

export type ArchitectureName = keyof typeof architectures;

export function isArchitecture(name: unknown): name is ArchitectureName {
  return typeof name === "string" && Object.hasOwn(architectures, name);
}
