import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { requireFreeSpace } from "../checkpoint/free-space.js";
import { requiredTensors } from "../checkpoint/required.js";
import type { Checkpoint } from "../checkpoint/types.js";
import { makeFolder } from "../files.js";
import { exportDtype, type Exported, type ExportOptions } from "./options.js";

export { exportTargets, type Exported, type ExportOptions, type ExportTarget } from "./options.js";

/**
 * Writes a model for other programs, tensor by tensor: an ONNX folder as transformers.js loads it, a Hugging Face folder, or a GGUF
 * file for llama.cpp. Whole or not at all.
 * @example
 * await sdtp.exportModel(model.checkpoint, { to: "onnx", output: "models/tiny" })
 * @throws where the output is there already, the family or dtype has no place in the target, or the disk has no room
 */
export async function exportModel(checkpoint: Checkpoint, { to, output: asked, dtype: askedDtype, onProgress, signal }: ExportOptions): Promise<Exported> {
  const output = resolve(asked);
  const dtype = exportDtype(checkpoint, to, askedDtype);
  if (existsSync(output)) throw new Error(`output: ${output} (is there already: remove it, or give another)`);
  const elements = requiredTensors(checkpoint.config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const elementBits = { fp32: 32, fp16: 16, bf16: 16, q8_0: 8.5 }[dtype];
  const folder = dirname(output);
  const temporary = join(folder, `.${process.pid}-${randomBytes(4).toString("hex")}.tmp`);
  try {
    await makeFolder(folder);
    await requireFreeSpace(folder, (elements * elementBits) / 8, `the ${to} model`);
    if (to !== "gguf") await mkdir(temporary);
  } catch (error) {
    const { syscall, code } = error as NodeJS.ErrnoException;
    throw syscall ? new Error(`output: ${output} (cannot be written: ${code})`) : error;
  }
  let done = 0;
  const count = (more: number) => {
    signal?.throwIfAborted();
    onProgress?.((done += more), elements);
  };
  try {
    const notes = await writer(to).then((write) => write(checkpoint, temporary, dtype, count));
    await rename(temporary, output);
    const lost = checkpoint.near ? [`weights are not the file's own but what they are held in, near its size (${(100 * checkpoint.near.error).toFixed(2)} % off): open it with dtype "stored" to write its own`] : [];
    return { output, dtype, bytes: await bytesOf(output), notes: [...lost, ...notes] };
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

async function writer(to: ExportOptions["to"]) {
  switch (to) {
    case "safetensors": return (await import("./to-safetensors.js")).toSafetensors;
    case "gguf": return (await import("./to-gguf.js")).toGguf;
    case "onnx": return (await import("./to-onnx.js")).toOnnxFolder;
  }
}

async function bytesOf(path: string): Promise<number> {
  const about = await stat(path);
  if (!about.isDirectory()) return about.size;
  const sizes = await Promise.all((await readdir(path)).map((name) => bytesOf(join(path, name))));
  return sizes.reduce((a, b) => a + b, 0);
}
