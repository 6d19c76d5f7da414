// Checks methods in records that are read; `MethodRecord` says what they hold.
import { z } from "zod";
import type { MethodRecord } from "./method.js";

export const methodRecordSchema = z.object({
  base_depth: z.number().int().positive(),
  stages: z.array(z.object({ after_block: z.number().int().min(-1), ratio: z.number().optional(), tokens: z.number().int().optional() })),
  restart: z.boolean().optional(),
  speculation: z.record(z.string(), z.unknown()).optional(),
  revives: z.boolean().optional(),
  cache: z.record(z.string(), z.unknown()).optional(),
  decoding: z.record(z.string(), z.unknown()).optional(),
}) satisfies z.ZodType<MethodRecord>;
