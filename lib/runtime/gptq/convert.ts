// Weights in 4 bits, rounded for what their inputs are: block by block, on texts that go through what is rounded already.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { RoundInto } from "../../checkpoint/convert.js";
import { elementCount } from "../../checkpoint/dtype.js";
import { dtypeOf, encodedElements, encodeTensors } from "../../checkpoint/encode.js";
import { requireFreeSpace } from "../../checkpoint/free-space.js";
import { correctDrift } from "../../checkpoint/gptq/drift.js";
import { factorise, unknownInputs, type InputFactor } from "../../checkpoint/gptq/factor.js";
import { roundByInputs } from "../../checkpoint/gptq/round.js";
import { BLOCK } from "../../checkpoint/quantize.js";
import type { RequiredTensor } from "../../checkpoint/required.js";
import { tensorBytes, writeSafetensors } from "../../checkpoint/safetensors.js";
import { allValues } from "../../checkpoint/values.js";
import { formatName } from "../../checkpoint/weight-dtype.js";
import { indexFile } from "../../checkpoint/weights.js";
import { writeWhole } from "../../files.js";
import { LayerRuns, type InputGroup } from "./layer.js";
import { Products } from "./product.js";
import { readRounded, tensorsOf, type RoundedMatrix } from "./rounded.js";
import { calibrationTexts } from "./texts.js";

/** Share of an input's own moment that is added to it. */
const DAMPING = 0.02;
/** Bytes of second moments that are held at once, unless those of a single group are more. */
const MOMENTS = 2 ** 29;

type RoundParameters = Parameters<RoundInto> extends [...infer First, infer Options] ? [...First, Options & { readonly threads?: number | undefined }] : never;

/**
 * Fills a folder with a checkpoint's weights in 4 bits. Each block has a file of its own, so that what was begun goes on where it was stopped.
 * Matrices whose inputs are not known (no tokenizer) get the scales of the smallest square error.
 */
export async function roundInto(...[folder, checkpoint, tensors, format, valuesOf, { onProgress, signal, threads }]: RoundParameters): Promise<void> {
  const { config } = checkpoint;
  const metadata = { format: "pt", sdtp_weights: formatName(format) };
  const ofLayer = (layer: number) => tensors.filter((tensor) => tensor.name.startsWith(`model.layers.${layer}.`) && dtypeOf(tensor, format) === "int4");
  const layers = Array.from({ length: config.layers }, (_, layer) => ofLayer(layer));
  const inLayers = new Set(layers.flat().map(({ name }) => name));
  const rest = encodeTensors(tensors.filter(({ name }) => !inLayers.has(name)), format, valuesOf);
  await requireFreeSpace(folder, bytesOf(layers.flat()) + rest.reduce((sum, tensor) => sum + tensorBytes(tensor), 0), `${checkpoint.name} in ${formatName(format)}`);
  const texts = await calibrationTexts(checkpoint);
  const runs = texts && new LayerRuns(checkpoint, texts, { threads, signal });
  const products = new Products(threads);
  const files = new Map<string, string>();
  let done = 0;
  try {
    await runs?.start();
    for (const [layer, list] of layers.entries()) {
      const name = `layer-${String(layer).padStart(5, "0")}.safetensors`;
      const file = join(folder, name);
      const shapes = new Map(list.map((tensor) => [tensor.name, tensor.shape]));
      let rounded = new Map<string, RoundedMatrix>();
      const groups = runs?.groups(layer, new Set(shapes.keys())) ?? [];
      // The same graph whether this block is rounded already or not: another one's numbers may differ in their last bits.
      await runs?.begin(layer, groups);
      if (existsSync(file)) {
        rounded = await readRounded(file, shapes);
        onProgress((done += encodedElements(list)));
      } else {
        const round = async (each: string, factor: InputFactor, drift: Float64Array | null) => {
          rounded.set(each, await roundMatrix(each, shapes.get(each)!, factor, drift));
          onProgress((done += elementCount(shapes.get(each)!)));
        };
        for (const stage of stages(groups)) {
          const all = await runs!.moments(layer, stage, rounded);
          for (const [i, { names, inputs }] of stage.entries()) {
            const { moments, drift } = all[i]!;
            if (!moments.every(Number.isFinite)) throw new Error(`inputs of ${names[0]}: not finite (${checkpoint.name} on the texts that int4 is rounded by; int4:nearest does without)`);
            const factor = await factorise(moments, inputs, BLOCK, DAMPING, products.product);
            for (const each of names) await round(each, factor, drift);
          }
        }
        for (const { name: each, shape } of list) if (!rounded.has(each)) await round(each, unknownInputs(shape[1]!, BLOCK), null);
        await writeSafetensors(file, list.flatMap((tensor) => tensorsOf(tensor.name, rounded.get(tensor.name)!)), metadata);
      }
      for (const tensor of list) for (const each of tensorsOf(tensor.name, rounded.get(tensor.name)!)) files.set(each.name, name);
      if (layer < config.layers - 1) await runs?.advance(layer, rounded);
    }
  } finally {
    await products.release();
  }
  const last = "rest.safetensors";
  await writeSafetensors(join(folder, last), rest, metadata);
  for (const { name } of rest) files.set(name, last);
  await writeWhole(join(folder, indexFile), `${JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(files) }, null, 2)}\n`);

  async function roundMatrix(name: string, [rows, columns]: readonly number[], factor: InputFactor, drift: Float64Array | null): Promise<RoundedMatrix> {
    const stored = await allValues(checkpoint.tensors.get(name)!);
    const values = drift ? await correctDrift(stored, factor, drift, products.product) : stored;
    const made = await roundByInputs(values, factor, { blockSize: BLOCK, symmetric: format.symmetric, product: products.product, signal }).catch((error: Error) => {
      throw signal?.aborted ? error : new Error(`tensor ${name}: ${error.message}`);
    });
    return { ...made, rows: rows!, columns: columns! };
  }
}

/** Groups in the order in which they are computed: those of one stage do not hang on each other. Of experts all that is of one kind, as far as memory allows. */
function stages(groups: readonly InputGroup[]): InputGroup[][] {
  const all: InputGroup[][] = [];
  const kind = ({ names }: InputGroup) => names.map((name) => name.split(".").at(-2)!).sort()[0]!;
  const bytes = (list: readonly InputGroup[]) => list.reduce((sum, { inputs }) => sum + 8 * inputs ** 2, 0);
  for (const group of groups) {
    const last = all.at(-1);
    if (last && kind(last[0]!) === kind(group) && bytes([...last, group]) <= MOMENTS) last.push(group);
    else all.push([group]);
  }
  return all;
}

const bytesOf = (tensors: readonly RequiredTensor[]): number => tensors.reduce((sum, { shape }) => sum + Math.ceil(0.65 * elementCount(shape)), 0);
