import { writeSafetensors, type TensorToWrite } from "../checkpoint/safetensors.js";
import type { TokenPlan } from "../methods/plan/plan.js";
import type { Activation } from "./capture.js";
import type { KvCache } from "./kv-cache.js";
import type { StageResult } from "./stage-result.js";

/** The `format` entry in the metadata of a saved run, and the version of what is described here. */
export const RUN_FORMAT = "sdtp-run";
export const RUN_VERSION = "1";
/** Of a file whose layers hold other numbers of tokens by head, which version 1 had no room for; all else is written as it was. */
export const RAGGED_VERSION = "2";

/** What is saved of a run. */
export interface SavedState {
  readonly ids: readonly number[];
  readonly plan: TokenPlan;
  readonly modelName: string;
  readonly scorer: string | null;
  readonly stages: readonly StageResult[];
  readonly kv: KvCache;
  readonly logits: Float32Array;
  readonly position: number;
  readonly prefillSeconds: number;
  readonly kvLengthsAfterPrefill: readonly number[];
  readonly activations: ReadonlyMap<string, Activation>;
  texts(): Promise<readonly string[] | null>;
}

/**
 * A run as a safetensors file.
 * Tensors: `ids` `[n]` I32; `logits` `[vocabulary]`; for each layer L `layer.L.key` and `layer.L.value` `[kvHeads, length, headDim]`
 * as they are held (F32, F16, or I8 with `layer.L.key.scale` and `layer.L.value.scale` `[kvHeads, length]`), and
 * `layer.L.positions` `[length]` I32 (`[kvHeads, length]` where heads hold other tokens each); for each stage S `stage.S.present` and `stage.S.kept` I32 and, where they were read,
 * `stage.S.scores`; for each captured activation `activation.NAME` and `activation.NAME.positions`. Floats are F32.
 * Where heads hold different numbers of tokens, `layer.L.lengths` `[kvHeads]` I32 says how many, and those of all heads stand one after the other: `layer.L.positions`
 * `[rows]`, keys and values `[rows, headDim]`, scales `[rows]`.
 * Metadata: format, version, model, preset (JSON), scorer, kv_policy, kv_dtype, stages (JSON), position, prefill_seconds,
 * kv_lens_after_prefill (JSON), tokens (JSON: text of each token), kv_heads, head_dim.
 */
export async function saveRun(run: SavedState, file: string): Promise<void> {
  const texts = await run.texts();
  const { stages } = run;
  const kv = await run.kv.toHost();
  const tensors: TensorToWrite[] = [integers("ids", Int32Array.from(run.ids)), floats("logits", run.logits, [run.logits.length])];
  kv.layers.forEach((layer, l) => {
    const each = Array.from({ length: layer.kvHeads }, (_, head) => layer.headPositions(head));
    const shape = kv.ragged ? [each.reduce((sum, { length }) => sum + length, 0), layer.headDim] : [layer.kvHeads, layer.length, layer.headDim];
    if (kv.ragged) tensors.push(integers(`layer.${l}.lengths`, Int32Array.from(each, ({ length }) => length)));
    const dtype = ({ fp32: "F32", fp16: "F16", int8: "I8" } as const)[layer.kvDtype];
    const heads = (part: "key" | "value") => Array.from({ length: layer.kvHeads }, (_, head) => layer.stored(part, head));
    if (layer.uniform && !kv.ragged) tensors.push(integers(`layer.${l}.positions`, layer.positions));
    else tensors.push({ name: `layer.${l}.positions`, dtype: "I32", shape: shape.slice(0, -1), data: () => each });
    for (const part of ["key", "value"] as const) {
      tensors.push({ name: `layer.${l}.${part}`, dtype, shape, data: () => heads(part).map(({ elements }) => elements) });
      if (dtype === "I8") tensors.push({ name: `layer.${l}.${part}.scale`, dtype: "F32", shape: shape.slice(0, -1), data: () => heads(part).map(({ scales }) => scales!) });
    }
  });
  stages.forEach((stage, s) => {
    tensors.push(integers(`stage.${s}.present`, stage.presentPositions), integers(`stage.${s}.kept`, stage.kept));
    if (stage.scores) tensors.push(floats(`stage.${s}.scores`, stage.scores, [stage.scores.length]));
  });
  for (const { name, data, shape, positions } of run.activations.values()) {
    tensors.push(floats(`activation.${name}`, data, shape), integers(`activation.${name}.positions`, positions));
  }
  await writeSafetensors(file, tensors, {
    format: RUN_FORMAT,
    version: kv.ragged ? RAGGED_VERSION : RUN_VERSION,
    model: run.modelName,
    preset: JSON.stringify(run.plan.method),
    ...(run.scorer !== null && { scorer: run.scorer }),
    kv_policy: run.plan.kvPolicy,
    kv_dtype: kv.layers[0]?.kvDtype ?? "fp32",
    stages: JSON.stringify(stages.map(({ afterLayer, present, keep, head, tail }) => ({ afterLayer, present, keep, head, tail }))),
    position: String(run.position),
    prefill_seconds: String(run.prefillSeconds),
    kv_lens_after_prefill: JSON.stringify(run.kvLengthsAfterPrefill),
    kv_heads: String(kv.layers[0]?.kvHeads ?? 0),
    head_dim: String(kv.layers[0]?.headDim ?? 0),
    ...(texts && { tokens: JSON.stringify(texts) }),
  });
}

function integers(name: string, data: Int32Array): TensorToWrite {
  return { name, dtype: "I32", shape: [data.length], data };
}

function floats(name: string, data: Float32Array, shape: readonly number[]): TensorToWrite {
  return { name, dtype: "F32", shape, data };
}
