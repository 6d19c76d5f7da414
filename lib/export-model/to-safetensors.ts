import { existsSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { parseConfig } from "../checkpoint/config.js";
import { elementCount } from "../checkpoint/dtype.js";
import { definitions } from "../checkpoint/families/index.js";
import { requiredTensors } from "../checkpoint/required.js";
import type { TensorToWrite } from "../checkpoint/safetensors.js";
import { writeShards } from "../checkpoint/shards.js";
import type { Checkpoint, StoredTensor, TensorView } from "../checkpoint/types.js";
import { allValues, weightValues } from "../checkpoint/values.js";
import { applyView } from "../checkpoint/view.js";
import { writeCompanions } from "./companions.js";
import type { ExportDtype } from "./options.js";
import { requireHalf } from "./half.js";

/** A tensor as the family's own files have it, and the weights that it is made of: itself, or views of it. */
interface OwnTensor {
  readonly shape: readonly number[];
  readonly parts: { readonly stored: StoredTensor; readonly view: TensorView | undefined; readonly cut: TensorView | undefined }[];
  /** What the family adds to the weight, where the checkpoint has it added already. */
  readonly added: number;
}

/** Writes a Hugging Face folder: config.json, model.safetensors or shards with their index, tokenizer, pruning modules where there are. @returns notes */
export async function toSafetensors(checkpoint: Checkpoint, folder: string, dtype: ExportDtype, count: (elements: number) => void): Promise<string[]> {
  const kind = dtype as "fp32" | "fp16" | "bf16";
  const notes = await writeCompanions(checkpoint, folder, { torch_dtype: { fp32: "float32", fp16: "float16", bf16: "bfloat16" }[kind], dtype: undefined });
  const added = checkpoint.described ? parseConfig(checkpoint.described.config(), checkpoint.name).normOffset - checkpoint.config.normOffset : 0;
  const tensors = [...ownTensors(checkpoint, added)].map(([name, own]): TensorToWrite => ({
    name, shape: own.shape, dtype: ({ fp32: "F32", fp16: "F16", bf16: "BF16" } as const)[kind], data: () => counted(name, own, dtype, count),
  }));
  await writeShards(folder, tensors, { format: "pt" });
  const modules = join(checkpoint.folder, "pruner.safetensors");
  if (existsSync(modules)) await copyFile(modules, join(folder, "pruner.safetensors"));
  return notes;
}

/** The weights under the names and in the layouts of the family's own files: some families fuse or turn matrices. */
function ownTensors({ config, tensors }: Checkpoint, added: number): Map<string, OwnTensor> {
  const { source } = definitions[config.family];
  const own = new Map<string, OwnTensor>();
  for (const { name, shape } of requiredTensors(config)) {
    const { name: ownName, view, cut } = source?.(name, config) ?? { name };
    const tensor = own.get(ownName) ?? { shape: cut ? cut.stored : view ? fileShape(view, shape) : shape, parts: [], added: /norm\.weight$/.test(name) ? added : 0 };
    tensor.parts.push({ stored: tensors.get(name)!, view, cut });
    own.set(ownName, tensor);
  }
  return own;
}

/** The shape in the file. A view may count its bytes along other axes: the rows are then as long as those of its part. */
function fileShape({ stored }: TensorView, [, ...rest]: readonly number[]): readonly number[] {
  return stored.length === rest.length + 1 ? stored : [elementCount(stored) / elementCount(rest), ...rest];
}

async function* counted(name: string, { shape, parts, added }: OwnTensor, dtype: ExportDtype, count: (elements: number) => void): AsyncGenerator<Float32Array> {
  const whole = parts.every(({ view, cut }) => view === undefined && cut === undefined);
  for await (const held of whole ? weightValues(parts[0]!.stored) : assembled(shape, parts)) {
    const values = added === 0 ? held : held.map((value) => value - added);
    if (dtype === "fp16") requireHalf(name, values);
    yield values;
    count(values.length);
  }
}

/** The parts put where their views take them from. */
async function* assembled(shape: readonly number[], parts: OwnTensor["parts"]): AsyncGenerator<Float32Array> {
  const whole = new Float32Array(elementCount(shape));
  for (const { stored, view, cut } of parts) {
    const row = cut ? elementCount(cut.stored.slice(1)) : 0;
    const [from, to] = cut ? [cut.slice!.from * row, cut.slice!.to * row] : [0, whole.length];
    const all = Int32Array.from({ length: to - from }, (_, i) => from + i);
    const places = view ? applyView(all, view) : all;
    const values = await allValues(stored);
    places.forEach((place, i) => (whole[place] = values[i]!));
  }
  yield whole;
}
