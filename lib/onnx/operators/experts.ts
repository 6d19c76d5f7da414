import type { Attribute, Value } from "../graph.js";
import { float, int } from "./attributes.js";
import { IntegerProducts } from "./integer-products.js";
import type { QuantizedMatrix } from "./products.js";

/** Largest finite float32. */
const FLOAT_MAX = 3.4028234663852886e38;

/** How experts are chosen and what they compute. */
export interface ExpertSettings {
  /** Experts that a token goes to. */
  readonly perToken: number;
  /** `gate sigmoid(alpha gate) (up + 1)`, clamped to `limit`; null: `silu(gate) up`. */
  readonly gate: { readonly alpha: number; readonly limit: number } | null;
}

/** Every expert's matrix in blocks. */
export interface ExpertBlocks {
  readonly quants: Value;
  readonly scales: Value;
  readonly zeroPoints: Value | null;
  readonly bias: Value | null;
}

/** Mixtures of experts. */
export class Experts extends IntegerProducts {
  /**
   * Mixture of experts on `x` `[n, d]`: each token goes through the `perToken` experts of the highest `logits` `[n, experts]`,
   * whose shares, a softmax over those, add up to 1 (not normalised, ONNX Runtime 1.30 gives zeros where it computes in place). CPU.
   * @param first weight `[experts, 2 f, d]`, rows of gate and up in turn, bias `[experts, 2 f]` @param second weight `[experts, d, f]`, bias `[experts, d]`
   */
  moe(x: Value, logits: Value, first: { weight: Value; bias: Value | null }, second: { weight: Value; bias: Value | null }, settings: ExpertSettings): Value {
    return this.node("MoE", [x, logits, first.weight, first.bias, second.weight, second.bias], [{ dtype: x.dtype, shape: x.shape }], expertAttributes(settings), "com.microsoft")[0]!;
  }

  /** As `moe`, of weights in blocks of quantised elements, unrounded. Quants `[experts, rows, bytes]`, scales `[experts, rows, blocks]`. */
  qmoe(x: Value, logits: Value, first: ExpertBlocks, second: ExpertBlocks, settings: ExpertSettings & Pick<QuantizedMatrix, "bits" | "blockSize">): Value {
    return this.node("QMoE", [x, logits, first.quants, first.scales, first.bias, second.quants, second.scales, second.bias, null, null, null, ...(first.zeroPoints ? [first.zeroPoints, second.zeroPoints] : [])],
      [{ dtype: x.dtype, shape: x.shape }], { ...expertAttributes(settings), expert_weight_bits: int(settings.bits), block_size: int(settings.blockSize) }, "com.microsoft")[0]!;
  }
}

function expertAttributes({ perToken, gate }: ExpertSettings): Record<string, Attribute> {
  return {
    k: int(perToken), normalize_routing_weights: int(1), activation_type: { kind: "string", value: "swiglu" }, swiglu_fusion: int(1),
    activation_alpha: float(gate?.alpha ?? 1), activation_beta: float(gate ? 1 : 0), swiglu_limit: float(gate?.limit ?? FLOAT_MAX),
  };
}
