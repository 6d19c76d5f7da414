import { methodNames } from "../methods/all.js";
import { presets } from "../methods/sdtp.js";

/** A prompt length as tables write it: whole multiples of 1024 as 1K, 2K, …, others as they are. */
export function lengthLabel(length: number): string {
  return length % 1024 === 0 && length > 0 ? `${length / 1024}K` : String(length);
}

/** How a configuration is called in tables: `Baseline`, `SDTP (keep07)`, with what tells it from others of its name `SDTP (keep07, norm)`; methods of others by their names, `snapkv-0.25`. */
export function methodLabel(config: string, variant = ""): string {
  if (config === "baseline") return "Baseline";
  return isRival(config) ? variantLabel(config, variant) : `SDTP (${variantLabel(config, variant)})`;
}

/** A shipped method that is not SDTP's, with or without what it keeps after its name. */
function isRival(config: string): boolean {
  const name = methodNames.includes(config) ? config : config.replace(/-[\d.]+$/, "");
  return methodNames.includes(name) && !Object.hasOwn(presets, name);
}

/** `keep07`, `keep07, norm`. */
export function variantLabel(config: string, variant: string): string {
  return variant === "" ? config : `${config}, ${variant}`;
}

/** What weights are held in, and what is computed in where that is something else: `fp16 (computed in fp32)`. */
export function dtypeLabel({ dtype, compute_dtype: computed }: { readonly dtype: string; readonly compute_dtype?: string | undefined }): string {
  return computed === undefined || computed === dtype ? dtype : `${dtype} (computed in ${computed})`;
}

/** A loaded model and how it computes. */
export interface MeasuredModel {
  readonly name: string;
  readonly device: string;
  readonly dtype: string;
  readonly computeDtype: string;
  readonly kvDtype: string;
  /** Undefined: as many as there are cores. */
  readonly threads: number | undefined;
  readonly checkpoint: { readonly synthetic: boolean };
}

/** What was measured and where: `tiny, device cpu, dtype fp16 (computed in fp32), threads 2`. */
export function modelLabel({ name, device, dtype, computeDtype, kvDtype, threads, checkpoint }: MeasuredModel): string {
  const kv = kvDtype === "fp32" ? "" : `, KV dtype ${kvDtype}`;
  return `${name}, device ${device}, dtype ${dtypeLabel({ dtype, compute_dtype: computeDtype })}${kv}, threads ${threads ?? "one a core"}${checkpoint.synthetic ? ", synthetic weights" : ""}`;
}

/** Sorts configurations as the presets stand, others after them by name. */
export function byConfig(a: string, b: string): number {
  const known = methodNames;
  const rank = (config: string) => (known.includes(config) ? known.indexOf(config) : known.length);
  return rank(a) - rank(b) || (a < b ? -1 : Number(a > b));
}
