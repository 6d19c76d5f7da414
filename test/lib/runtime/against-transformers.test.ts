// Every family and kind of rotary scaling against transformers' own modules.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { load } from "../../../lib/runtime/model.js";
import { cases, checkpointOf, compare, published } from "../../reference/transformers/cases.js";

const LIMIT = 1e-4;

const typeOf = (name: string) => cases.cases[name]!["model_type"];

for (const [index, name] of Object.keys(cases.cases).entries()) {
  // Spelled-out attention once a family: it is its own matter, not the settings'.
  const first = Object.keys(cases.cases).findIndex((other) => typeOf(other) === typeOf(name)) === index;
  for (const attention of first ? (["fused", "plain"] as const) : (["fused"] as const)) {
    test(`${name}, ${attention} attention: logits of prompt, decoded tokens and pruned prompts are transformers' own`, async (t) => {
      const checkpoint = checkpointOf(name);
      const model = await load(checkpoint.folder, { attention, threads: 1 });
      t.after(async () => {
        await model.release();
        checkpoint.remove();
      });
      for (const [what, value] of Object.entries(await compare(name, model))) assert.ok(value < LIMIT, `${what}: ${value}`);
    });
  }
}

/** Changes that must show: a setting that the numbers of a case do not depend on is not tested by it. */
const telling: readonly [name: string, changes: Readonly<Record<string, unknown>>][] = [
  ["llama-both-spellings", { rope_scaling: null }],
  ["llama-theta-inside", { rope_scaling: { rope_type: "linear", factor: 2 } }],
  ["llama-dynamic-beyond", { rope_scaling: { type: "dynamic", factor: 2 } }],
  ["llama-yarn-original-outside", { original_max_position_embeddings: undefined }],
  ["llama-yarn-mscale", { rope_parameters: { rope_type: "yarn", rope_theta: 500, factor: 8, original_max_position_embeddings: 16, beta_fast: 4, beta_slow: 0.5 } }],
  ["llama-yarn-untruncated", { rope_parameters: { rope_type: "yarn", rope_theta: 500, factor: 8, original_max_position_embeddings: 32, attention_factor: 1.25 } }],
  ["llama-longrope-short", { rope_scaling: { rope_type: "longrope", short_factor: Array(8).fill(1), long_factor: Array(8).fill(1), attention_factor: 1.3, original_max_position_embeddings: 64 } }],
  ["llama-proportional", { rope_parameters: { rope_type: "proportional", rope_theta: 500, partial_rotary_factor: 0.5 } }],
  ["mistral-layer-types", { layer_types: undefined }],
  ["qwen2-max-window-layers", { max_window_layers: 2 }],
  ["phi4-mini", { partial_rotary_factor: 1, rope_scaling: null }],
  ["gemma2", { query_pre_attn_scalar: 16 }],
  ["gemma2", { attn_logit_softcapping: null }],
  ["gemma3", { rope_local_base_freq: 10000 }],
  ["gemma3", { rope_scaling: null }],
  ["gemma3-pattern", { sliding_window_pattern: 6 }],
  ["smollm3", { no_rope_layers: [1, 1, 1, 1, 1, 1] }],
  ["olmo3", { rope_scaling: null }],
  ["granite", { residual_multiplier: 1 }],
  ["granite", { attention_multiplier: 0.35 }],
  ["exaone4-32b", { rope_scaling: null }],
  ["cohere", { logit_scale: 1 }],
  ["glm", { partial_rotary_factor: 1 }],
  ["mixtral", { num_experts_per_tok: 1 }],
  ["qwen2_moe", { norm_topk_prob: true }],
  ["qwen2_moe", { num_experts_per_tok: 2 }],
  ["qwen3_moe-unnormalised", { sliding_window: 7 }],
  ["gpt_oss", { rope_scaling: { rope_type: "default" } }],
  ["gpt_oss", { sliding_window: 9 }],
  ["gpt_oss-tight", { swiglu_limit: 7 }],
  ["gpt_oss-tight", { swiglu_alpha: 1.702 }],
  ["gpt_neox", { use_parallel_residual: false }],
  ["gpt_neox", { hidden_act: "silu" }],
];
for (const [name, changes] of telling) {
  test(`${name} tells ${Object.keys(changes).join(", ")} apart`, async (t) => {
    const checkpoint = checkpointOf(name);
    const file = join(checkpoint.folder, "config.json");
    await writeFile(file, JSON.stringify({ ...(JSON.parse(await readFile(file, "utf8")) as object), ...changes }));
    const model = await load(checkpoint.folder, { threads: 1 });
    t.after(async () => {
      await model.release();
      checkpoint.remove();
    });
    const { prefill } = await compare(name, model, "prefill");
    assert.ok(prefill > LIMIT, `${prefill}`);
  });
}

test("a model of text and images keeps its text model under three spellings of the names", async (t) => {
  const own = (name: string) => name.replace(/^model\.language_model\./, "model.");
  for (const spell of [own, (name: string) => `language_model.${own(name)}`]) {
    const checkpoint = checkpointOf("gemma3-multimodal", spell);
    const model = await load(checkpoint.folder, { threads: 1 });
    t.after(async () => {
      await model.release();
      checkpoint.remove();
    });
    assert.ok((await compare("gemma3-multimodal", model, "prefill")).prefill < LIMIT);
  }
});

test("gpt_neox has its head under either name", async (t) => {
  const checkpoint = checkpointOf("gpt_neox", (name) => (name === "lm_head.weight" ? "embed_out.weight" : name));
  const model = await load(checkpoint.folder, { threads: 1 });
  t.after(async () => {
    await model.release();
    checkpoint.remove();
  });
  assert.ok((await compare("gpt_neox", model, "prefill")).prefill < LIMIT);
});

for (const name of ["mixtral", "qwen2_moe-mixed", "qwen3_moe-unnormalised"]) {
  test(`${name} with a matrix for each expert, as it is published`, async (t) => {
    const checkpoint = checkpointOf(name, undefined, published(name));
    const model = await load(checkpoint.folder, { threads: 1 });
    t.after(async () => {
      await model.release();
      checkpoint.remove();
    });
    for (const [what, value] of Object.entries(await compare(name, model))) assert.ok(value < LIMIT, `${what}: ${value}`);
  });
}
