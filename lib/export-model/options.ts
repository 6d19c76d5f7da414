import type { Checkpoint } from "../checkpoint/types.js";

export const exportTargets = ["onnx", "safetensors", "gguf"] as const;
export type ExportTarget = (typeof exportTargets)[number];

/** What weights are written in, by target; the first of 16 bits is the usual one for 16-bit weights. */
const dtypes = {
  onnx: ["fp32", "fp16"],
  safetensors: ["fp32", "fp16", "bf16"],
  gguf: ["fp32", "fp16", "bf16", "q8_0"],
} as const satisfies Record<ExportTarget, readonly string[]>;
export type ExportDtype = (typeof dtypes)[ExportTarget][number];

export interface ExportOptions {
  readonly to: ExportTarget;
  /** The folder (onnx, safetensors) or file (gguf) to write. Must not be there yet. */
  readonly output: string;
  /** Default: what the weights are stored in, where the target has it. */
  readonly dtype?: string;
  /** Called with weights done and all of them, in elements. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface Exported {
  /** Absolute path of what was written. */
  readonly output: string;
  readonly dtype: ExportDtype;
  /** Bytes of the weights. */
  readonly bytes: number;
  /** What a user of the result should know. */
  readonly notes: readonly string[];
}

/** @throws on a target or dtype that is none */
export function exportDtype({ tensors }: Checkpoint, to: ExportTarget, asked: string | undefined): ExportDtype {
  if (!exportTargets.includes(to)) throw new Error(`export: ${String(to)} (must be ${exportTargets.join(", ")})`);
  const known: readonly string[] = dtypes[to];
  if (asked !== undefined) {
    if (!known.includes(asked)) throw new Error(`dtype: ${asked} (${to} takes ${known.join(", ")})`);
    return asked as ExportDtype;
  }
  const stored = tensors.get("model.embed_tokens.weight");
  const own = stored?.quantization ? (to === "gguf" ? "q8_0" : "fp16") : stored?.dtype === "F16" ? "fp16" : stored?.dtype === "BF16" ? "bf16" : "fp32";
  // Brain floats have a range that half precision lacks.
  return (known.includes(own) ? own : "fp32") as ExportDtype;
}
