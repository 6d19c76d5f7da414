// What the families differ in, each read from its own names and layouts in a Hugging Face checkpoint.
import { type HfConfig, headDimOf, kvHeadsOf } from "./config.js";
import { add, geluTanh, layerNorm, linear, rmsNorm, silu, type Vector, type Weights } from "./operations.js";
import { rotaryFrequencies, rotate } from "./rotary.js";

/** A model without its attention: d hidden size, H heads, G kv heads, h head size. */
export interface Architecture {
  /** A token's vector `[d]` before the first block. */
  embed(id: number, position: number): Vector;
  /** From a block's input: queries `[H][h]`, keys and values `[G][h]`. */
  project(layer: number, x: Vector, position: number): { queries: Vector[]; keys: Vector[]; values: Vector[] };
  /** The score of a key at a position, from its product with a head's query. */
  score(product: number, head: number, keyPosition: number): number;
  /** A block's output from its input and the mixed values `[H * h]`. */
  finish(layer: number, x: Vector, mixed: Vector): Vector;
  /** `[vocab]` from the last block's output. */
  logits(x: Vector): Vector;
}

export function architecture(config: HfConfig, weights: Weights): Architecture {
  const tensor: Lookup = (name) => {
    const found = weights.get(name);
    if (!found) throw new Error(`weights: ${name} is missing`);
    return found;
  };
  switch (config.model_type) {
    case "gpt2": return gpt2(config, tensor);
    case "bloom": return bloom(config, tensor);
    case "gemma": case "gemma2": return gemma(config, weights, tensor);
    case "phi3": return phi3(config, weights, tensor);
    default: return llama(config, weights, tensor);
  }
}

type Lookup = (name: string) => ArrayLike<number> & { subarray(from: number, to: number): Float64Array | Float32Array };

const one = (x: Vector, weight: ArrayLike<number>, bias?: ArrayLike<number>): Vector => linear([x], weight, bias)[0]!;
const split = (x: Vector, size: number): Vector[] => Array.from({ length: x.length / size }, (_, i) => x.slice(i * size, (i + 1) * size));
const row = (matrix: ReturnType<Lookup>, index: number, width: number): Vector => Float64Array.from(matrix.subarray(index * width, (index + 1) * width));

function llama(config: HfConfig, weights: Weights, tensor: Lookup): Architecture {
  const d = config.hidden_size;
  const h = headDimOf(config);
  const frequencies = rotaryFrequencies(config);
  const norm = (x: Vector, name: string) => rmsNorm(x, tensor(name), config.rms_norm_eps);
  const project = (x: Vector, name: string) => one(x, tensor(`${name}.weight`), weights.get(`${name}.bias`));
  return {
    embed: (id) => row(tensor("model.embed_tokens.weight"), id, d),
    project(layer, x, position) {
      const prefix = `model.layers.${layer}.`;
      const normed = norm(x, `${prefix}input_layernorm.weight`);
      const headNorm = (y: Vector, name: string) => {
        const weight = weights.get(`${prefix}self_attn.${name}.weight`);
        return weight ? rmsNorm(y, weight, config.rms_norm_eps) : y;
      };
      const heads = (name: string) => split(project(normed, `${prefix}self_attn.${name}_proj`), h);
      return {
        queries: heads("q").map((y) => rotate(headNorm(y, "q_norm"), position, frequencies)),
        keys: heads("k").map((y) => rotate(headNorm(y, "k_norm"), position, frequencies)),
        values: heads("v"),
      };
    },
    score: (product) => product / Math.sqrt(h),
    finish(layer, x, mixed) {
      const prefix = `model.layers.${layer}.`;
      const attended = add(x, project(mixed, `${prefix}self_attn.o_proj`));
      const normed = norm(attended, `${prefix}post_attention_layernorm.weight`);
      const up = project(normed, `${prefix}mlp.up_proj`);
      const gated = project(normed, `${prefix}mlp.gate_proj`).map((gate, i) => silu(gate) * up[i]!);
      return add(attended, project(gated, `${prefix}mlp.down_proj`));
    },
    logits: (x) => one(norm(x, "model.norm.weight"), tensor(config.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight")),
  };
}

function phi3(config: HfConfig, weights: Weights, tensor: Lookup): Architecture {
  const [h, heads, kvHeads] = [headDimOf(config), config.num_attention_heads, kvHeadsOf(config)];
  const frequencies = rotaryFrequencies(config);
  return {
    ...llama(config, weights, tensor),
    project(layer, x, position) {
      const prefix = `model.layers.${layer}.`;
      const all = split(one(rmsNorm(x, tensor(`${prefix}input_layernorm.weight`), config.rms_norm_eps), tensor(`${prefix}self_attn.qkv_proj.weight`)), h);
      return {
        queries: all.slice(0, heads).map((y) => rotate(y, position, frequencies)),
        keys: all.slice(heads, heads + kvHeads).map((y) => rotate(y, position, frequencies)),
        values: all.slice(heads + kvHeads),
      };
    },
    finish(layer, x, mixed) {
      const prefix = `model.layers.${layer}.`;
      const attended = add(x, one(mixed, tensor(`${prefix}self_attn.o_proj.weight`)));
      const both = one(rmsNorm(attended, tensor(`${prefix}post_attention_layernorm.weight`), config.rms_norm_eps), tensor(`${prefix}mlp.gate_up_proj.weight`));
      const [gate, up] = split(both, both.length / 2) as [Vector, Vector];
      return add(attended, one(gate.map((value, i) => silu(value) * up[i]!), tensor(`${prefix}mlp.down_proj.weight`)));
    },
  };
}

function gemma(config: HfConfig, weights: Weights, tensor: Lookup): Architecture {
  const d = config.hidden_size;
  const h = headDimOf(config);
  const second = config.model_type === "gemma2";
  const frequencies = rotaryFrequencies(config);
  const norm = (x: Vector, name: string) => rmsNorm(x, Float64Array.from(tensor(name), (weight) => 1 + weight), config.rms_norm_eps);
  const cap = (value: number, field: string) => {
    const limit = config[field] as number | undefined;
    return second && limit ? limit * Math.tanh(value / limit) : value;
  };
  const scale = second ? (config["query_pre_attn_scalar"] as number) : h;
  return {
    embed: (id) => row(tensor("model.embed_tokens.weight"), id, d).map((value) => value * Math.sqrt(d)),
    project(layer, x, position) {
      const prefix = `model.layers.${layer}.`;
      const normed = norm(x, `${prefix}input_layernorm.weight`);
      const heads = (name: string) => split(one(normed, tensor(`${prefix}self_attn.${name}_proj.weight`), weights.get(`${prefix}self_attn.${name}_proj.bias`)), h);
      return { queries: heads("q").map((y) => rotate(y, position, frequencies)), keys: heads("k").map((y) => rotate(y, position, frequencies)), values: heads("v") };
    },
    score: (product) => cap(product / Math.sqrt(scale), "attn_logit_softcapping"),
    finish(layer, x, mixed) {
      const prefix = `model.layers.${layer}.`;
      const output = one(mixed, tensor(`${prefix}self_attn.o_proj.weight`), weights.get(`${prefix}self_attn.o_proj.bias`));
      const attended = add(x, second ? norm(output, `${prefix}post_attention_layernorm.weight`) : output);
      const normed = norm(attended, `${prefix}${second ? "pre_feedforward" : "post_attention"}_layernorm.weight`);
      const up = one(normed, tensor(`${prefix}mlp.up_proj.weight`));
      const fed = one(one(normed, tensor(`${prefix}mlp.gate_proj.weight`)).map((gate, i) => geluTanh(gate) * up[i]!), tensor(`${prefix}mlp.down_proj.weight`));
      return add(attended, second ? norm(fed, `${prefix}post_feedforward_layernorm.weight`) : fed);
    },
    logits: (x) => one(norm(x, "model.norm.weight"), tensor("model.embed_tokens.weight")).map((value) => cap(value, "final_logit_softcapping")),
  };
}

function gpt2(config: HfConfig, tensor: Lookup): Architecture {
  const d = config["n_embd"] as number;
  const h = d / (config["n_head"] as number);
  const prefix = (config["tensor_prefix"] as string | undefined) ?? "";
  const t = (name: string) => tensor(prefix + name);
  const norm = (x: Vector, name: string) => layerNorm(x, t(`${name}.weight`), t(`${name}.bias`), config["layer_norm_epsilon"] as number);
  /** Matrices are stored `[in, out]`. */
  const conv = (x: Vector, name: string): Vector => {
    const [weight, bias] = [t(`${name}.weight`), t(`${name}.bias`)];
    return Float64Array.from({ length: bias.length }, (_, o) => x.reduce((sum, value, i) => sum + value * weight[i * bias.length + o]!, bias[o]!));
  };
  return {
    embed: (id, position) => add(row(t("wte.weight"), id, d), row(t("wpe.weight"), position, d)),
    project(layer, x) {
      const [q, k, v] = split(conv(norm(x, `h.${layer}.ln_1`), `h.${layer}.attn.c_attn`), d) as [Vector, Vector, Vector];
      return { queries: split(q, h), keys: split(k, h), values: split(v, h) };
    },
    score: (product) => product / Math.sqrt(h),
    finish(layer, x, mixed) {
      const attended = add(x, conv(mixed, `h.${layer}.attn.c_proj`));
      return add(attended, conv(conv(norm(attended, `h.${layer}.ln_2`), `h.${layer}.mlp.c_fc`).map(geluTanh), `h.${layer}.mlp.c_proj`));
    },
    logits: (x) => one(norm(x, "ln_f"), t("wte.weight")),
  };
}

function bloom(config: HfConfig, tensor: Lookup): Architecture {
  const d = config.hidden_size;
  const heads = config["n_head"] as number;
  const h = d / heads;
  const slopes = alibiSlopes(heads);
  const prefix = (config["tensor_prefix"] as string | undefined) ?? "";
  const t = (name: string) => tensor(prefix + name);
  const norm = (x: Vector, name: string) => layerNorm(x, t(`${name}.weight`), t(`${name}.bias`), config["layer_norm_epsilon"] as number);
  const dense = (x: Vector, name: string) => one(x, t(`${name}.weight`), t(`${name}.bias`));
  return {
    embed: (id) => norm(row(t("word_embeddings.weight"), id, d), "word_embeddings_layernorm"),
    project(layer, x) {
      // Head by head: query, key, value.
      const parts = split(dense(norm(x, `h.${layer}.input_layernorm`), `h.${layer}.self_attention.query_key_value`), h);
      const every = (first: number) => parts.filter((_, i) => i % 3 === first);
      return { queries: every(0), keys: every(1), values: every(2) };
    },
    // By the key's position alone: what is the same for all keys of a query does not matter to the softmax.
    score: (product, head, keyPosition) => product / Math.sqrt(h) + slopes[head]! * keyPosition,
    finish(layer, x, mixed) {
      const attended = add(x, dense(mixed, `h.${layer}.self_attention.dense`));
      const inner = dense(norm(attended, `h.${layer}.post_attention_layernorm`), `h.${layer}.mlp.dense_h_to_4h`).map(geluTanh);
      return add(attended, dense(inner, `h.${layer}.mlp.dense_4h_to_h`));
    },
    logits: (x) => one(norm(x, "ln_f"), t("word_embeddings.weight")),
  };
}

/** Press et al., arXiv:2108.12409, as published with the paper: for 8 heads 1/2, 1/4, … 1/256. */
function alibiSlopes(heads: number): number[] {
  const powersOf = (n: number) => {
    const start = 2 ** -(2 ** -(Math.log2(n) - 3));
    return Array.from({ length: n }, (_, i) => start * start ** i);
  };
  if (Number.isInteger(Math.log2(heads))) return powersOf(heads);
  const closest = 2 ** Math.floor(Math.log2(heads));
  return [...powersOf(closest), ...alibiSlopes(2 * closest).filter((_, i) => i % 2 === 0).slice(0, heads - closest)];
}
