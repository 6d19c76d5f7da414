import { z } from "zod";
import { readFloats, readSafetensorsHeader, readTensor } from "../checkpoint/safetensors.js";
import { resolvePreset } from "../pruning/schedule.js";
import type { Activation } from "./capture.js";
import { HostCache } from "./host-cache.js";
import { Run } from "./run.js";
import { RUN_FORMAT, RUN_VERSION } from "./save-run.js";
import { stageResult, type StageResult } from "./stage-result.js";

const count = z.number().int().nonnegative();
const metadataSchema = z.object({
  model: z.string(),
  preset: json(z.object({ name: z.string(), baseDepth: count, kvPolicy: z.enum(["evict", "retain"]), stages: z.array(z.object({ afterBlock: count, ratio: z.number() })) })),
  scorer: z.string().optional(),
  kv_policy: z.enum(["evict", "retain"]),
  stages: json(z.array(z.object({ afterLayer: count, present: count, keep: count, head: count, tail: count }))),
  position: z.coerce.number().int().nonnegative(),
  prefill_seconds: z.coerce.number(),
  kv_lens_after_prefill: json(z.array(count)),
  kv_heads: z.coerce.number().int().positive(),
  head_dim: z.coerce.number().int().positive(),
  tokens: json(z.array(z.string())).optional(),
});

/**
 * A run as `run.save` wrote it: every view and comparison works on it; it cannot be continued, since it has no model.
 * @throws on a file that is no saved run, is of another version, or lacks something, which is named
 */
export async function loadRun(file: string): Promise<Run> {
  const { tensors, metadata } = await readSafetensorsHeader(file);
  if (metadata["format"] !== RUN_FORMAT) throw new Error(`saved run: ${file} (has format ${metadata["format"] ?? "none"} in its metadata, must be ${RUN_FORMAT})`);
  if (metadata["version"] !== RUN_VERSION) throw new Error(`saved run: ${file} (version ${metadata["version"]}, this program reads ${RUN_VERSION})`);
  const parsed = metadataSchema.safeParse(metadata);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new Error(`saved run: ${file} (metadata ${path.join(".")}: ${message})`);
  }
  const saved = parsed.data;
  const stored = (name: string) => tensors.get(name) ?? missing(file, name);
  const floats = (name: string) => readFloats(stored(name));
  const integers = async (name: string) => {
    const values = await readTensor(stored(name));
    if (!(values instanceof Int32Array)) throw new Error(`saved run: ${file} (tensor ${name} is ${stored(name).dtype}, must be I32)`);
    return values;
  };

  const shape = { kvHeads: saved.kv_heads, headDim: saved.head_dim };
  const positions = await Promise.all(saved.kv_lens_after_prefill.map((_, layer) => integers(`layer.${layer}.positions`)));
  const kv = HostCache.empty(shape, positions.map(({ length }) => length));
  for (const [l, layer] of kv.layers.entries()) {
    const { length } = positions[l]!;
    for (const part of ["key", "value"]) requireShape(file, `layer.${l}.${part}`, stored(`layer.${l}.${part}`).shape, [shape.kvHeads, length, shape.headDim]);
    layer.append({ key: await floats(`layer.${l}.key`), value: await floats(`layer.${l}.value`) }, length, positions[l]!);
  }
  const stages: StageResult[] = [];
  for (const [s, stage] of saved.stages.entries()) {
    const scores = tensors.has(`stage.${s}.scores`) ? await floats(`stage.${s}.scores`) : null;
    stages.push(stageResult(stage, await integers(`stage.${s}.present`), await integers(`stage.${s}.kept`), scores));
  }
  const activations = new Map<string, Activation>();
  for (const name of tensors.keys()) {
    const [, activation] = /^activation\.(.+)(?<!\.positions)$/.exec(name) ?? [];
    if (activation) activations.set(activation, { name: activation, shape: stored(name).shape, data: await floats(name), positions: await integers(`${name}.positions`) });
  }
  return new Run({
    ids: [...(await integers("ids"))],
    preset: resolvePreset(saved.preset),
    scorer: saved.scorer ?? null,
    kvPolicy: saved.kv_policy,
    stages,
    kv,
    logits: await floats("logits"),
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

function requireShape(file: string, name: string, shape: readonly number[], expected: readonly number[]): void {
  if (shape.join() !== expected.join()) throw new Error(`saved run: ${file} (tensor ${name} has shape [${shape.join(", ")}], must be [${expected.join(", ")}])`);
}

function missing(file: string, name: string): never {
  throw new Error(`saved run: ${file} (tensor ${name} is missing)`);
}
