import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeFloats } from "../checkpoint/dtype.js";
import { requiredTensors } from "../checkpoint/required.js";
import type { Checkpoint, Family, ModelConfig } from "../checkpoint/types.js";
import { weightValues } from "../checkpoint/values.js";
import { RotaryTables, ropeSets } from "../decoder/rotary.js";
import { GraphBuilder } from "../onnx/builder.js";
import { toOnnx } from "../onnx/serialize.js";
import { writeCompanions } from "./companions.js";
import { requireHalf } from "./half.js";
import { generationGraph, type ExternalWeight } from "./onnx-graph.js";
import type { ExportDtype } from "./options.js";

/** Browsers hold a file of data in one buffer: at most this many bytes. */
const FILE_BYTES = 2 ** 31 - 2 ** 20;
const MODEL = "model.onnx";

interface Planned extends ExternalWeight {
  readonly elements: number;
  readonly values: () => AsyncIterable<Float32Array> | Iterable<Float32Array>;
}

/**
 * Writes a folder as transformers.js loads it: onnx/model.onnx with its weights beside it, configuration, tokenizer. Computed in
 * float32, whatever the weights are held in. @returns notes
 */
export async function toOnnxFolder(checkpoint: Checkpoint, folder: string, dtype: ExportDtype, count: (elements: number) => void): Promise<string[]> {
  const { config } = checkpoint;
  const files: number[] = [];
  const plan = (name: string, shape: readonly number[], stored: "F32" | "F16", values: Planned["values"]): Planned => {
    const elements = shape.reduce((a, b) => a * b, 1);
    const length = elements * (stored === "F16" ? 2 : 4);
    if (files.length === 0 || files.at(-1)! + length > FILE_BYTES) files.push(0);
    const offset = files.at(-1)!;
    files[files.length - 1] = offset + length;
    return { name, shape, dtype: stored, location: dataFile(files.length - 1), offset, length, elements, values };
  };
  const half = dtype === "fp16" ? "F16" : "F32";
  const weights = requiredTensors(config).map(({ name, shape }) => plan(name, shape, half, () => weightValues(checkpoint.tensors.get(name)!)));
  requireOneRope(config);
  if (unknown.includes(config.family)) throw new Error(`export: ${config.family} to ONNX (transformers.js does not know this family: take safetensors)`);
  const tables = [...new RotaryTables(config).prompt(config.maxPositions)].map(([name, { data, shape }]) => plan(name, shape, "F32", () => [data]));
  const g = new GraphBuilder("model", "standard");
  generationGraph(g, config, new Map([...weights, ...tables].map((weight) => [weight.name, weight])));

  await mkdir(join(folder, "onnx"));
  await writeFile(join(folder, "onnx", MODEL), toOnnx(g));
  await writeData(join(folder, "onnx"), [...weights, ...tables], (weight, values) => {
    if (weight.dtype === "F16") requireHalf(weight.name, values);
    if (!tables.includes(weight)) count(values.length);
  });
  return writeCompanions(checkpoint, folder, { "transformers.js_config": { dtype: "fp32", use_external_data_format: { [MODEL]: files.length } } });
}

/** The graph holds one table of angles for all lengths. @throws where they depend on the length of the sequence */
function requireOneRope(config: ModelConfig): void {
  const changing = ropeSets(config).find(({ rope: { scaling } }) => scaling?.kind === "dynamic" || scaling?.kind === "longrope");
  if (changing) throw new Error(`export: rope type ${changing.rope.scaling!.kind} to ONNX (its frequencies depend on the length of the sequence: take safetensors)`);
}

/** Families that transformers.js 4 has no model class for. */
const unknown: readonly Family[] = ["exaone4", "glm4"];

const dataFile = (index: number) => `${MODEL}_data${index === 0 ? "" : `_${index}`}`;

/** The weights one after the other, in the order of the plan. */
async function writeData(folder: string, weights: readonly Planned[], seen: (weight: Planned, values: Float32Array) => void): Promise<void> {
  for (const location of new Set(weights.map((weight) => weight.location))) {
    const handle = await open(join(folder, location), "wx");
    try {
      for (const weight of weights.filter((each) => each.location === location)) {
        for await (const values of weight.values()) {
          seen(weight, values);
          await handle.writeFile(encodeFloats(weight.dtype, values));
        }
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
