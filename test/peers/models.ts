import { copyFile, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { engineModel } from "../../lib/bench/engine/engine.js";
import { prompt, type Prompt } from "../../lib/bench/prompt.js";
import { cached } from "../../lib/checkpoint/cache.js";
import { openCheckpoint, packageRoot } from "../../lib/checkpoint/index.js";
import { exportModel } from "../../lib/export-model/index.js";
import { formatJson } from "../../lib/format-json.js";
import { smollm2 } from "../lib/models/smollm2.js";
import { command, python, source } from "./environments.js";
import type { Format } from "./peers.js";

export const modelNames = ["smollm2", "8x512"] as const;
export type ModelName = (typeof modelNames)[number];

/** As a table names it. */
export const titles: Readonly<Record<ModelName, string>> = { smollm2: "SmolLM2-135M-Instruct", "8x512": "8 blocks, d 512 (synthetic weights)" };

/** The prompt of a model: shipped prose, or random ids where there is no tokenizer that was trained with it. */
export async function promptOf(model: ModelName, length: number): Promise<Prompt> {
  return prompt(await openCheckpoint(model === "8x512" ? engineModel : await modelIn(model, "safetensors")), length);
}

/**
 * A model as a peer reads it, made once and kept in the cache folder: the same float32 numbers in each form, from which each peer makes its own fewer bits.
 * @returns a folder, or a file of GGUF
 * @throws why it cannot be had
 */
export async function modelIn(model: ModelName, format: Format, signal?: AbortSignal): Promise<string> {
  const name = format.startsWith("gguf-") ? "model.gguf" : "model";
  const folder = await cached(`peers-${model}-${format}`, (temporary) => make(model, format, join(temporary, name), signal));
  return join(folder, name);
}

async function make(model: ModelName, format: Format, output: string, signal?: AbortSignal): Promise<void> {
  const exported = async (to: "safetensors" | "onnx" | "gguf", dtype: string, from?: string) => {
    const checkpoint = await openCheckpoint(from ?? (await modelIn(model, "safetensors", signal)), { ...(signal && { signal }) });
    await exportModel(checkpoint, { to, output, dtype, ...(signal && { signal }) });
  };
  const [kind, dtype] = format.split("-") as [string, string];
  switch (kind) {
    case "safetensors": return original(model, output, signal);
    case "onnx": return exported("onnx", "fp32");
    case "gguf": {
      if (dtype !== "q4_0") return exported("gguf", dtype);
      const interpreter = await python("requirements-gguf.txt", signal);
      await command(interpreter, [source("convert", "gguf_q4_0.py"), await modelIn(model, "gguf-fp32", signal), output], { signal });
      return;
    }
    case "genai": {
      const interpreter = await python("requirements-onnxruntime-genai.txt", signal);
      await command(interpreter, [source("convert", "genai.py"), await modelIn(model, "safetensors", signal), output, dtype], { env: offline, signal });
      return;
    }
    case "openvino": {
      const interpreter = await python("requirements-openvino-genai.txt", signal);
      await command(interpreter, [source("convert", "openvino_model.py"), await modelIn(model, "safetensors", signal), output, dtype], { env: offline, signal });
      return;
    }
    default: throw new Error(`format: ${format} (is none)`);
  }
}

/** Nothing is asked of a hub. */
export const offline = { HF_HUB_OFFLINE: "1", TRANSFORMERS_OFFLINE: "1", HF_HUB_DISABLE_TELEMETRY: "1", TOKENIZERS_PARALLELISM: "false" };

/** The model in float32, as a Hugging Face folder. */
async function original(model: ModelName, output: string, signal?: AbortSignal): Promise<void> {
  const from = model === "smollm2" ? await downloaded() : engineModel;
  const checkpoint = await openCheckpoint(from, { dtype: "fp32", ...(signal && { signal }) });
  await exportModel(checkpoint, { to: "safetensors", output, dtype: "fp32", ...(signal && { signal }) });
  if (model === "smollm2") return;
  // Peers want the name of a class, and some tokenizer to be there: ids are all that is ever given to them.
  const config = join(output, "config.json");
  await writeFile(config, formatJson({ architectures: ["LlamaForCausalLM"], ...(JSON.parse(await readFile(config, "utf8")) as object), bos_token_id: 0, eos_token_id: 0 }));
  await copyFile(join(packageRoot(), "lib", "models", "tiny", "tokenizer.json"), join(output, "tokenizer.json"));
}

async function downloaded(): Promise<string> {
  const found = await smollm2();
  if ("missing" in found) throw new Error(found.missing);
  return found.file;
}

/** Reads a model's files once: every peer finds them in memory, whichever was there before. */
export async function readThrough(path: string): Promise<void> {
  const about = await stat(path);
  const files = about.isDirectory() ? (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)) : [path];
  for (const file of files) for await (const _ of createReadStream(file, { highWaterMark: 2 ** 22 }));
}
