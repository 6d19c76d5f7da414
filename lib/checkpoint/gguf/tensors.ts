import { elementCount } from "../dtype.js";
import { requiredTensors } from "../required.js";
import type { StoredTensor } from "../types.js";
import { viewed } from "../view.js";
import type { GgufConfig } from "./config.js";
import type { GgufHeader, GgufTensor } from "./header.js";
import { ggufSource, type GgufSource } from "./names.js";
import { isPlain } from "./types.js";

/** A weight that the model needs and where the file has it. */
export interface LocatedTensor {
  /** llama's Hugging Face name. */
  readonly name: string;
  readonly shape: readonly number[];
  /** The tensor that it is, or is some rows of. */
  readonly tensor: GgufTensor;
  readonly source: GgufSource;
}

/** Tensors that are in the configuration, or say nothing that is not known otherwise (rotary frequencies as llama's first files had them). */
const elsewhere = /^rope_(freqs|factors_short|factors_long)\.weight$|^blk\.\d+\.attn_rot_embd(\.weight)?$/;

/**
 * Finds every weight in the file.
 * @throws on one that is missing or has another shape than the metadata make it, and on a tensor of the file that the model has no
 * use for: left out, it would make other numbers than the model's own
 */
export function locateTensors({ architecture, config }: GgufConfig, { tensors }: GgufHeader, file: string): LocatedTensor[] {
  const used = new Set<string>();
  const located = requiredTensors(config).map(({ name, shape }): LocatedTensor => {
    const source = ggufSource(name, architecture, config, (own) => tensors.has(own));
    const tensor = tensors.get(source.name);
    if (!tensor) throw new Error(`tensor ${source.name}: missing in ${file}`);
    const expected = [source.rows?.of ?? shape[0]!, ...shape.slice(1)];
    if (!fits(tensor.shape, expected, source.rows !== undefined)) throw new Error(`tensor ${source.name}: shape [${tensor.shape.join(", ")}] in ${tensor.file} (the metadata make it [${expected.join(", ")}])`);
    used.add(source.name);
    return { name, shape, tensor, source };
  });
  for (const { name, file } of tensors.values()) {
    if (!used.has(name) && !elsewhere.test(name)) throw new Error(`tensor ${name}: in ${file}, but a model of architecture ${architecture} with these metadata has no use for it`);
  }
  return located;
}

/** Tensors of all experts have an axis for them, whose rows here lie one below the other; vectors may have an axis of one. */
function fits(shape: readonly number[], expected: readonly number[], parts: boolean): boolean {
  const same = (a: readonly number[], b: readonly number[]) => a.join() === b.join();
  const leading = shape.slice(0, shape.length - expected.length + 1);
  return same(shape.filter((size) => size !== 1), expected.filter((size) => size !== 1)) || (parts && same([elementCount(leading), ...shape.slice(leading.length)], expected));
}

/** A tensor as a range of the file, for the readers of whole bytes. */
export const asStored = (tensor: GgufTensor): StoredTensor => ({ ...tensor, dtype: isPlain(tensor.type) ? tensor.type : "U8" });

/** A weight of plain numbers where it is in the file: some rows of a tensor as a shorter range, interleaved heads as a view. */
export function inPlace({ name, shape, tensor, source: { rows, interleavedHeads: heads } }: LocatedTensor): StoredTensor {
  const whole = { ...asStored(tensor), name, shape: rows ? tensor.shape : shape };
  const rest = shape.slice(1);
  const part = rows ? viewed(whole, { stored: [rows.of, ...rest], slice: { axis: 0, from: rows.from, to: rows.to } }, shape) : whole;
  if (heads === null) return part;
  const headDim = shape[0]! / heads;
  return viewed(part, { stored: [heads, headDim / 2, 2, ...rest], perm: [0, 2, 1, ...rest.map((_, i) => 3 + i)] }, shape);
}
