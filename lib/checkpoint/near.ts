// Which weights of a quantised file have no form that the processor multiplies without loss and that is about as small as the file's
// (tables of uneven steps, scales of a few bits for 16 elements each, five and six bits an element, experts with offsets), and the nearest form that is.
import { dequantizeRows, quantizeRows, type QuantizedRows } from "./quantize.js";
import { expertsOf, fitsExperts, multipliedInBlocks, type BlockKind } from "./expert-blocks.js";
import type { BlockForm } from "./encode.js";
import { nearestRows } from "./nearest.js";
import type { HeldNear, NearKind } from "./types.js";

/** How often its size in the file a weight may be held in before a smaller form is worth an error. Above what float32 scales beside Q4_K take. */
const NEAR = 1.4;

/** A weight in blocks, as it is held without loss. */
export interface LosslessBlocks extends BlockKind {
  readonly name: string;
  readonly rows: number;
  /** Bits that an element takes in the model's own files. */
  readonly fileBits: number;
}

const four = (blockSize: number): BlockForm => ({ bits: 4, blockSize, zeroPoints: true, encode: (values, columns) => nearestRows(values, columns, blockSize) });
/** Finer by far than five or six bits: what zero points would gain is not worth their bytes. */
const eight = (blockSize: number): BlockForm => ({ bits: 8, blockSize, zeroPoints: false, encode: (values, columns) => quantizeRows(values, columns, 8, true, blockSize) });

/** Bits that an element and its share of float32 scales and offsets take in memory. */
const heldBits = ({ bits, blockSize, offsets }: LosslessBlocks): number => bits + (offsets ? 64 : 32) / blockSize;

/** Whether a type's elements are of 4 bits or fewer: Q4_1 takes 5 with its scales. */
const fourBits = ({ fileBits }: LosslessBlocks): boolean => fileBits <= 5;

/** The form nearest to a weight's size in the file, looked at alone; null: it is held near that already. */
function nearForm(weight: LosslessBlocks): BlockForm | null {
  if (heldBits(weight) <= NEAR * weight.fileBits) return null;
  return weight.fileBits < 4 ? four(128) : fourBits(weight) ? four(32) : eight(128);
}

/**
 * The forms of the weights that are to be held otherwise than without loss, by name. The experts of an MLP are multiplied together: where their lossless
 * blocks would be widened to float32, all get one form, that of those with most bits.
 */
export function nearForms(weights: readonly LosslessBlocks[]): ReadonlyMap<string, BlockForm> {
  const forms = new Map<string, BlockForm>();
  for (const weight of weights) {
    const form = nearForm(weight);
    if (form) forms.set(weight.name, form);
  }
  for (const group of byExperts(weights)) {
    const asHeld = group.map((weight) => ({ ...weight, ...(forms.get(weight.name) && { ...forms.get(weight.name)!, offsets: false }) }));
    // Beside matrices of plain numbers none is multiplied in blocks, whatever its form.
    const whole = ["gate", "up", "down"].every((part) => 3 * group.filter(({ name }) => name.includes(`.${part}_proj.`)).length === group.length);
    if (!whole || multipliedInBlocks(asHeld) || !group.every(({ columns }) => fitsExperts(columns, 32))) continue;
    const bits = group.every(fourBits) ? 4 : 8;
    for (const weight of group) {
      if (weight.bits === bits && weight.blockSize === 32 && !weight.offsets) forms.delete(weight.name);
      else forms.set(weight.name, bits === 4 ? four(32) : eight(32));
    }
  }
  return forms;
}

/** Bytes that weights take in memory where they are held without loss. */
export function losslessBytes(weights: readonly LosslessBlocks[]): number {
  const widened = new Set(byExperts(weights).filter((group) => !multipliedInBlocks(group)).flat());
  return weights.reduce((sum, weight) => sum + (weight.rows * weight.columns * (widened.has(weight) ? 32 : heldBits(weight))) / 8, 0);
}

/** The experts of each MLP. */
function byExperts(weights: readonly LosslessBlocks[]): LosslessBlocks[][] {
  const groups = new Map<string, LosslessBlocks[]>();
  for (const weight of weights) {
    const experts = expertsOf(weight.name);
    if (experts === null) continue;
    const group = groups.get(experts);
    if (group) group.push(weight);
    else groups.set(experts, [weight]);
  }
  return [...groups.values()];
}

/** Squares of what was lost and of the weights, by kind, while they are encoded. */
export class Losses {
  private readonly kinds = new Map<string, { kind: string; bits: 4 | 8; blockSize: number; elements: number; difference: number; size: number }>();

  /** The same form, which counts what it loses of a kind of weights (`q6_k`). */
  counted(kind: string, form: BlockForm): BlockForm {
    const { bits, blockSize, encode } = form;
    const key = `${kind} ${bits} ${blockSize}`;
    const sums = this.kinds.get(key) ?? { kind, bits, blockSize, elements: 0, difference: 0, size: 0 };
    this.kinds.set(key, sums);
    return {
      ...form,
      encode(values: Float32Array, columns: number): QuantizedRows {
        const rows = encode(values, columns);
        const held = dequantizeRows(rows, columns, bits, blockSize);
        let [difference, size] = [0, 0];
        for (let i = 0; i < values.length; i++) {
          difference += (held[i]! - values[i]!) ** 2;
          size += values[i]! ** 2;
        }
        sums.elements += values.length;
        sums.difference += difference;
        sums.size += size;
        return rows;
      },
    };
  }

  /** @param losslessBytes see `HeldNear` */
  summary(losslessBytes: number): HeldNear {
    const all = [...this.kinds.values()];
    const share = (difference: number, size: number) => (size === 0 ? 0 : Math.sqrt(difference / size));
    const sum = (of: "difference" | "size") => all.reduce((total, each) => total + each[of], 0);
    return { error: share(sum("difference"), sum("size")), losslessBytes, kinds: all.map(({ difference, size, ...kind }): NearKind => ({ ...kind, error: share(difference, size) })) };
  }
}
