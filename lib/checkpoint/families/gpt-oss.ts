// gpt_oss: experts with a clamped gate and biases, an attention sink for each head, a window in every second block, yarn.
import { everyNthFull, parseWindows } from "../sliding-window.js";
import { blockTensor, type FamilyDefinition, type TensorSource } from "./family.js";
import { llamaLike } from "./llama.js";

export const gptOss: FamilyDefinition = {
  config(original) {
    const defaults = {
      num_local_experts: 128, num_experts_per_tok: 4, sliding_window: 128, head_dim: 64, rms_norm_eps: 1e-5, max_position_embeddings: 131_072,
      ...(!original.has("rope_scaling") && !original.has("rope_parameters") && {
        rope_scaling: { rope_type: "yarn", factor: 32, beta_fast: 32, beta_slow: 1, truncate: false, original_max_position_embeddings: 4096 },
      }),
    };
    const fields = original.withDefaults(defaults);
    const common = llamaLike(fields, { rope: { theta: 150_000 } });
    const bias = fields.boolean("attention_bias", true);
    const count = fields.integer("num_local_experts");
    const perToken = fields.integer(fields.has("experts_per_token") ? "experts_per_token" : "num_experts_per_tok");
    if (perToken > count) throw fields.error("num_experts_per_tok", `must be at most num_local_experts, ${count}`);
    return {
      ...common,
      tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
      ...parseWindows(fields, common.layers, { slides: everyNthFull(2) }),
      qkvBias: bias,
      outputBias: bias,
      attentionSinks: true,
      clampedGate: { alpha: fields.positive("swiglu_alpha", 1.702), limit: fields.positive("swiglu_limit", 7) },
      experts: { count, perToken, size: common.ffnSize, normalised: true, denseLayers: [], sharedSize: null, bias: true },
    };
  },
  source(name, { hiddenSize: d, experts }): TensorSource {
    const block = blockTensor(name);
    if (!block) return { name };
    const { layer, module, kind } = block;
    if (module === "self_attn.sinks") return { name: `model.layers.${layer}.self_attn.sinks` };
    if (module === "mlp.gate") return { name: `model.layers.${layer}.mlp.router.${kind}` };
    const [, number, part] = /^mlp\.experts\.(\d+)\.(gate|up|down)_proj$/.exec(module) ?? [];
    if (number === undefined) return { name };
    const { count, size: f } = experts!;
    const down = part === "down";
    const own = `model.layers.${layer}.mlp.experts.${down ? "down_proj" : "gate_up_proj"}${kind === "bias" ? "_bias" : ""}`;
    const cut = (stored: number[]) => ({ stored, slice: { axis: 0, from: Number(number), to: Number(number) + 1 } });
    // Gate and up take turns in the columns.
    const at = part === "gate" ? 0 : 1;
    const pair = { from: at, to: at + 1 };
    const stacked: TensorSource = kind === "bias"
      ? down ? { name: own, cut: cut([count, d]) } : { name: own, cut: cut([count, 2 * f]), view: { stored: [f, 2], slice: { axis: 1, ...pair } } }
      : down ? { name: own, cut: cut([count, f, d]), view: { stored: [f, d], perm: [1, 0] } }
      : { name: own, cut: cut([count, d, 2 * f]), view: { stored: [d, f, 2], slice: { axis: 2, ...pair }, perm: [1, 2, 0] } };
    // MXFP4 is made into a matrix for each expert.
    return { ...stacked, others: [{ name }] };
  },
};
