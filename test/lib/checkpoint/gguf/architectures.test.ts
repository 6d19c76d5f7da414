// Every architecture of GGUF files: the cases of test/reference/transformers, written as llama.cpp's converter writes them, give transformers' logits.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { readSafetensorsHeader, readTensor } from "../../../../lib/checkpoint/safetensors.js";
import { architectures } from "../../../../lib/checkpoint/gguf/architectures.js";
import { allValues } from "../../../../lib/checkpoint/values.js";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { exportModel } from "../../../../lib/export-model/index.js";
import { load } from "../../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";
import { forward } from "../../../reference/forward.js";
import { checkpointOf, cases, compare, configOf } from "../../../reference/transformers/cases.js";
import { relativeError } from "../../relative-error.js";
import { temporaryFolder } from "../fixtures.js";
import type { GgufTensorToWrite } from "../gguf-file.js";
import { architectureOf, convertedToGguf, type HfTensor } from "./converter.js";

async function tensorsOf(folder: string): Promise<Map<string, HfTensor>> {
  const { tensors } = await readSafetensorsHeader(join(folder, "model.safetensors"));
  return new Map(await Promise.all([...tensors].map(async ([name, stored]) => [name, { shape: stored.shape, values: Float64Array.from((await readTensor(stored)) as Float32Array) }] as const)));
}

const vector = (name: string, values: readonly number[]): GgufTensorToWrite => ({ name, kind: "F32", shape: [values.length], values: Float64Array.from(values) });

/** longrope's and llama3's frequencies are tensors of the file. */
function frequencies(config: Readonly<Record<string, unknown>>): GgufTensorToWrite[] {
  const scaling = { ...(config["rope_scaling"] as object | null), ...(config["rope_parameters"] as object | undefined) } as Record<string, unknown>;
  const kind = scaling["rope_type"] ?? scaling["type"];
  if (kind === "longrope") return [vector("rope_factors_short.weight", scaling["short_factor"] as number[]), vector("rope_factors_long.weight", scaling["long_factor"] as number[])];
  if (kind !== "llama3") return [];
  // As the converter computes them, from wave lengths.
  const [factor, low, high, original] = ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"].map((field) => scaling[field] as number) as [number, number, number, number];
  const headDim = (config["head_dim"] as number | undefined) ?? (config["hidden_size"] as number) / (config["num_attention_heads"] as number);
  const theta = (scaling["rope_theta"] ?? config["rope_theta"]) as number;
  return [vector("rope_freqs.weight", Array.from({ length: headDim / 2 }, (_, i) => {
    const length = 2 * Math.PI * theta ** ((2 * i) / headDim);
    if (length < original / high) return 1;
    if (length > original / low) return factor;
    const smooth = (original / length - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  }))];
}

async function ggufOf(t: TestContext, folder: string, config: Readonly<Record<string, unknown>>): Promise<string> {
  const file = join(await temporaryFolder(t), "model.gguf");
  await writeFile(file, convertedToGguf(config, await tensorsOf(folder), {}, frequencies(config)));
  return file;
}

/** Cases that a GGUF file can say everything of. */
const told = [
  "llama", "llama-linear", "llama-yarn", "llama-llama3", "mistral", "qwen3-yarn", "phi3", "phi3.5-longrope-long", "phi3-crossing", "phi4-mini", "phi4", "gemma2", "gemma3", "olmo2", "olmo2-bias", "olmo3",
  "granite", "granite-mlp-bias", "exaone4", "exaone4-32b", "exaone4-1.2b", "cohere", "cohere-qk-norm", "cohere2", "starcoder2", "stablelm", "stablelm-parallel", "glm", "glm4", "gpt_neox",
  "mixtral", "mixtral-window", "qwen2_moe", "qwen3_moe", "gpt_oss",
];
for (const name of told) {
  test(`${name}: logits of prompt, decoded tokens and pruned prompts are transformers' own`, async (t) => {
    const checkpoint = checkpointOf(name);
    t.after(() => checkpoint.remove());
    const file = await ggufOf(t, checkpoint.folder, configOf(name));
    const model = await load(file, { threads: 1 });
    t.after(() => model.release());
    for (const [what, value] of Object.entries(await compare(name, model))) assert.ok(value < 1e-4, `${what}: ${value}`);
  });
}

/** Others by their own folder, which is held against transformers elsewhere. */
const byFolder: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ["smollm3", { no_rope_layers: undefined, no_rope_layer_interval: 4 }], ["gpt_neox", { use_parallel_residual: false, attention_bias: true }], ["qwen3-yarn", { rope_scaling: null }],
];
for (const [name, changes] of byFolder) {
  test(`${name} with ${JSON.stringify(changes)}: the folder's logits`, async (t) => {
    const checkpoint = checkpointOf(name);
    t.after(() => checkpoint.remove());
    const config = Object.fromEntries(Object.entries({ ...configOf(name), ...changes }).filter(([, value]) => value !== undefined));
    await writeFile(join(checkpoint.folder, "config.json"), JSON.stringify(config));
    const [model, folder] = [await load(await ggufOf(t, checkpoint.folder, config), { threads: 1 }), await load(checkpoint.folder, { threads: 1 })];
    t.after(async () => {
      await model.release();
      await folder.release();
    });
    const [a, b] = [await model.prefill(cases.prompt), await folder.prefill(cases.prompt)];
    assert.ok(relativeError(a.logits, b.logits) < 1e-5);
  });
}

for (const name of ["mixtral", "gpt_oss"]) {
  test(`${name}: experts in one quantised tensor are taken apart`, async (t) => {
    const checkpoint = checkpointOf(name);
    t.after(() => checkpoint.remove());
    const folder = await temporaryFolder(t);
    const [plain, blocks] = [join(folder, "plain.gguf"), join(folder, "blocks.gguf")];
    const tensors = await tensorsOf(checkpoint.folder);
    // Only rows of 32 are whole blocks.
    for (const [file, kind] of [[plain, "F32"], [blocks, "Q8_0"]] as const) {
      await writeFile(file, convertedToGguf(configOf(name), tensors, {}, [], (tensor) => (/(gate|up)_exps\.weight$/.test(tensor) ? kind : "F32")));
    }
    const cacheFolder = join(folder, "cache");
    const [a, b] = [await openCheckpoint(plain, { cacheFolder }), await openCheckpoint(blocks, { cacheFolder })];
    for (const expert of [0, 2]) {
      const weight = `model.layers.5.mlp.experts.${expert}.up_proj.weight`;
      assert.equal(b.tensors.get(weight)!.quantization?.bits, 8);
      assert.ok(relativeError(await allValues(b.tensors.get(weight)!), await allValues(a.tensors.get(weight)!)) < 0.01);
    }
    const model = await load(blocks, { threads: 1, cacheFolder, accuracy: "float32" });
    t.after(() => model.release());
    assert.ok((await compare(name, model)).prefill < 0.1);
  });
}

for (const variant of ["gpt2", "bloom", "gemma", "qwen2", "qwen3-tied"] as const) {
  test(`${variant}: the plain pass's logits`, async (t) => {
    const tiny = tinyCheckpoint(variant);
    t.after(() => tiny.remove());
    const ids = [5, 250, 31, 7, 7, 199, 64, 3];
    const file = await ggufOf(t, tiny.folder, JSON.parse(await readFile(join(tiny.folder, "config.json"), "utf8")) as Record<string, unknown>);
    const model = await load(file, { threads: 1 });
    t.after(() => model.release());
    const error = relativeError((await model.prefill(ids)).logits, forward(tiny.config, tiny.weights, ids).logits);
    assert.ok(error < 1e-4, String(error));
  });
}

test("each architecture has a case", () => {
  const types = new Set([...told, ...byFolder.map(([name]) => name)].map((name) => architectureOf[configOf(name)["model_type"] as string]!));
  // mistral3 is llama under another name.
  assert.deepEqual(Object.keys(architectures).filter((name) => !types.has(name)).sort(), ["bloom", "gemma", "gpt2", "mistral3", "qwen2"]);
});

for (const name of ["gemma3", "olmo3", "granite", "phi3.5-longrope-long", "cohere2", "gpt_neox"]) {
  test(`${name}: the folder that is exported of the file has the same logits`, async (t) => {
    const checkpoint = checkpointOf(name);
    t.after(() => checkpoint.remove());
    const file = await ggufOf(t, checkpoint.folder, configOf(name));
    const output = join(await temporaryFolder(t), "hf");
    await exportModel(await openCheckpoint(file), { to: "safetensors", output, dtype: "fp32" });
    const model = await load(output, { threads: 1 });
    t.after(() => model.release());
    assert.ok((await compare(name, model)).prefill < 1e-4);
  });
}
