import { readFile } from "node:fs/promises";
import { canonicalJson } from "../../checkpoint/json.js";
import type { Environment } from "../environment.js";
import type { Sample } from "./client.js";
import type { Backend } from "./connection.js";
import type { Figures, Goodput } from "./figures.js";
import type { Memory, MemoryFigures } from "./memory.js";
import type { Workload } from "./workload.js";

/** What was asked, of whom. */
export interface Settings extends Workload {
  readonly backend: Backend;
  readonly endpoint: string;
  readonly max_concurrency: number | null;
  readonly timeout: number;
  readonly ignore_eos: boolean;
  readonly temperature: number | null;
  readonly extra_body: Readonly<Record<string, unknown>>;
  /** Options of `sdtp serve`, or null. */
  readonly server: readonly string[] | null;
  readonly base_url: string | null;
  readonly model: string | null;
  readonly tokenizer: string | null;
}

/** A time in which requests were sent without a stop in between. */
export interface Stretch {
  readonly time: string;
  readonly seconds: number;
  /** Requests, those too whose end was not seen because the measurement was stopped. */
  readonly sent: number;
  /** Processors that other programs than the server and its client kept busy, on average; null: not known. */
  readonly processors_busy_with_others: number | null;
}

export interface ServeBenchResult {
  readonly schema_version: 1;
  /** Whether all requests have ended; else the same command goes on with the others. */
  readonly complete: boolean;
  readonly settings: Settings;
  readonly model_id: string;
  readonly goodput: Goodput | null;
  readonly percentiles: readonly number[];
  readonly environment: Environment;
  readonly stretches: readonly Stretch[];
  readonly figures: Figures;
  /** Of the last stretch, as the server itself counts: null where it does not. */
  readonly server_counts: { readonly sent: number; readonly ended: number; readonly running: number | null; readonly waiting: number | null; readonly kv_cache_bytes: number | null } | null;
  readonly memory: (Memory & { readonly figures: MemoryFigures | null }) | null;
  readonly requests: readonly Sample[];
}

/** What an unfinished measurement needs to go on. */
export type Begun = Pick<ServeBenchResult, "complete" | "settings" | "stretches" | "memory" | "requests">;

export const isBegun = (begun: Begun, settings: Settings): boolean => !begun.complete && canonicalJson(begun.settings) === canonicalJson(settings);

/**
 * An unfinished measurement in a file, to go on with; null where there is none, or a finished one, which is made again.
 * @throws where the file holds an unfinished one with other settings, or something else
 */
export async function readBegun(file: string, settings: Settings): Promise<Begun | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new Error(`output: ${file} (cannot be read: ${(error as NodeJS.ErrnoException).code ?? error})`);
  }
  let found: Partial<ServeBenchResult>;
  try {
    found = JSON.parse(text) as Partial<ServeBenchResult>;
  } catch {
    throw new Error(`output: ${file} (is there and is no JSON: give another --output, or remove it)`);
  }
  if (found.schema_version !== 1 || !Array.isArray(found.requests) || !found.settings || typeof found.complete !== "boolean") throw new Error(`output: ${file} (is there and holds something else: give another --output, or remove it)`);
  if (found.complete) return null;
  if (!isBegun(found as Begun, settings)) {
    const other = (Object.keys(settings) as (keyof Settings)[]).find((key) => canonicalJson(settings[key] ?? null) !== canonicalJson(found.settings![key] ?? null));
    throw new Error(`output: ${file} (holds an unfinished measurement whose ${other?.replaceAll("_", " ") ?? "settings"} is ${JSON.stringify(other && found.settings[other])}: finish it with its own settings, give another --output, or remove it)`);
  }
  return found as Begun;
}
