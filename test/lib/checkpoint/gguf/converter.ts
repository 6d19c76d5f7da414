// Hugging Face folders as GGUF files, with the names, fields and layouts of llama.cpp's convert_hf_to_gguf.py and gguf-py/gguf/tensor_mapping.py.
import { ggufFile, type GgufTensorToWrite, type Kind, type MetadataValue } from "../gguf-file.js";

export interface HfTensor {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

type Config = Readonly<Record<string, unknown>>;

/** llama.cpp's architecture of a model type. */
export const architectureOf: Readonly<Record<string, string>> = {
  llama: "llama", mistral: "llama", qwen2: "qwen2", qwen3: "qwen3", phi3: "phi3", gemma: "gemma", gemma2: "gemma2", gemma3_text: "gemma3", smollm3: "smollm3", olmo2: "olmo2", olmo3: "olmo2",
  granite: "granite", exaone4: "exaone4", cohere: "command-r", cohere2: "cohere2", starcoder2: "starcoder2", stablelm: "stablelm", glm: "chatglm", glm4: "glm4", gpt_neox: "gptneox",
  gpt2: "gpt2", bloom: "bloom", mixtral: "llama", qwen2_moe: "qwen2moe", qwen3_moe: "qwen3moe", gpt_oss: "gpt-oss",
};

/** Parts of names, tried in this order. */
const names: readonly (readonly [RegExp, string])[] = [
  [/^(model\.embed_tokens|gpt_neox\.embed_in|transformer\.wte|wte|(transformer\.)?word_embeddings)\./, "token_embd."],
  [/^((transformer\.)?wpe)\./, "position_embd."],
  [/^((transformer\.)?word_embeddings_layernorm)\./, "token_embd_norm."],
  [/^(model\.norm|gpt_neox\.final_layer_norm|(transformer\.)?ln_f)\./, "output_norm."],
  [/^(lm_head|embed_out)\./, "output."],
  [/^(model\.layers|gpt_neox\.layers|(transformer\.)?h)\.(\d+)\./, "blk.$3."],
  [/(self_attn\.q_layernorm)\./, "attn_q_norm."], [/(self_attn\.k_layernorm)\./, "attn_k_norm."],
  [/self_attn\.qkv_proj\.|attn\.c_attn\.|self_attention\.query_key_value\.|attention\.query_key_value\./, "attn_qkv."],
  [/self_attn\.([qkv])_proj\./, "attn_$1."], [/self_attn\.([qk])_norm\./, "attn_$1_norm."],
  [/self_attn\.o_proj\.|attn\.c_proj\.|self_attention\.dense\.|attention\.dense\./, "attn_output."],
  [/mlp\.gate\.|block_sparse_moe\.gate\.|mlp\.router\./, "ffn_gate_inp."], [/mlp\.shared_expert_gate\./, "ffn_gate_inp_shexp."], [/mlp\.shared_expert\.(gate|up|down)_proj\./, "ffn_$1_shexp."],
  [/self_attn\.sinks$/, "attn_sinks.weight"],
  [/mlp\.gate_up_proj\.|mlp\.up_proj\.|mlp\.c_fc\.|mlp\.dense_h_to_4h\./, "ffn_up."], [/mlp\.gate_proj\./, "ffn_gate."],
  [/mlp\.down_proj\.|mlp\.c_proj\.|mlp\.dense_4h_to_h\./, "ffn_down."],
  [/input_layernorm\.|\bln_1\./, "attn_norm."],
];
/** Norms whose names mean something else by the family. */
function normName(type: string, name: string): string {
  const both = /^(gemma2|gemma3_text)$/.test(type);
  if (type === "glm4") {
    return name.replace("post_self_attn_layernorm.", "post_attention_norm.").replace("post_attention_layernorm.", "ffn_norm.").replace("post_mlp_layernorm.", "post_ffw_norm.");
  }
  if (both || /^(olmo[23]|exaone4)$/.test(type)) {
    return name.replace("post_attention_layernorm.", "post_attention_norm.").replace("pre_feedforward_layernorm.", "ffn_norm.").replace("post_feedforward_layernorm.", "post_ffw_norm.");
  }
  if (type === "gpt_oss") return name.replace("post_attention_layernorm.", "post_attention_norm.");
  return name.replace(/post_attention_layernorm\.|\bln_2\./, "ffn_norm.");
}

/** What transformers takes where a config names no base. */
const defaultBases: Readonly<Record<string, number>> = { cohere: 5e5, mixtral: 1e6, gpt_oss: 150_000 };

const permuted = new Set(["llama", "mistral", "mixtral", "smollm3", "granite"]);

/** The file's bytes. @param more metadata that go before the converter's own */
export function convertedToGguf(config: Config, tensors: ReadonlyMap<string, HfTensor>, more: Record<string, MetadataValue> = {}, extra: readonly GgufTensorToWrite[] = [], kindOf: (name: string) => Kind = () => "F32"): Buffer {
  const type = config["model_type"] as string;
  const heads = (config["num_attention_heads"] ?? config["n_head"]) as number;
  const hidden = (config["hidden_size"] ?? config["n_embd"]) as number;
  const kvHeads = (config["num_key_value_heads"] as number | null) ?? heads;
  const headDim = (config["head_dim"] as number | undefined) ?? hidden / heads;
  const written: GgufTensorToWrite[] = [];
  const stacked = new Map<string, { values: Float64Array; shape: readonly number[] }[]>();
  for (const [name, { shape, values }] of tensors) {
    const own = names.reduce((text, [pattern, to]) => text.replace(pattern, to), normName(type, name));
    let changed = { shape, values };
    const all = /^model\.layers\.(\d+)\.mlp\.experts\.(gate_up|down)_proj(_bias)?$/.exec(name);
    if (all) {
      written.push(...expertTensors(`blk.${all[1]}.`, all[2]!, all[3] !== undefined, type === "gpt_oss", changed));
      continue;
    }
    // stablelm has a tensor for each head; in the file they are one.
    const head = /^(.*attn_[qk]_norm\.)norms\.(\d+)\.weight$/.exec(own);
    if (head) {
      const key = `${head[1]}weight`;
      stacked.set(key, [...(stacked.get(key) ?? []), changed]);
      continue;
    }
    if (type.startsWith("gemma") && own.endsWith("norm.weight")) changed = { shape, values: values.map((value) => Math.fround(value + 1)) };
    if (permuted.has(type) && /attn_[qk]\./.test(own)) changed = { shape, values: reordered(values, alternate(own.includes("attn_q.") ? heads : kvHeads, headDim)) };
    if (type === "gpt2" && /(attn_qkv|attn_output|ffn_up|ffn_down)\.weight$/.test(own)) changed = transposed(changed);
    if ((type === "bloom" || type === "gpt_neox") && own.includes("attn_qkv.")) changed = { shape, values: reordered(values, apart(heads, headDim)) };
    written.push({ name: own, kind: "F32", ...changed });
  }
  for (const [name, parts] of stacked) {
    written.push({ name, kind: "F32", shape: [parts.length, parts[0]!.values.length], values: Float64Array.from(parts.flatMap(({ values }) => [...values])) });
  }
  const architecture = architectureOf[type]!;
  const own = Object.fromEntries(Object.entries(metadataOf(config, { heads, hidden, kvHeads, headDim })).filter(([, value]) => value !== undefined).map(([key, value]) => [`${architecture}.${key}`, value!]));
  return ggufFile({ "general.architecture": architecture, ...own, ...more }, [...written.map((tensor) => ({ ...tensor, kind: kindOf(tensor.name) })), ...extra]).bytes;
}

/** Experts' tensors, gate and up apart. gpt_oss has its matrices `[experts, in, out]`, gate and up in turn. */
function expertTensors(block: string, part: string, bias: boolean, turned: boolean, { shape, values }: HfTensor): GgufTensorToWrite[] {
  const kind = bias ? "bias" : "weight";
  const count = shape[0]!;
  const [out, input] = bias ? [shape[1]!, 1] : turned ? [shape[2]!, shape[1]!] : [shape[1]!, shape[2]!];
  const at = (expert: number, row: number, column: number) => values[turned && !bias ? (expert * input + column) * out + row : (expert * out + row) * input + column]!;
  const tensor = (name: string, rows: number, row: (i: number) => number): GgufTensorToWrite => ({
    name: `${block}ffn_${name}_exps.${kind}`, kind: "F32", shape: bias ? [count, rows] : [count, rows, input],
    values: Float64Array.from({ length: count * rows * input }, (_, i) => at(Math.floor(i / (rows * input)), row(Math.floor(i / input) % rows), i % input)),
  });
  if (part === "down") return [tensor("down", out, (i) => i)];
  const half = out / 2;
  return [tensor("gate", half, (i) => (turned ? 2 * i : i)), tensor("up", half, (i) => (turned ? 2 * i + 1 : half + i))];
}

function metadataOf(config: Config, { heads, hidden, kvHeads, headDim }: { heads: number; hidden: number; kvHeads: number; headDim: number }): Record<string, MetadataValue | undefined> {
  const type = config["model_type"] as string;
  const number = (...fields: string[]) => fields.map((field) => config[field]).find((value) => typeof value === "number") as number | undefined;
  const float = (value: number | undefined) => (value === undefined ? undefined : { float: value });
  const rope = { ...(config["rope_scaling"] as Config | null), ...(config["rope_parameters"] as Config | undefined) } as Config;
  const scaling = (rope["rope_type"] ?? rope["type"]) as string | undefined;
  const share = (rope["partial_rotary_factor"] ?? number("partial_rotary_factor", "rotary_pct")) as number | undefined;
  const sliding = config["layer_types"] as string[] | undefined;
  const window = number("sliding_window");
  return {
    block_count: number("num_hidden_layers", "n_layer"), context_length: number("max_position_embeddings", "n_positions") ?? 2048, embedding_length: hidden,
    feed_forward_length: (/gpt2|bloom/.test(type) ? number("n_inner") : number("intermediate_size")) ?? 4 * hidden, "attention.head_count": heads, "attention.head_count_kv": kvHeads,
    ...(config["head_dim"] !== undefined && { "attention.key_length": headDim, "attention.value_length": headDim }),
    "attention.layer_norm_rms_epsilon": float(number("rms_norm_eps")), "attention.layer_norm_epsilon": float(number("layer_norm_eps", "norm_epsilon", "layer_norm_epsilon") ?? (/cohere|starcoder|stablelm|neox|gpt2|bloom/.test(type) ? 1e-5 : undefined)),
    "rope.freq_base": float((rope["rope_theta"] ?? number("rope_theta", "rotary_emb_base") ?? defaultBases[type]) as number | undefined),
    ...(share !== undefined && { "rope.dimension_count": Math.floor(share * headDim) }),
    ...((scaling === "linear" || scaling === "yarn") && { "rope.scaling.type": scaling, "rope.scaling.factor": float(rope["factor"] as number) }),
    ...(scaling === "yarn" && { "rope.scaling.original_context_length": rope["original_max_position_embeddings"] as number, "rope.scaling.yarn_beta_fast": float(rope["beta_fast"] as number | undefined), "rope.scaling.yarn_beta_slow": float(rope["beta_slow"] as number | undefined),
      "rope.scaling.attn_factor": float(rope["attention_factor"] as number | undefined) }),
    ...(type === "phi3" && { "rope.scaling.original_context_length": number("original_max_position_embeddings") }),
    ...(window !== undefined && !type.startsWith("qwen") && { "attention.sliding_window": window }),
    ...(/olmo3|exaone4/.test(type) && window !== undefined && {
      "attention.sliding_window_pattern": { bools: sliding ? sliding.map((kind) => kind === "sliding_attention") : Array.from({ length: number("num_hidden_layers")! }, (_, i) => (i + 1) % 4 !== 0) },
    }),
    ...(type.startsWith("gemma") && { "attn_logit_softcapping": float(number("attn_logit_softcapping")), "final_logit_softcapping": float(number("final_logit_softcapping")) }),
    ...(config["rope_local_base_freq"] !== undefined && { "rope.freq_base_swa": float(number("rope_local_base_freq")) }),
    ...(config["query_pre_attn_scalar"] !== undefined && { "attention.scale": float(number("query_pre_attn_scalar")! ** -0.5) }),
    ...(type === "granite" && {
      "attention.scale": float(number("attention_multiplier")), embedding_scale: float(number("embedding_multiplier")), residual_scale: float(number("residual_multiplier")), logit_scale: float(number("logits_scaling")),
    }),
    ...(/mixtral|moe|gpt_oss/.test(type) && {
      expert_count: number("num_local_experts", "num_experts"), expert_used_count: number("num_experts_per_tok"), expert_feed_forward_length: number("moe_intermediate_size", "intermediate_size"),
      expert_shared_feed_forward_length: number("shared_expert_intermediate_size"),
    }),
    ...(type.startsWith("cohere") && { logit_scale: float(number("logit_scale")), "rope.scaling.type": "none" }),
    ...(/stablelm|gpt_neox/.test(type) && { use_parallel_residual: (config["use_parallel_residual"] as boolean | undefined) ?? type === "gpt_neox" }),
  };
}

/** For each row there, the row here: the halves of each head alternate. */
const alternate = (heads: number, headDim: number): number[] =>
  Array.from({ length: heads * headDim }, (_, row) => row - (row % headDim) + ((row % headDim) >> 1) + (row % 2) * (headDim / 2));

/** Queries, keys and values of each head, to all queries, all keys, all values. */
const apart = (heads: number, headDim: number): number[] =>
  [0, 1, 2].flatMap((part) => Array.from({ length: heads * headDim }, (_, row) => (Math.floor(row / headDim) * 3 + part) * headDim + (row % headDim)));

function reordered(values: Float64Array, rows: readonly number[]): Float64Array {
  const width = values.length / rows.length;
  return Float64Array.from({ length: values.length }, (_, i) => values[rows[Math.floor(i / width)]! * width + (i % width)]!);
}

function transposed({ shape: [rows, columns], values }: { shape: readonly number[]; values: Float64Array }): HfTensor {
  return { shape: [columns!, rows!], values: values.map((_, i) => values[(i % rows!) * columns! + Math.floor(i / rows!)]!) };
}
