// Every family written as safetensors and as ONNX: the numbers stay transformers' own.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { openCheckpoint } from "../../../lib/checkpoint/index.js";
import { exportModel } from "../../../lib/export-model/index.js";
import { load } from "../../../lib/runtime/model.js";
import { cases, checkpointOf, compare, published, reference } from "../../reference/transformers/cases.js";
import { relativeError } from "../inspect/setup.js";

const folder = mkdtempSync(join(tmpdir(), "sdtp-export-families-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const types = new Map(Object.entries(cases.cases).reverse().map(([name, config]) => [config["model_type"] as string, name]));
const names = [...types.values(), "llama-yarn-mscale", "stablelm-parallel", "cohere-qk-norm", "gpt_neox-sequential", "gemma3-rope-parameters"];

/** What transformers calls the tensors: names with the layers' numbers taken out. gpt2's and bloom's files are of the bare model. */
const patterns = (tensors: Iterable<string>) => [...new Set([...tensors].map((name) => name.replace(/^transformer\./, "").replace(/(layers|h)\.\d+\./, "$1.*.")))].sort();

for (const name of names) {
  test(`${name} as safetensors: the family's own names, and the same numbers`, async (t) => {
    const original = checkpointOf(name);
    const output = join(folder, `${name}-safetensors`);
    await exportModel(await openCheckpoint(original.folder), { to: "safetensors", output, dtype: "fp32" });
    original.remove();
    const model = await load(output, { threads: 1 });
    t.after(() => model.release());
    assert.ok((await compare(name, model, "prefill")).prefill < 1e-4);
    const bytes = readFileSync(join(output, "model.safetensors"));
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + Number(bytes.readBigUInt64LE()))) as Record<string, unknown>;
    delete header["__metadata__"];
    const tensors = Object.entries(reference.cases[name]!.tensors).flatMap(([tensor, shape]) => published(name)({ name: tensor, shape: [...shape], values: new Float64Array(0), dtype: "F32" }));
    const own = tensors.map((tensor) => tensor.name).map((each) => each.replace(/^model\.language_model\./, "model."));
    assert.deepEqual(patterns(Object.keys(header)), patterns(name.startsWith("gpt_neox") ? own.map((each) => (each === "lm_head.weight" ? "embed_out.weight" : each)) : own));
    const config = JSON.parse(readFileSync(join(output, "config.json"), "utf8")) as Record<string, unknown>;
    assert.equal(config["text_config"], undefined);
  });

  test(`${name} as ONNX: the same numbers, or refused by name`, async () => {
    const original = checkpointOf(name);
    const output = join(folder, `${name}-onnx`);
    const checkpoint = await openCheckpoint(original.folder);
    const { family, ropeScaling, layers, kvHeads, headDim } = checkpoint.config;
    const exported = exportModel(checkpoint, { to: "onnx", output, dtype: "fp32" });
    if (["glm4", "exaone4"].includes(family)) await assert.rejects(exported, new RegExp(`export: ${family} to ONNX`));
    else if (["dynamic", "longrope"].includes(ropeScaling?.kind ?? "")) await assert.rejects(exported, new RegExp(`export: rope type ${ropeScaling!.kind} to ONNX`));
    else {
      await exported;
      const session = await InferenceSession.create(join(output, "onnx", "model.onnx"));
      const n = cases.prompt.length;
      const int64 = (values: readonly number[], dims: readonly number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), dims);
      const all = Array.from({ length: n }, (_, i) => i);
      const past = Object.fromEntries(Array.from({ length: layers }, (_, l) => (["key", "value"] as const).map((part) => [`past_key_values.${l}.${part}`, new Tensor("float32", new Float32Array(0), [1, kvHeads, 0, headDim])] as const)).flat());
      const result = await session.run({ input_ids: int64(cases.prompt, [1, n]), attention_mask: int64(all.map(() => 1), [1, n]), position_ids: int64(all, [1, n]), num_logits_to_keep: int64([1], []), ...past });
      assert.ok(relativeError(result["logits"]!.data as Float32Array, reference.cases[name]!.prefill) < 1e-4);
      await session.release();
    }
    original.remove();
  });
}

test("numbers of config.json keep their digits: transformers takes 5.0 for a float and 5 not", async () => {
  const original = checkpointOf("gemma2");
  const file = join(original.folder, "config.json");
  writeFileSync(file, readFileSync(file, "utf8").replace('"final_logit_softcapping":5', '"final_logit_softcapping":5.0'));
  const output = join(folder, "digits");
  await exportModel(await openCheckpoint(original.folder), { to: "safetensors", output, dtype: "fp32" });
  original.remove();
  assert.match(readFileSync(join(output, "config.json"), "utf8"), /"final_logit_softcapping": 5\.0,/);
});

test("to GGUF only the families and activations that llama.cpp has this graph for, the others by name", async () => {
  for (const [name, message] of [["olmo2", /export: olmo2 to GGUF \(supported: /], ["llama-gelu", /export: llama with gelu to GGUF/], ["llama-yarn", /export: rope_scaling yarn to GGUF/]] as const) {
    const original = checkpointOf(name);
    await assert.rejects(openCheckpoint(original.folder).then((checkpoint) => exportModel(checkpoint, { to: "gguf", output: join(folder, `${name}.gguf`), dtype: "fp32" })), message);
    original.remove();
  }
});
