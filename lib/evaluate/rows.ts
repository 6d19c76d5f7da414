import { existsSync } from "node:fs";
import { appendFile, readFile, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { makeFolder } from "../files.js";
import type { MethodRecord } from "../methods/method.js";
import { methodRecordSchema } from "../methods/record-schema.js";

export const ROW_SCHEMA_VERSION = 1;

/** One prompt under one configuration: quality, time and memory. */
export interface EvaluationRow {
  schema_version: typeof ROW_SCHEMA_VERSION;
  task: string;
  settings: Record<string, unknown>;
  item: string;
  group: Record<string, string | number>;
  model: string;
  model_hash: string;
  /** Where it ran; not in rows of earlier versions, which are from the CPU. */
  device?: string | undefined;
  /** Where it was measured, where the workers of a queue did it; beside other work, which times say something of. */
  machine?: string | undefined;
  placement?: string | undefined;
  config: string;
  preset: MethodRecord;
  scorer: string | null;
  /** Tells scorers of one name apart: the hash of trained modules, a seed. */
  scorer_key: string | null;
  kv_policy: "evict" | "retain";
  prompt_length: number;
  metrics: Record<string, number>;
  output?: string | undefined;
  cells?: Record<string, string | number>[] | undefined;
  prefill_latency_seconds: number;
  decode_latency_seconds: number;
  /** In which questions were appended to the prefilled prompt; absent: none were. */
  append_latency_seconds?: number | undefined;
  decoded_tokens: number;
  /** Tokens that a block computed on, mean over the blocks. */
  mean_tokens: number;
  /** 1/tau of the paper: prompt length / mean_tokens. */
  compression: number;
  /** Bytes of keys and values held right after prefill, and their lengths by layer. */
  kv_bytes: number;
  kv_lens_after_prefill: number[];
}

const number = z.number();
export const rowSchema = z.object({
  schema_version: z.literal(ROW_SCHEMA_VERSION),
  task: z.string(),
  settings: z.record(z.string(), z.unknown()),
  item: z.string(),
  group: z.record(z.string(), z.union([z.string(), number])),
  model: z.string(),
  model_hash: z.string(),
  device: z.string().optional(),
  machine: z.string().optional(),
  placement: z.string().optional(),
  config: z.string(),
  preset: methodRecordSchema,
  scorer: z.string().nullable(),
  scorer_key: z.string().nullable(),
  kv_policy: z.enum(["evict", "retain"]),
  prompt_length: number,
  metrics: z.record(z.string(), number),
  output: z.string().optional(),
  cells: z.array(z.record(z.string(), z.union([z.string(), number]))).optional(),
  prefill_latency_seconds: number,
  decode_latency_seconds: number,
  append_latency_seconds: number.optional(),
  decoded_tokens: number,
  mean_tokens: number,
  compression: number,
  kv_bytes: number,
  kv_lens_after_prefill: z.array(number),
}) satisfies z.ZodType<EvaluationRow>;

/** What makes two rows the same measurement. */
export function rowKey(row: Pick<EvaluationRow, "task" | "settings" | "item" | "model_hash" | "device" | "config" | "preset" | "scorer_key" | "kv_policy">): string {
  return JSON.stringify([row.task, row.settings, row.item, row.model_hash, ...((row.device ?? "cpu") === "cpu" ? [] : [row.device]), row.config, row.preset, row.scorer_key, row.kv_policy]);
}

/**
 * Rows of a results file (JSON lines); none where there is no file. A last line that a crash cut short is taken off the file.
 * @throws an error that names file, line and field
 */
export async function readRows(file: string, { others = false }: ReadRowsOptions = {}): Promise<EvaluationRow[]> {
  if (!existsSync(file)) return [];
  const text = await readFile(file, "utf8");
  if (others && !isEvaluation(text)) return [];
  const end = text.lastIndexOf("\n") + 1;
  // Only what goes on is mended; who only reads leaves files alone.
  if (end < text.length && !others) await truncate(file, Buffer.byteLength(text.slice(0, end)));
  return text.slice(0, end).split("\n").flatMap((line, index) => (line === "" ? [] : [parse(line, `${file}, line ${index + 1}`)]));
}

export interface ReadRowsOptions {
  /** Pass over a file whose first line is no evaluation's. */
  readonly others?: boolean;
}

function isEvaluation(text: string): boolean {
  try {
    const first = JSON.parse(text.slice(0, text.indexOf("\n"))) as object;
    return "schema_version" in first && "task" in first && "item" in first;
  } catch {
    return false;
  }
}

function parse(line: string, where: string): EvaluationRow {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new Error(`evaluation results: ${where} (not JSON: ${(error as Error).message})`);
  }
  const parsed = rowSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new Error(`evaluation results: ${where}: ${issue.path.join(".")} (${issue.message})`);
}

export async function appendRow(file: string, row: EvaluationRow): Promise<void> {
  await makeFolder(dirname(file));
  await appendFile(file, `${JSON.stringify(row)}\n`);
}
