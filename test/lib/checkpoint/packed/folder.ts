import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { writeSafetensors, type TensorToWrite } from "../../../../lib/checkpoint/safetensors.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";
import type { Variant } from "../../../reference/variants.js";

/** A matrix of a model: what to write for it, and the values that it then has. */
export interface Replaced {
  readonly tensors: TensorToWrite[];
  readonly values: Float32Array;
}

export interface Folders {
  /** With quantised projections. */
  readonly quantised: string;
  /** The same values in float32. */
  readonly exact: string;
  /** Values of each matrix that was replaced, by name. */
  readonly values: ReadonlyMap<string, Float32Array>;
  /** Where what is made of the first is kept. */
  readonly cache: string;
}

const sizes = { hidden_size: 128, intermediate_size: 160, head_dim: 32, num_hidden_layers: 2 };

/**
 * A tiny model in two folders, its projections quantised in one and written out in the other.
 * @param replace given a projection's name without ".weight" and its shape `[out, in]`; null: it stays as it is
 * @param quantization of config.json @param extra files to write beside it
 */
export async function folders(t: TestContext, variant: Variant, replace: (base: string, out: number, inputs: number, at: number) => Replaced | null, quantization: object | null, extra: Readonly<Record<string, object>> = {}, config: object = sizes): Promise<Folders> {
  const tiny = tinyCheckpoint(variant, { config });
  const root = mkdtempSync(join(tmpdir(), "sdtp-packed-"));
  t.after(() => { tiny.remove(); rmSync(root, { recursive: true, force: true }); });
  const values = new Map<string, Float32Array>();
  const [plain, packed]: TensorToWrite[][] = [[], []];
  let at = 0;
  for (const [name, weight] of tiny.weights) {
    const shape = tiny.shapes.get(name)!;
    const replaced = /_proj\.weight$/.test(name) ? replace(name.replace(/\.weight$/, ""), shape[0]!, shape[1]!, at++) : null;
    const data = replaced?.values ?? Float32Array.from(weight);
    plain!.push({ name, dtype: "F32", shape, data });
    packed!.push(...(replaced?.tensors ?? [{ name, dtype: "F32" as const, shape, data }]));
    if (replaced) values.set(name, replaced.values);
  }
  const write = async (label: string, tensors: TensorToWrite[], changes: object) => {
    const folder = join(root, label);
    await writeSafetensors(join(folder, "model.safetensors"), tensors, { format: "pt" });
    writeFileSync(join(folder, "config.json"), JSON.stringify({ ...JSON.parse(readFileSync(join(tiny.folder, "config.json"), "utf8")) as object, ...changes }));
    return folder;
  };
  const quantised = await write("quantised", packed!, quantization ? { quantization_config: quantization } : {});
  for (const [file, value] of Object.entries(extra)) writeFileSync(join(quantised, file), JSON.stringify(value));
  return { quantised, exact: await write("exact", plain!, {}), values, cache: join(root, "cache") };
}

export const open = ({ quantised, cache }: Folders) => openCheckpoint(quantised, { cacheFolder: cache });
