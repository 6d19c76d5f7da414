import { openCheckpoint } from "../checkpoint/open.js";
import type { Checkpoint } from "../checkpoint/types.js";
import { resolveScorer } from "../runtime/scorers.js";
import { defaultThreads } from "./environment.js";

/** Where a model can run so far. */
export const devices = ["cpu"] as const;

export interface SubjectOptions {
  /** As `load` takes it; default the embedded model. */
  readonly model?: string;
  /** Default `cpu`. */
  readonly device?: string;
  /** What weights are held in, as `load` takes it; default: as they are stored (synthetic ones: bf16). */
  readonly dtype?: string;
  /** Default: one a physical core. */
  readonly threads?: number;
  /** Of synthetic weights and random prompts; default 0. */
  readonly seed?: number;
  /** Checked to be there; default: the model's best. */
  readonly scorer?: string;
  /** Called while weights are made or converted, with elements done and in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A model that is to be measured: opened and checked, not loaded. */
export interface Subject {
  readonly checkpoint: Checkpoint;
  readonly device: string;
  readonly dtype: string;
  readonly threads: number;
  readonly seed: number;
}

/** @throws on a model, device, dtype, scorer or number of threads that cannot be had */
export async function openSubject(options: SubjectOptions): Promise<Subject> {
  const { model = "tiny", device = "cpu", dtype, threads = defaultThreads(), seed = 0, scorer, onProgress } = options;
  if (!(devices as readonly string[]).includes(device)) throw new Error(`device: ${device} (must be ${devices.join(", ")})`);
  if (!Number.isSafeInteger(threads) || threads < 1) throw new Error(`threads: ${threads} (must be a positive integer)`);
  const checkpoint = await openCheckpoint(model, { ...(dtype !== undefined && { dtype }), synthetic: { seed }, ...(onProgress && { onProgress }) });
  if (scorer !== undefined) await resolveScorer(scorer, checkpoint);
  return { checkpoint, device, dtype: checkpoint.dtype, threads, seed };
}
