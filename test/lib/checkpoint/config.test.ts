import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parseConfig, readConfig } from "../../../lib/checkpoint/config.js";
import { usual } from "../../../lib/checkpoint/families/family.js";
import { requiredTensors } from "../../../lib/checkpoint/required.js";
import type { Family } from "../../../lib/checkpoint/types.js";
import { rawConfig, temporaryFolder, type RawConfig } from "./fixtures.js";

const parse = (family: Family, changes: RawConfig = {}) => parseConfig(rawConfig(family, changes), "dir/config.json");

test("llama 2: every field", () => {
  assert.deepEqual(parse("llama"), {
    ...usual, attentionScale: 0.5, family: "llama", hiddenSize: 16, layers: 2, heads: 4, kvHeads: 2, headDim: 4, ffnSize: 24, vocabSize: 300, maxPositions: 64,
    ropeTheta: 10000, ropeScaling: null, normEps: 1e-6, tiedEmbeddings: false, slidingWindow: null,
    rotaryDim: 4, qkvBias: false, outputBias: false, mlpBias: false, qkNorm: null, bosTokenId: 1, eosTokenIds: [2],
  });
});

test("llama 3.2-1B as published: llama3 scaling, explicit head_dim, tied, three end tokens", () => {
  const config = parseConfig({
    architectures: ["LlamaForCausalLM"], attention_bias: false, attention_dropout: 0, bos_token_id: 128000,
    eos_token_id: [128001, 128008, 128009], head_dim: 64, hidden_act: "silu", hidden_size: 2048, initializer_range: 0.02,
    intermediate_size: 8192, max_position_embeddings: 131072, mlp_bias: false, model_type: "llama", num_attention_heads: 32,
    num_hidden_layers: 16, num_key_value_heads: 8, pretraining_tp: 1, rms_norm_eps: 1e-5,
    rope_scaling: { factor: 32, high_freq_factor: 4, low_freq_factor: 1, original_max_position_embeddings: 8192, rope_type: "llama3" },
    rope_theta: 500000, tie_word_embeddings: true, torch_dtype: "bfloat16", use_cache: true, vocab_size: 128256,
  }, "config.json");
  assert.deepEqual(config.ropeScaling, { kind: "llama3", factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 });
  assert.equal(config.ropeTheta, 500000);
  assert.equal(config.maxPositions, 131072);
  assert.equal(config.tiedEmbeddings, true);
  assert.deepEqual(config.eosTokenIds, [128001, 128008, 128009]);
});

test("the first llamas have no num_key_value_heads, the others must", () => {
  assert.equal(parse("llama", { num_key_value_heads: undefined }).kvHeads, 4);
  assert.throws(() => parse("mistral", { num_key_value_heads: undefined }), /num_key_value_heads: missing/);
});

test("llama: attention_bias puts a bias on all four projections, mlp_bias on three", () => {
  const { qkvBias, outputBias, mlpBias } = parse("llama", { attention_bias: true, mlp_bias: true });
  assert.deepEqual([qkvBias, outputBias, mlpBias], [true, true, true]);
});

test("mistral: the window, null for none, 4096 where the field is absent", () => {
  assert.equal(parse("mistral", { sliding_window: 32 }).slidingWindow, 32);
  assert.equal(parse("mistral", { sliding_window: null }).slidingWindow, null);
  assert.equal(parse("mistral", { sliding_window: undefined }).slidingWindow, 4096);
  assert.equal(parse("mistral", { head_dim: 8 }).headDim, 8);
});

test("mistral with layer_types is ministral: the window where they say", () => {
  for (const family of ["mistral", "ministral"] as const) {
    const { slidingWindow, fullLayers } = parse(family, { sliding_window: 32, layer_types: ["full_attention", "sliding_attention"] });
    assert.deepEqual([slidingWindow, fullLayers], [32, [0]]);
  }
  assert.throws(() => parse("ministral", { sliding_window: null, layer_types: ["full_attention", "sliding_attention"] }), /layer_types: .*needs sliding_window/);
  assert.throws(() => parse("ministral", { layer_types: ["full_attention"] }), /layer_types: .*one for each layer/);
  assert.throws(() => parse("ministral", { layer_types: ["full_attention", "chunked_attention"] }), /layer_types: .*full_attention and sliding_attention/);
  assert.throws(() => parse("llama", { layer_types: ["full_attention", "sliding_attention"] }), /layer_types: .*supported for this family: full_attention/);
});

test("qwen2: bias on q, k, v; the window only when it is used, in the blocks that the config names", () => {
  const both = (changes: RawConfig) => parse("qwen2", { sliding_window: 32, ...changes });
  const window = (changes: RawConfig) => both(changes).slidingWindow;
  const { qkvBias, outputBias, qkNorm } = parse("qwen2");
  assert.deepEqual([qkvBias, outputBias, qkNorm], [true, false, null]);
  assert.equal(window({ use_sliding_window: false, max_window_layers: 0 }), null);
  assert.equal(window({}), null);
  assert.equal(window({ use_sliding_window: true, max_window_layers: 0 }), 32);
  assert.equal(window({ use_sliding_window: true, max_window_layers: 2 }), null);
  assert.equal(window({ use_sliding_window: true }), null);
  assert.deepEqual(both({ use_sliding_window: true, max_window_layers: 1 }).fullLayers, [0]);
  assert.equal(window({ use_sliding_window: true, max_window_layers: 1, layer_types: ["sliding_attention", "sliding_attention"] }), 32);
  assert.equal(window({ use_sliding_window: true, layer_types: ["full_attention", "full_attention"] }), null);
  assert.deepEqual(both({ use_sliding_window: true, layer_types: ["full_attention", "sliding_attention"] }).fullLayers, [0]);
  assert.throws(() => window({ use_sliding_window: false, layer_types: ["full_attention", "sliding_attention"] }), /layer_types: .*turns windows off/);
});

test("qwen3: norms on q and k, head_dim given, bias only with attention_bias", () => {
  const config = parse("qwen3", { head_dim: 6 });
  assert.deepEqual([config.qkNorm, config.headDim, config.qkvBias, config.outputBias], ["head", 6, false, false]);
  const biased = parse("qwen3", { attention_bias: true });
  assert.deepEqual([biased.qkvBias, biased.outputBias], [true, true]);
  assert.throws(() => parse("qwen3", { head_dim: undefined }), /head_dim: missing/);
});

test("rotary settings in both layouts", () => {
  const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 32 };
  const expected = { kind: "llama3", factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 32 };
  const old = parse("llama", { rope_theta: 500, rope_scaling: { rope_type: "llama3", ...llama3 } });
  const recent = parse("llama", { rope_theta: undefined, rope_parameters: { rope_type: "llama3", rope_theta: 500, ...llama3 } });
  assert.deepEqual(old.ropeScaling, expected);
  assert.deepEqual(recent, old);
  assert.deepEqual(parse("llama", { rope_theta: undefined, rope_parameters: { rope_type: "default", rope_theta: 7 } }).ropeTheta, 7);
  assert.equal(parse("llama", { rope_theta: undefined }).ropeTheta, 10000);
  assert.equal(parse("llama", { rope_scaling: { type: "default" } }).ropeScaling, null);
});

test("linear scaling, `type` as in older files, stretches the positions", () => {
  const config = parse("llama", { rope_scaling: { type: "linear", factor: 2.5 } });
  assert.deepEqual(config.ropeScaling, { kind: "linear", factor: 2.5 });
  assert.equal(config.maxPositions, 160);
});

test("gemma-2-2b as published: capped scores and logits, every second block with a window, GELU by tanh, tied", () => {
  const config = parseConfig({
    architectures: ["Gemma2ForCausalLM"], attention_bias: false, attn_logit_softcapping: 50, bos_token_id: 2, cache_implementation: "hybrid", eos_token_id: [1, 107],
    final_logit_softcapping: 30, head_dim: 256, hidden_act: "gelu_pytorch_tanh", hidden_activation: "gelu_pytorch_tanh", hidden_size: 2304, intermediate_size: 9216,
    max_position_embeddings: 8192, model_type: "gemma2", num_attention_heads: 8, num_hidden_layers: 26, num_key_value_heads: 4, pad_token_id: 0,
    query_pre_attn_scalar: 256, rms_norm_eps: 1e-6, rope_theta: 10000, sliding_window: 4096, vocab_size: 256000,
  }, "config.json");
  const { attentionSoftcap, logitSoftcap, slidingWindow, fullLayers, activation, tiedEmbeddings, embeddingScale, normOffset, attentionScale, outputNorms } = config;
  assert.deepEqual([attentionSoftcap, logitSoftcap, slidingWindow, fullLayers.join(), activation, tiedEmbeddings, embeddingScale, normOffset, attentionScale, outputNorms], [50, 30, 4096, "1,3,5,7,9,11,13,15,17,19,21,23,25", "gelu_tanh", true, 48, 1, 1 / 16, true]);
  const parameters = requiredTensors(config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  assert.equal(parameters, 2_614_341_888);
});

test("gpt2, bloom-560m and Phi-3-mini as published", () => {
  const parameters = (raw: RawConfig) => requiredTensors(parseConfig(raw, "config.json")).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const gpt2 = {
    activation_function: "gelu_new", architectures: ["GPT2LMHeadModel"], attn_pdrop: 0.1, bos_token_id: 50256, embd_pdrop: 0.1, eos_token_id: 50256, initializer_range: 0.02,
    layer_norm_epsilon: 1e-5, model_type: "gpt2", n_ctx: 1024, n_embd: 768, n_head: 12, n_layer: 12, n_positions: 1024, resid_pdrop: 0.1, vocab_size: 50257,
  };
  assert.equal(parameters(gpt2), 124_439_808);
  assert.deepEqual([parseConfig(gpt2, "").maxPositions, parseConfig(gpt2, "").positions, parseConfig(gpt2, "").headDim], [1024, "learned", 64]);
  const bloom = {
    apply_residual_connection_post_layernorm: false, architectures: ["BloomForCausalLM"], bos_token_id: 1, eos_token_id: 2, hidden_size: 1024, initializer_range: 0.02,
    layer_norm_epsilon: 1e-5, model_type: "bloom", n_head: 16, n_layer: 24, offset_alibi: 100, pretraining_tp: 1, seq_length: 2048, vocab_size: 250880,
  };
  assert.equal(parameters(bloom), 559_214_592);
  const phi3 = {
    architectures: ["Phi3ForCausalLM"], attention_bias: false, bos_token_id: 1, eos_token_id: 32000, hidden_act: "silu", hidden_size: 3072, intermediate_size: 8192,
    max_position_embeddings: 4096, model_type: "phi3", num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 32, original_max_position_embeddings: 4096,
    rms_norm_eps: 1e-5, rope_scaling: null, rope_theta: 10000, sliding_window: 2047, tie_word_embeddings: false, vocab_size: 32064,
  };
  assert.equal(parameters(phi3), 3_821_079_552);
  assert.equal(parseConfig(phi3, "").slidingWindow, 2047);
  assert.throws(() => parseConfig({ ...phi3, rope_scaling: { type: "longrope", long_factor: [], short_factor: [] } }, "c"), /rope_scaling\.short_factor: \[\] \(must be a list of 48 numbers > 0\)/);
  assert.throws(() => parseConfig({ ...gpt2, scale_attn_by_inverse_layer_idx: true }, "c"), /scale_attn_by_inverse_layer_idx: true \(supported: false\)/);
  assert.throws(() => parseConfig({ ...gpt2, n_head: 7 }, "c"), /n_embd: 768 \(must be a multiple of n_head, 7\)/);
  assert.throws(() => parseConfig({ ...bloom, apply_residual_connection_post_layernorm: true }, "c"), /apply_residual_connection_post_layernorm: true/);
});

test("rope_scaling counts before rope_parameters, and a set's own numbers before those beside it", () => {
  const both = parse("llama", { rope_theta: 300, rope_parameters: { rope_type: "default", rope_theta: 900 }, rope_scaling: { type: "linear", factor: 2 } });
  assert.deepEqual([both.ropeTheta, both.ropeScaling], [300, { kind: "linear", factor: 2 }]);
  assert.equal(parse("llama", { rope_theta: 300, rope_scaling: { type: "linear", factor: 2, rope_theta: 7 } }).ropeTheta, 7);
  assert.equal(parse("llama", { rope_scaling: {}, rope_parameters: { rope_type: "default", rope_theta: 900 } }).ropeTheta, 900);
  assert.equal(parse("llama", { rope_scaling: { rope_type: "default", type: "linear", factor: 2 } }).ropeScaling, null);
  const original = (changes: RawConfig) => (parse("llama", changes).ropeScaling as { originalMaxPositions: number }).originalMaxPositions;
  const yarn = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 32 };
  assert.equal(original({ rope_scaling: yarn }), 32);
  assert.equal(original({ rope_scaling: yarn, original_max_position_embeddings: 16 }), 16);
  assert.equal(original({ rope_scaling: { type: "yarn", factor: 4 } }), 64);
});

test("yarn reaches as far as its original length stretched", () => {
  assert.equal(parse("qwen2", { max_position_embeddings: 40, rope_scaling: { type: "yarn", factor: 4, original_max_position_embeddings: 32 } }).maxPositions, 128);
  assert.equal(parse("qwen2", { max_position_embeddings: 128, rope_scaling: { type: "yarn", factor: 2, original_max_position_embeddings: 32 } }).maxPositions, 128);
});

test("sets by kind of block: each with its own base, as gemma3 and olmo3 have them", () => {
  const gemma3 = parseConfig({ model_type: "gemma3_text", hidden_size: 16, num_hidden_layers: 6, sliding_window: 8, rope_scaling: { rope_type: "linear", factor: 8 } }, "c");
  assert.deepEqual([gemma3.ropeTheta, gemma3.ropeScaling, gemma3.windowRope, gemma3.fullLayers], [1e6, { kind: "linear", factor: 8 }, { theta: 10000, scaling: null }, [5]]);
  assert.throws(() => parseConfig({ model_type: "gemma3_text", rope_scaling: { type: "linear", factor: 8 } }, "c"), /rope_scaling\.type: "linear" \(supported for this family: rope_type\)/);
  assert.throws(() => parseConfig({ model_type: "gemma3_text", rope_parameters: { rope_type: "linear", factor: 8 } }, "c"), /rope_parameters\.rope_type: "linear" \(supported for this family: full_attention and sliding_attention/);
  const olmo3 = parse("olmo3", { sliding_window: 8, rope_theta: 500 });
  assert.deepEqual([olmo3.ropeTheta, olmo3.windowRope], [500, { theta: 5e5, scaling: null }]);
});

test("the text model's configuration of a model that reads images; of published gemma-3-4b, what transformers fills in", () => {
  const config = parseConfig({
    architectures: ["Gemma3ForConditionalGeneration"], boi_token_index: 255999, eoi_token_index: 256000, eos_token_id: [1, 106], image_token_index: 262144, initializer_range: 0.02, mm_tokens_per_image: 256,
    model_type: "gemma3", text_config: { hidden_size: 2560, intermediate_size: 10240, model_type: "gemma3_text", num_hidden_layers: 34, rope_scaling: { factor: 8.0, rope_type: "linear" }, sliding_window: 1024 },
    torch_dtype: "bfloat16", vision_config: { hidden_size: 1152, model_type: "siglip_vision_model" },
  }, "c");
  assert.deepEqual([config.heads, config.kvHeads, config.headDim, config.vocabSize, config.maxPositions, config.tiedEmbeddings, config.eosTokenIds], [8, 4, 256, 262208, 131072, true, [1, 106]]);
  const parameters = requiredTensors(config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  assert.equal(parameters, 3_880_263_168);
  assert.throws(() => parseConfig({ model_type: "gemma3" }, "c"), /text_config: missing \(must be an object/);
  assert.throws(() => parseConfig({ model_type: "gemma3", text_config: { model_type: "llama" } }, "c"), /text_config\.model_type: "llama" \(supported: gemma3_text\)/);
});

test("one window for all blocks, whatever layer_types says: refused where it says otherwise", () => {
  const phi = { original_max_position_embeddings: 64 };
  assert.throws(() => parse("phi3", { ...phi, sliding_window: 8, layer_types: ["full_attention", "sliding_attention"] }), /layer_types: .*with sliding_window 8: sliding_attention/);
  assert.equal(parse("phi3", { ...phi, sliding_window: 8, layer_types: ["sliding_attention", "sliding_attention"] }).slidingWindow, 8);
});

const impossible: [string, Family, RawConfig, RegExp][] = [
  ["no family", "llama", { model_type: undefined }, /model_type: missing \(supported: llama, mistral, .*, gpt2, bloom, gemma3, /],
  ["an unknown family", "llama", { model_type: "t5" }, /model_type: "t5" \(supported: llama, /],
  ["another activation", "llama", { hidden_act: "relu2" }, /hidden_act: "relu2" \(supported: silu, swish, gelu, /],
  ["an unknown rope type", "qwen2", { rope_scaling: { type: "xpos", factor: 4 } }, /rope_scaling\.type: "xpos" \(supported: default, linear, dynamic, yarn, longrope, llama3, proportional, mrope\)/],
  ["dynamic rope without its factor, in the new layout", "llama", { rope_parameters: { rope_type: "dynamic" } }, /rope_parameters\.factor: missing/],
  ["a rotary setting that is not known", "llama", { rope_parameters: { rope_type: "yarn", factor: 2, llama_4_scaling_beta: 0.1 } }, /rope_parameters\.llama_4_scaling_beta: 0\.1 \(not known/],
  ["longrope with too few factors", "qwen2", { rope_scaling: { type: "longrope", short_factor: [1, 1], long_factor: [1], original_max_position_embeddings: 8 } }, /rope_scaling\.long_factor: \[1\] \(must be a list of 2 numbers > 0\)/],
  ["a rope factor without a type", "llama", { rope_scaling: { factor: 2 } }, /rope_scaling\.rope_type: missing/],
  ["a rope type without its factor", "llama", { rope_scaling: { rope_type: "linear" } }, /rope_scaling\.factor: missing/],
  ["a rope factor below 1", "llama", { rope_scaling: { rope_type: "linear", factor: 0.5 } }, /rope_scaling\.factor: 0\.5 \(must be >= 1\)/],
  ["llama3 rope with factors crossed", "llama", { rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: 4, high_freq_factor: 4, original_max_position_embeddings: 32 } }, /high_freq_factor: 4 \(must be > low_freq_factor, 4\)/],
  ["rope by kind of layer", "llama", { rope_parameters: { full_attention: { rope_type: "default" } } }, /rope_parameters: .*one set for all layers/],
  ["rope over a part of the head", "llama", { partial_rotary_factor: 0.5 }, /partial_rotary_factor: 0\.5/],
  ["a negative size", "llama", { hidden_size: -16 }, /hidden_size: -16 \(must be an integer >= 1\)/],
  ["no layers", "llama", { num_hidden_layers: 0 }, /num_hidden_layers: 0/],
  ["a fraction", "llama", { intermediate_size: 24.5 }, /intermediate_size: 24\.5/],
  ["a number as text", "llama", { vocab_size: "300" }, /vocab_size: "300"/],
  ["kv heads that do not divide the heads", "llama", { num_key_value_heads: 3 }, /num_key_value_heads: 3 \(must divide num_attention_heads, 4\)/],
  ["more kv heads than heads", "llama", { num_key_value_heads: 8 }, /num_key_value_heads: 8/],
  ["heads that do not divide the hidden size", "llama", { hidden_size: 18 }, /hidden_size: 18 \(must be a multiple of num_attention_heads, 4/],
  ["an odd head_dim", "llama", { head_dim: 5 }, /head_dim: 5 \(must be even/],
  ["an odd head_dim by division", "llama", { hidden_size: 12 }, /hidden_size: 12 \(.* = 3 must be even/],
  ["an eps of 0", "llama", { rms_norm_eps: 0 }, /rms_norm_eps: 0 \(must be a number > 0\)/],
  ["a flag as text", "llama", { tie_word_embeddings: "true" }, /tie_word_embeddings: "true" \(must be true or false\)/],
  ["an end token outside the vocabulary", "llama", { eos_token_id: [2, 300] }, /eos_token_id: \[2,300\] \(must be token ids in 0\.\.299\)/],
  ["a window of 0", "mistral", { sliding_window: 0 }, /sliding_window: 0/],
  ...["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size", "max_position_embeddings", "rms_norm_eps"].map(
    (field): [string, Family, RawConfig, RegExp] => [`no ${field}`, "llama", { [field]: undefined }, new RegExp(`${field}: missing`)],
  ),
];
for (const [what, family, changes, message] of impossible) {
  test(`refuses ${what}, naming file and field`, () => {
    assert.throws(() => parse(family, changes), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(error.message.startsWith("dir/config.json: "), error.message);
      return true;
    });
  });
}

test("generation_config.json goes before config.json for the end tokens", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "config.json"), JSON.stringify(rawConfig("llama", { bos_token_id: undefined })));
  assert.deepEqual((await readConfig(folder)).eosTokenIds, [2]);
  await writeFile(join(folder, "generation_config.json"), JSON.stringify({ eos_token_id: [7, 8], bos_token_id: 5 }));
  assert.deepEqual((await readConfig(folder)).eosTokenIds, [7, 8]);
  assert.equal((await readConfig(folder)).bosTokenId, 5);
  await writeFile(join(folder, "generation_config.json"), JSON.stringify({ temperature: 1 }));
  assert.deepEqual((await readConfig(folder)).eosTokenIds, [2]);
  await writeFile(join(folder, "generation_config.json"), JSON.stringify({ eos_token_id: 999 }));
  await assert.rejects(readConfig(folder), /generation_config\.json: eos_token_id: 999/);
  await writeFile(join(folder, "generation_config.json"), "{");
  await assert.rejects(readConfig(folder), /generation_config\.json: not JSON/);
});

test("the tensors of each family", () => {
  const names = (family: Family, changes: RawConfig = {}) => requiredTensors(parse(family, changes)).map(({ name }) => name);
  assert.equal(names("llama").length, 2 * 9 + 3);
  assert.equal(names("llama", { tie_word_embeddings: true }).includes("lm_head.weight"), false);
  assert.deepEqual(names("qwen2").filter((name) => name.startsWith("model.layers.1.") && name.endsWith("bias")), ["q", "k", "v"].map((p) => `model.layers.1.self_attn.${p}_proj.bias`));
  assert.deepEqual(names("qwen3").filter((name) => /layers\.0\..*[qk]_norm/.test(name)), ["q", "k"].map((p) => `model.layers.0.self_attn.${p}_norm.weight`));
  assert.equal(names("llama", { attention_bias: true, mlp_bias: true }).filter((name) => name.endsWith(".bias")).length, 2 * 7);
  const shapes = new Map(requiredTensors(parse("qwen3", { head_dim: 6 })).map(({ name, shape }) => [name, shape]));
  assert.deepEqual(shapes.get("model.layers.0.self_attn.q_proj.weight"), [24, 16]);
  assert.deepEqual(shapes.get("model.layers.0.self_attn.v_proj.weight"), [12, 16]);
  assert.deepEqual(shapes.get("model.layers.0.self_attn.o_proj.weight"), [16, 24]);
  assert.deepEqual(shapes.get("model.layers.0.self_attn.k_norm.weight"), [6]);
  assert.deepEqual(shapes.get("model.layers.0.mlp.down_proj.weight"), [16, 24]);
  assert.deepEqual(shapes.get("model.embed_tokens.weight"), [300, 16]);
});
