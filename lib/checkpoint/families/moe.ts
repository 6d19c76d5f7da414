// mixtral, qwen2_moe, qwen3_moe: a router and experts in the place of the MLP.
import type { Fields } from "../fields.js";
import { parseWindows } from "../sliding-window.js";
import type { Experts, Family, ModelConfig } from "../types.js";
import { blockTensor, type FamilyConfig, type FamilyDefinition, type TensorSource } from "./family.js";
import { llamaLike } from "./llama.js";

export const moe: FamilyDefinition = {
  config(fields, family) {
    const mixtral = family === "mixtral";
    // Inner sizes of blocks without experts; mixtral has none.
    const common = llamaLike(fields, { headDimRequired: false, kvHeadsOptional: family === "qwen2_moe", ...(mixtral && { rope: { theta: 1e6 }, eps: { field: "rms_norm_eps", fallback: 1e-5 } }) });
    const bias = family === "qwen3_moe" && fields.boolean("attention_bias", false);
    return {
      ...common,
      tiedEmbeddings: fields.boolean("tie_word_embeddings", false),
      ...windows(fields, family, common),
      qkvBias: family === "qwen2_moe" ? fields.boolean("qkv_bias", true) : bias,
      outputBias: bias,
      qkNorm: family === "qwen3_moe" ? "head" : null,
      experts: mixtral ? mixtralExperts(fields) : qwenExperts(fields, family, common.layers),
    };
  },
  source(name, config): TensorSource {
    const block = blockTensor(name);
    const inside = /^mlp\.(?:experts\.(\d+)\.)?(gate|gate_proj|up_proj|down_proj)$/.exec(block?.module ?? "");
    if (!inside || !config.experts || config.experts.denseLayers.includes(block!.layer)) return { name };
    const [, expert, part] = inside;
    const mixtral = config.family === "mixtral";
    const own = mixtral ? `model.layers.${block!.layer}.block_sparse_moe.` : `model.layers.${block!.layer}.mlp.`;
    if (expert === undefined) return { name: `${own}gate.weight`, others: [{ name }] };
    const names: Readonly<Record<string, string>> = { gate_proj: "w1", up_proj: "w3", down_proj: "w2" };
    return { name: `${own}experts.${expert}.${mixtral ? names[part!] : part}.weight`, others: [{ name }, stacked(block!.layer, Number(expert), part!, config)] };
  },
};

/** All experts in two tensors, as transformers holds them: `gate_up_proj` `[experts, 2 f, d]`, `down_proj` `[experts, d, f]`. */
function stacked(layer: number, expert: number, part: string, { hiddenSize: d, experts }: ModelConfig): TensorSource {
  const { count, size: f } = experts!;
  const down = part === "down_proj";
  const rows = down ? d : 2 * f;
  const width = down ? f : d;
  const [from, to] = down ? [0, d] : part === "gate_proj" ? [0, f] : [f, 2 * f];
  return {
    name: `model.layers.${layer}.mlp.experts.${down ? "down_proj" : "gate_up_proj"}`,
    cut: { stored: [count, rows, width], slice: { axis: 0, from: expert, to: expert + 1 } },
    view: { stored: [rows, width], slice: { axis: 0, from, to } },
  };
}

const perToken = (fields: Fields, count: number, fallback?: number): number => {
  const chosen = fields.integer("num_experts_per_tok", 1, fallback);
  if (chosen > count) throw fields.error("num_experts_per_tok", `must be at most the number of experts, ${count}`);
  return chosen;
};

function mixtralExperts(fields: Fields): Experts {
  const count = fields.integer("num_local_experts", 1, 8);
  return { count, perToken: perToken(fields, count, 2), size: fields.integer("intermediate_size"), normalised: true, denseLayers: [], sharedSize: null, bias: false };
}

function qwenExperts(fields: Fields, family: Family, layers: number): Experts | null {
  const count = fields.integer(fields.has("num_experts") || !fields.has("num_local_experts") ? "num_experts" : "num_local_experts", 0);
  const step = fields.integer("decoder_sparse_step", 1, 1);
  const dense = fields.raw("mlp_only_layers") ?? [];
  if (!Array.isArray(dense) || !dense.every((layer) => Number.isSafeInteger(layer))) throw fields.error("mlp_only_layers", "must be a list of layers");
  const denseLayers = Array.from({ length: layers }, (_, layer) => layer).filter((layer) => dense.includes(layer) || (layer + 1) % step !== 0);
  if (count === 0 || denseLayers.length === layers) return null;
  return {
    count, perToken: perToken(fields, count), size: fields.integer("moe_intermediate_size"), normalised: fields.boolean("norm_topk_prob", false), denseLayers,
    sharedSize: family === "qwen2_moe" ? fields.integer("shared_expert_intermediate_size") : null, bias: false,
  };
}

/** qwen3_moe and mixtral: in all blocks or none. */
function windows(fields: Fields, family: Family, { layers }: FamilyConfig) {
  if (family === "mixtral") return parseWindows(fields, layers);
  const on = fields.boolean("use_sliding_window", false);
  if (family === "qwen3_moe") return parseWindows(fields, layers, { on, fallback: 4096 });
  const before = fields.integer("max_window_layers", 0, 28);
  return parseWindows(fields, layers, { on, fallback: 4096, slides: (layer) => layer % 2 === 0 && layer < before });
}
