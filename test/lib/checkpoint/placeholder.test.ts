// What people have in the place of a model's file, numbers no model has, and JSON as Python writes it.
import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { temporaryFolder } from "./fixtures.js";
import { ggufOf } from "./gguf-file.js";
import { parseJsonObject } from "../../../lib/checkpoint/json.js";

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
const page = "<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n";

function folder(t: TestContext): string {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  return tiny.folder;
}

for (const [what, text, says] of [["a Git LFS pointer", pointer, /a Git LFS pointer, not the file that it stands for \(git lfs pull fetches that/], ["a web page", page, /a web page, not the file itself \(fetch it again/]] as const) {
  test(`${what} in the place of safetensors, GGUF, PyTorch and config.json is called that`, async (t) => {
    const model = folder(t);
    const refused = (file: string) => assert.rejects(openCheckpoint(file === "model.gguf" ? join(model, file) : model), (error: Error) => error.message.includes(`${file}: `) && says.test(error.message) && !error.message.includes("\n"));
    await writeFile(join(model, "model.gguf"), text);
    await refused("model.gguf");
    await rm(join(model, "model.gguf"));
    await writeFile(join(model, "model.safetensors"), text);
    await refused("model.safetensors");
    await rm(join(model, "model.safetensors"));
    await writeFile(join(model, "pytorch_model.bin"), text);
    await refused("pytorch_model.bin");
    await writeFile(join(model, "config.json"), text);
    await refused("config.json");
  });
}

test("config.json: a byte order mark is passed over, Python's NaN refused where a number is asked for, other encodings and folders named", async (t) => {
  const model = folder(t);
  const file = join(model, "config.json");
  const text = await readFile(file, "utf8");
  const written = async (content: string | Uint8Array) => {
    await writeFile(file, content);
    return openCheckpoint(model);
  };
  assert.equal((await written(`\ufeff${text}`)).config.layers, 3);
  assert.equal((await written(text.replace("{", '{"time_step_limit": [0.0, Infinity, -Infinity, NaN], "of": "a \\"NaN\\", Infinity",'))).config.layers, 3);
  await assert.rejects(written(text.replace(/"rms_norm_eps":[^,}]+/, '"rms_norm_eps": NaN')), /config\.json: rms_norm_eps: "NaN" \(must be a number > 0\)/);
  await assert.rejects(written(text.replace(/"rms_norm_eps":[^,}]+/, '"rms_norm_eps": 1e400')), /config\.json: rms_norm_eps: Infinity \(must be a number > 0\)/);
  await assert.rejects(written(Buffer.from(`\ufeff${text}`, "utf16le")), /config\.json: not JSON: no UTF-8 text \(save it as UTF-8\)/);
  await assert.rejects(written('{\n  "a": 1,\n}\n'), (error: Error) => /config\.json: not JSON: /.test(error.message) && !error.message.includes("\n"));
  await rm(file);
  await mkdir(file);
  await assert.rejects(openCheckpoint(model), /config\.json: is a folder \(must be a JSON file\)/);
  // In data a missing number is no answer.
  assert.throws(() => parseJsonObject('{"answers": NaN}', "line 3"), /line 3: not JSON/);
});

test("more layers, heads or experts than any model has are refused before names are made for them", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const file = join(tiny.folder, "config.json");
  const raw = JSON.parse(await readFile(file, "utf8")) as object;
  for (const [changes, message] of [
    [{ num_hidden_layers: 1e9 }, /config\.json: num_hidden_layers: 1000000000 \(must be at most 10000\)/],
    [{ num_attention_heads: 1e9, num_key_value_heads: 1e9 }, /num_attention_heads: 1000000000 \(must be at most 10000\)/],
    [{ model_type: "qwen3_moe", num_experts: 2 ** 40 }, /num_experts: 1099511627776 \(must be at most 10000\)/],
    [{ model_type: "mixtral", num_local_experts: 9999, num_hidden_layers: 9999 }, /num_local_experts: 9999 \(must be at most 50 with 9999 layers\)/],
  ] as const) {
    await writeFile(file, JSON.stringify({ ...raw, ...changes }));
    await assert.rejects(openCheckpoint(tiny.folder), message);
  }
  const gguf = join(await temporaryFolder(t), "m.gguf");
  await writeFile(gguf, ggufOf(tiny.config, tiny.weights, tiny.shapes, () => "F32", { "llama.block_count": 2 ** 32 - 1 }).bytes);
  await assert.rejects(openCheckpoint(gguf), /m\.gguf \(its metadata\): num_hidden_layers: 4294967295 \(must be at most 10000\)/);
});
