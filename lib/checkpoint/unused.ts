import { isFloatDtype } from "./dtype.js";
import { definitions } from "./families/index.js";
import { embeddingName, headName } from "./encode.js";
import { requiredTensors } from "./required.js";
import { readBytes, readFloats } from "./safetensors.js";
import type { ModelConfig, StoredTensor } from "./types.js";

/** Rotary frequencies and their tables, which older files hold though the configuration says them. */
const rotaryBuffer = /(^|\.)rotary_emb\.(inv_freq|cos_cached|sin_cached)$/;

export interface Settled {
  readonly config: ModelConfig;
  /** What the model needs, and nothing else. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/**
 * Accounts for every tensor of a checkpoint: needed, known to say nothing of text (rotary frequencies, causal masks, biases of zeros, what reads images), or one of two that are tied.
 * Of an embedding and a head that config.json ties, either may be missing; where both are there and differ, both count, as in transformers.
 * @param tensors under llama's names, what the model does not need under its own
 * @param folder named in errors
 * @throws on any other tensor, by its name: left out, it would make other numbers than the model's own
 */
export async function settleTensors(config: ModelConfig, tensors: ReadonlyMap<string, StoredTensor>, folder: string): Promise<Settled> {
  const settled = await settleTies(config, tensors);
  const needed = new Set(requiredTensors(settled.config).map(({ name }) => name));
  const { buffers } = definitions[config.family];
  for (const [name, tensor] of settled.tensors) {
    if (!needed.has(name) && !rotaryBuffer.test(name) && !buffers?.test(name) && !(await isNoBias(name, tensor))) throw new Error(`tensor ${name}: in ${folder}, but a ${config.family} model with this config.json has no use for it (${advice(name)})`);
  }
  return { config: settled.config, tensors: new Map([...settled.tensors].filter(([name]) => needed.has(name))) };
}

/** AutoGPTQ writes a bias for every module, of zeros where the model has none. */
async function isNoBias(name: string, tensor: StoredTensor): Promise<boolean> {
  return /_proj\.bias$/.test(name) && isFloatDtype(tensor.dtype) && (await readFloats(tensor)).every((value) => value === 0);
}

function advice(name: string): string {
  if (/lora_|\.base_layer\./.test(name)) return "merge the adapter into the model first";
  if (/(_proj|lm_head)\.bias$/.test(name)) return "left out, it would change the numbers: config.json says that there is no such bias";
  return "left out, it would change the numbers";
}

async function settleTies(config: ModelConfig, tensors: ReadonlyMap<string, StoredTensor>): Promise<Settled> {
  if (!config.tiedEmbeddings) return { config, tensors };
  const [embedding, head] = [tensors.get(embeddingName), tensors.get(headName)];
  if (!head) return { config, tensors };
  const others = new Map([...tensors].filter(([, tensor]) => tensor !== head));
  if (!embedding) return { config, tensors: others.set(embeddingName, { ...head, name: embeddingName }) };
  if (await sameBytes(embedding, head)) return { config, tensors: others };
  return { config: { ...config, tiedEmbeddings: false }, tensors: others.set(headName, { ...head, name: headName }) };
}

async function sameBytes(a: StoredTensor, b: StoredTensor): Promise<boolean> {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join() || a.view || b.view) return false;
  if (a.file === b.file && a.offset === b.offset) return true;
  const others = readBytes(b)[Symbol.asyncIterator]();
  for await (const bytes of readBytes(a)) {
    const other = (await others.next()).value as Uint8Array;
    if (Buffer.compare(bytes, other) !== 0) {
      await others.return(undefined);
      return false;
    }
  }
  return true;
}
