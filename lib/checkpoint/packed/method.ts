import { join } from "node:path";
import { existsSync } from "node:fs";
import { Fields } from "../fields.js";
import { readJsonObject } from "../json.js";
import type { AwqSettings } from "./awq.js";
import type { CompressedSettings } from "./compressed.js";
import type { Fp8Settings } from "./fp8.js";
import type { GptqSettings } from "./gptq.js";

/** How a checkpoint's weights are quantised. */
export type Method =
  | { readonly kind: "gptq"; readonly settings: GptqSettings }
  | { readonly kind: "awq"; readonly settings: AwqSettings }
  | { readonly kind: "compressed"; readonly settings: CompressedSettings & Fp8Settings }
  | { readonly kind: "fp8"; readonly settings: Fp8Settings }
  | { readonly kind: "mxfp4"; readonly settings: { readonly where: string } };

const readable = "gptq, awq, auto-round, compressed-tensors with integers or fp8, fp8, fbgemm_fp8, mxfp4";
/** What to do about a method that is not read. */
const instead: Readonly<Record<string, string>> = {
  bitsandbytes: "take the checkpoint it was made of, whose weights --dtype int4 or int8 holds in as little, or one in GPTQ, AWQ or GGUF",
};
const insteadOfAll = "take the checkpoint it was made of, with --dtype int4 or int8, or one in GPTQ, AWQ or GGUF";

/**
 * The method that config.json's `quantization_config` names, or AutoGPTQ's quantize_config.json and AutoAWQ's quant_config.json beside it; null: none.
 * @throws on a method or setting that is not read, by name, with what to take instead
 */
export async function readMethod(folder: string): Promise<Method | null> {
  const file = join(folder, "config.json");
  const config = new Fields(await readJsonObject(file), file);
  const fields = config.object("quantization_config") ?? config.object("compression_config");
  if (fields) return parseMethod(fields, `${file}: quantization_config`);
  for (const [name, method] of [["quantize_config.json", "gptq"], ["quant_config.json", "awq"]] as const) {
    const beside = join(folder, name);
    if (existsSync(beside)) return parseMethod(new Fields(await readJsonObject(beside), beside), beside, method);
  }
  return null;
}

/** @param assumed where the file does not name its method */
function parseMethod(fields: Fields, where: string, assumed?: string): Method {
  const method = fields.raw("quant_method") ?? assumed ?? (fields.has("config_groups") ? "compressed-tensors" : undefined);
  switch (method) {
    case "gptq": return { kind: "gptq", settings: gptq(fields, where) };
    case "awq": return { kind: "awq", settings: awq(fields, where) };
    case "auto-round": case "intel/auto-round": return autoRound(fields, where);
    case "compressed-tensors": case "sparseml": return { kind: "compressed", settings: compressed(fields, where) };
    case "fp8": case "fbgemm_fp8": return { kind: "fp8", settings: { block: blockSize(fields), where } };
    case "mxfp4": return { kind: "mxfp4", settings: { where } };
    case "modelopt": {
      if (fields.raw("quant_algo") !== "FP8") throw refused(fields, "quant_algo", "FP8");
      return { kind: "fp8", settings: { block: null, where } };
    }
  }
  const name = typeof method === "string" ? method : "missing";
  throw new Error(`${where}: quant_method: ${JSON.stringify(name)} (read are ${readable}; ${instead[name] ?? insteadOfAll})`);
}

const refused = (fields: Fields, field: string, supported: string): Error => fields.error(field, `supported: ${supported}; ${insteadOfAll}`);

/** `group_size` and the like; -1: null. */
function groupSize(fields: Fields, field: string, fallback?: number): number | null {
  return fields.raw(field) === -1 ? null : fields.integer(field, 1, fallback);
}

function gptq(fields: Fields, where: string): GptqSettings {
  const format = fields.raw("checkpoint_format") ?? fields.raw("format");
  if (fields.raw("is_marlin_format") === true || (format !== undefined && format !== "gptq" && format !== "gptq_v2")) {
    throw fields.has("checkpoint_format") || format === undefined ? refused(fields, format === undefined ? "is_marlin_format" : "checkpoint_format", "gptq, gptq_v2") : refused(fields, "format", "gptq, gptq_v2");
  }
  return {
    bits: fields.integer("bits"), groupSize: groupSize(fields, "group_size"), version: format === "gptq_v2" ? 2 : 1,
    varied: fields.has("dynamic"), ordered: fields.boolean("desc_act", false), where,
  };
}

function awq(fields: Fields, where: string): AwqSettings {
  const version = fields.raw("version") ?? fields.raw("format") ?? "gemm";
  if (typeof version !== "string" || version.toLowerCase() !== "gemm") throw refused(fields, fields.has("version") ? "version" : "format", "gemm");
  const [bits, group] = fields.has("bits") ? ["bits", "group_size"] as const : ["w_bit", "q_group_size"] as const;
  if (fields.integer(bits) !== 4) throw refused(fields, bits, "4");
  if (!fields.boolean("zero_point", true)) throw refused(fields, "zero_point", "true");
  return { groupSize: groupSize(fields, group), where };
}

/** auto-round stores what it finds in the layout of GPTQ or AWQ. */
function autoRound(fields: Fields, where: string): Method {
  const packing = fields.raw("packing_format") ?? fields.raw("backend") ?? "auto_round:auto_gptq";
  const varied = fields.has("extra_config") || fields.has("dynamic");
  if (typeof packing === "string" && /gptq/.test(packing)) {
    return { kind: "gptq", settings: { bits: fields.integer("bits"), groupSize: groupSize(fields, "group_size"), version: /v2|zp/.test(packing) ? 2 : 1, varied, ordered: false, where } };
  }
  if (typeof packing === "string" && /awq/.test(packing)) return { kind: "awq", settings: awq(fields, where) };
  throw refused(fields, fields.has("packing_format") ? "packing_format" : "backend", "auto_round:auto_gptq, auto_round:auto_awq");
}

const compressedFormats = ["pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "mixed-precision"];

function compressed(fields: Fields, where: string): CompressedSettings & Fp8Settings {
  const format = fields.raw("format");
  if (typeof format !== "string" || !compressedFormats.includes(format)) throw refused(fields, "format", compressedFormats.join(", "));
  const sparsity = fields.object("sparsity_config");
  if (sparsity && (sparsity.raw("format") ?? "dense") !== "dense") throw refused(sparsity, "format", "dense");
  const groups = fields.object("config_groups");
  if (!groups) throw fields.error("config_groups", "must say how the weights are quantised");
  const bits = new Set<number>();
  const groupSizes = new Set<number | null>();
  let block: readonly [number, number] | null = null;
  for (const name of groups.names) {
    const group = groups.object(name)!;
    if (group.has("format") && !compressedFormats.includes(group.raw("format") as string)) throw refused(group, "format", compressedFormats.join(", "));
    const weights = group.object("weights");
    if (!weights) continue;
    bits.add(weights.integer("num_bits"));
    const kind = weights.choice("type", ["int", "float"], "int");
    if (kind === "float" && weights.raw("num_bits") !== 8) throw refused(weights, "num_bits", "8 for floats");
    if (kind === "int" && ![4, 8].includes(weights.raw("num_bits") as number)) throw refused(weights, "num_bits", "4, 8");
    groupSizes.add(weights.raw("strategy") === "group" || weights.has("group_size") ? groupSize(weights, "group_size") : null);
    block = pair(weights, "block_structure") ?? block;
    if (kind === "float" && weights.raw("strategy") === "group") block = [1, weights.integer("group_size")];
  }
  return { bits: [...bits], groupSizes: [...groupSizes], block, where };
}

function blockSize(fields: Fields): readonly [number, number] | null {
  return pair(fields, "weight_block_size");
}

function pair(fields: Fields, field: string): readonly [number, number] | null {
  const value = fields.raw(field);
  if (value === undefined) return null;
  if (!Array.isArray(value) || value.length !== 2 || !value.every((size) => Number.isSafeInteger(size) && size > 0)) throw fields.error(field, "must be two integers > 0: outputs and inputs that share a scale");
  return value as unknown as readonly [number, number];
}
