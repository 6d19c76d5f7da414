import { z } from "zod";
import { readFloats, readSafetensorsHeader, readStored, readTensor } from "../checkpoint/safetensors.js";
import type { StoredDtype } from "../checkpoint/types.js";
import { kvDtypes } from "../checkpoint/kv-dtype.js";
import type { UserMethod } from "../methods/method.js";
import { planTokens } from "../methods/plan/plan.js";
import { resolveMethod } from "../methods/resolve.js";
import type { Activation } from "./capture.js";
import { HostCache } from "./host-cache.js";
import { Run } from "./run.js";
import { heldLength, type HeldPositions } from "./kv-cache.js";
import type { StoredHead } from "./kv-store.js";
import { RAGGED_VERSION, RUN_FORMAT, RUN_VERSION } from "./save-run.js";
import { stageResult, type StageResult } from "./stage-result.js";

const count = z.number().int().nonnegative();
const metadataSchema = z.object({
  model: z.string(),
  // Its fields are checked where the method is made whole.
  preset: json(z.custom<UserMethod>((value) => typeof value === "object" && value !== null, "must be a method")),
  scorer: z.string().optional(),
  kv_policy: z.enum(["evict", "retain"]),
  kv_dtype: z.enum(kvDtypes).default("fp32"),
  stages: json(z.array(z.object({ afterLayer: z.number().int().min(-1), present: count, keep: count, head: count, tail: count }))),
  position: z.coerce.number().int().nonnegative(),
  prefill_seconds: z.coerce.number(),
  // Means over heads, where they hold different numbers.
  kv_lens_after_prefill: json(z.array(z.number().nonnegative())),
  kv_heads: z.coerce.number().int().positive(),
  head_dim: z.coerce.number().int().positive(),
  tokens: json(z.array(z.string())).optional(),
});

/**
 * A run as `run.save` wrote it: every view and comparison works on it; it cannot be continued, since it has no model.
 * @throws on a file that is no saved run, is of another version, or lacks or contradicts something, which is named
 */
export async function loadRun(file: string): Promise<Run> {
  const { tensors, metadata } = await readSafetensorsHeader(file);
  if (metadata["format"] !== RUN_FORMAT) throw new Error(`saved run: ${file} (has format ${metadata["format"] ?? "none"} in its metadata, must be ${RUN_FORMAT})`);
  const ragged = metadata["version"] === RAGGED_VERSION;
  if (metadata["version"] !== RUN_VERSION && !ragged) throw new Error(`saved run: ${file} (version ${metadata["version"]}, this program reads ${RUN_VERSION} and ${RAGGED_VERSION})`);
  const parsed = metadataSchema.safeParse(metadata);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new Error(`saved run: ${file} (metadata ${path.join(".")}: ${message})`);
  }
  const saved = parsed.data;
  /** @throws on another dtype or shape; `null` in a shape: any size */
  const stored = (name: string, dtype: StoredDtype, shape: readonly (number | null)[]) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`saved run: ${file} (tensor ${name} is missing)`);
    if (tensor.dtype !== dtype) throw new Error(`saved run: ${file} (tensor ${name} is ${tensor.dtype}, must be ${dtype})`);
    if (tensor.shape.length !== shape.length || !shape.every((size, i) => size === null || size === tensor.shape[i])) {
      throw new Error(`saved run: ${file} (tensor ${name} has shape [${tensor.shape.join(", ")}], must be [${shape.map((size) => size ?? "n").join(", ")}])`);
    }
    return tensor;
  };
  const floats = (name: string, shape: readonly (number | null)[]) => readFloats(stored(name, "F32", shape));
  const integers = async (name: string, length: number | null) => (await readTensor(stored(name, "I32", [length]))) as Int32Array;
  /** Positions, ascending, of the first `end`. */
  const positionsOf = async (name: string, length: number | null, end: number) => ascending(name, await integers(name, length), end);
  const ascending = (name: string, positions: Int32Array, end: number) => {
    const at = positions.findIndex((position, i) => position <= (positions[i - 1] ?? -1) || position >= end);
    if (at >= 0) throw new Error(`saved run: ${file} (tensor ${name} has position ${positions[at]} at ${at}, must be ascending and below ${end})`);
    return positions;
  };

  const ids = [...(await integers("ids", null))];
  const n = ids.length;
  if (saved.tokens && saved.tokens.length !== n) throw new Error(`saved run: ${file} (metadata tokens: ${saved.tokens.length} texts for ${n} ids)`);
  const { kv_heads: kvHeads, head_dim: headDim, kv_dtype: kvDtype } = saved;
  const positions = await Promise.all(saved.kv_lens_after_prefill.map(async (_, layer): Promise<HeldPositions> => {
    const name = `layer.${layer}.positions`;
    if (ragged) {
      const lengths = await integers(`layer.${layer}.lengths`, kvHeads);
      const short = lengths.findIndex((length) => length < 0);
      if (short >= 0) throw new Error(`saved run: ${file} (tensor layer.${layer}.lengths has ${lengths[short]} for head ${short}, must be 0 or more)`);
      const all = await integers(name, lengths.reduce((sum, length) => sum + length, 0));
      let start = 0;
      return Array.from(lengths, (length) => ascending(name, all.slice(start, (start += length)), saved.position));
    }
    if (tensors.get(name)?.shape.length !== 2) return positionsOf(name, null, saved.position);
    const all = (await readTensor(stored(name, "I32", [kvHeads, null]))) as Int32Array;
    const each = all.length / kvHeads;
    return Array.from({ length: kvHeads }, (_, head) => ascending(name, all.slice(head * each, (head + 1) * each), saved.position));
  }));
  const kv = HostCache.holding({ kvHeads, headDim }, positions, 0, kvDtype);
  /** @param held of a layer: how its rows stand in the file */
  const rowsShape = (held: HeldPositions) => (ragged ? [(held as readonly Int32Array[]).reduce((sum, { length }) => sum + length, 0)] : [kvHeads, heldLength(held)]);
  const held = async (name: string, rows: readonly number[]): Promise<StoredHead> => {
    const elements = stored(name, ({ fp32: "F32", fp16: "F16", int8: "I8" } as const)[kvDtype], [...rows, headDim]);
    const { buffer, byteOffset } = (await readStored(elements)) as Uint8Array<ArrayBuffer>;
    const Typed = { fp32: Float32Array, fp16: Uint16Array, int8: Int8Array }[kvDtype];
    return {
      elements: new Typed(buffer, byteOffset, rows.reduce((a, b) => a * b, headDim)),
      scales: kvDtype === "int8" ? ((await floats(`${name}.scale`, rows)) as Float32Array<ArrayBuffer>) : null,
    };
  };
  for (const [l, layer] of kv.layers.entries()) {
    const rows = rowsShape(positions[l]!);
    layer.restore(positions[l]!, { key: await held(`layer.${l}.key`, rows), value: await held(`layer.${l}.value`, rows) });
  }
  const stages: StageResult[] = [];
  for (const [s, stage] of saved.stages.entries()) {
    const scores = tensors.has(`stage.${s}.scores`) ? await floats(`stage.${s}.scores`, [stage.present]) : null;
    stages.push(stageResult(stage, await positionsOf(`stage.${s}.present`, stage.present, n), await positionsOf(`stage.${s}.kept`, stage.keep, n), scores));
  }
  const activations = new Map<string, Activation>();
  for (const name of tensors.keys()) {
    const [, activation] = /^activation\.(.+)(?<!\.positions)$/.exec(name) ?? [];
    if (!activation) continue;
    const { shape } = tensors.get(name)!;
    activations.set(activation, { name: activation, shape, data: await floats(name, shape), positions: await positionsOf(`${name}.positions`, null, n) });
  }
  return new Run({
    ids,
    plan: planTokens(resolveMethod(saved.preset), n, kv.layers.length, saved.kv_policy),
    scorer: saved.scorer ?? null,
    stages,
    kv,
    logits: await floats("logits", [null]),
    prefillSeconds: saved.prefill_seconds,
    activations,
    position: saved.position,
    kvLengthsAfterPrefill: saved.kv_lens_after_prefill,
    source: { file, modelName: saved.model, texts: saved.tokens ?? null },
  });
}

/** A string that holds JSON of the given kind. */
function json<Schema extends z.ZodType>(schema: Schema) {
  return z.string().transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: "custom", message: "is not JSON" });
      return z.NEVER;
    }
  }).pipe(schema);
}
