// The architectures of GGUF files: how their metadata read as a config.json, and which of their tensors is which. See README.md.
import type { ModelConfig } from "../types.js";
import type { Metadata } from "./metadata.js";
import { common, window } from "./common.js";
import type { GgufTensor } from "./header.js";

/** What a config.json says. */
export type RawConfig = Record<string, unknown>;
export type Tensors = ReadonlyMap<string, GgufTensor>;

export interface Architecture {
  /** The fields of a config.json of the same model, beyond those that all have in common (see `common`). */
  config(metadata: Metadata, tensors: Tensors): RawConfig & { readonly model_type: string };
  /** What the file has otherwise than a Hugging Face folder would. */
  readonly changes?: Partial<ModelConfig>;
  /** Modules of a block (and norms outside) by llama's name, where the file has another name than usual. */
  readonly names?: Readonly<Record<string, string>>;
  /** Modules that the file keeps one below the other in one matrix. */
  readonly fused?: Readonly<Record<string, readonly string[]>>;
  /** llama.cpp turns neighbours in each head: rows of queries and keys lie so that the two halves of a head alternate. */
  readonly interleaved?: boolean;
}

/** Rotary embedding with the norms, the MLP and the names of llama. */
const usual = (model_type: string): Architecture => ({ config: () => ({ model_type, hidden_act: "silu" }) });

const attention = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];

/** Norms of gemma's files have one added already. */
const gemmaNorms = { normOffset: 0 } as const;

export const architectures = {
  llama: {
    interleaved: true,
    config(metadata, tensors) {
      // llama.cpp has one name for both; only mistral has a window.
      const sliding_window = window(metadata);
      if (sliding_window !== null) return { model_type: "mistral", hidden_act: "silu", sliding_window };
      const has = (name: string) => tensors.has(`blk.0.${name}.bias`);
      return { model_type: "llama", hidden_act: "silu", attention_bias: has("attn_q") && has("attn_output"), mlp_bias: has("ffn_up") };
    },
  },
  qwen2: usual("qwen2"),
  qwen3: usual("qwen3"),
  gemma: { changes: gemmaNorms, config: () => ({ model_type: "gemma", hidden_activation: "gelu_pytorch_tanh" }) },
  gemma2: {
    changes: gemmaNorms,
    names: { "post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm" },
    config(metadata) {
      const { num_hidden_layers, hidden_size, num_attention_heads, head_dim } = common(metadata) as Record<string, number>;
      return {
        model_type: "gemma2",
        hidden_activation: "gelu_pytorch_tanh",
        attn_logit_softcapping: metadata.number("attn_logit_softcapping") ?? 50,
        final_logit_softcapping: metadata.number("final_logit_softcapping") ?? 30,
        sliding_window: metadata.number("attention.sliding_window") ?? 4096,
        // The files do not say it; as llama.cpp does, the one size that is not scaled by its heads is told by its depth.
        query_pre_attn_scalar: num_hidden_layers === 46 ? hidden_size! / num_attention_heads! : head_dim,
      };
    },
  },
  phi3: {
    fused: { attn_qkv: attention, ffn_up: ["mlp.gate_proj", "mlp.up_proj"] },
    config: (metadata) => ({ model_type: "phi3", hidden_act: "silu", sliding_window: window(metadata) }),
  },
  gpt2: {
    fused: { attn_qkv: attention },
    config(metadata) {
      const { hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, max_position_embeddings } = common(metadata);
      return {
        model_type: "gpt2", activation_function: "gelu_new", n_embd: hidden_size, n_layer: num_hidden_layers, n_head: num_attention_heads, n_inner: intermediate_size,
        n_positions: max_position_embeddings, layer_norm_epsilon: metadata.number("attention.layer_norm_epsilon"),
      };
    },
  },
  bloom: {
    fused: { attn_qkv: attention },
    config(metadata) {
      const { hidden_size, intermediate_size } = common(metadata) as Record<string, number>;
      if (intermediate_size !== 4 * hidden_size!) throw metadata.error("feed_forward_length", `must be 4 times embedding_length, ${4 * hidden_size!}`);
      return { model_type: "bloom", layer_norm_epsilon: metadata.number("attention.layer_norm_epsilon") };
    },
  },
} as const satisfies Record<string, Architecture>;

export type ArchitectureName = keyof typeof architectures;

export function isArchitecture(name: unknown): name is ArchitectureName {
  return typeof name === "string" && Object.hasOwn(architectures, name);
}
