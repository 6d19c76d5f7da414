import { openCheckpoint } from "../checkpoint/open.js";
import { isSyntheticName, type SyntheticDtype } from "../checkpoint/synthetic.js";
import type { Checkpoint } from "../checkpoint/types.js";
import { resolveScorer } from "../runtime/scorers.js";
import { defaultThreads } from "./environment.js";

/** Where a model can run so far. */
export const devices = ["cpu"] as const;

const syntheticDtypes: readonly SyntheticDtype[] = ["fp32", "fp16", "bf16"];
const storedNames: Readonly<Record<string, string>> = { F32: "fp32", F16: "fp16", BF16: "bf16" };

export interface SubjectOptions {
  /** As `load` takes it; default the embedded model. */
  readonly model?: string;
  /** Default `cpu`. */
  readonly device?: string;
  /** Default: what the weights are stored in; synthetic weights are made in it (default bf16). */
  readonly dtype?: string;
  /** Default: one a physical core. */
  readonly threads?: number;
  /** Of synthetic weights and random prompts; default 0. */
  readonly seed?: number;
  /** Checked to be there; default: the model's best. */
  readonly scorer?: string;
  /** Called while synthetic weights are made, with bytes done and in all. */
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
  const synthetic = isSyntheticName(model);
  if (synthetic && dtype !== undefined && !(syntheticDtypes as readonly string[]).includes(dtype)) {
    throw new Error(`dtype: ${dtype} (synthetic weights are made in ${syntheticDtypes.join(", ")})`);
  }
  const checkpoint = await openCheckpoint(model, synthetic ? { synthetic: { ...(dtype !== undefined && { dtype: dtype as SyntheticDtype }), seed, ...(onProgress && { onProgress }) } } : {});
  const stored = storedDtype(checkpoint);
  if (dtype !== undefined && dtype !== stored) throw new Error(`dtype: ${dtype} (${model} is stored in ${stored}; only synthetic weights are made in another one)`);
  if (scorer !== undefined) await resolveScorer(scorer, checkpoint);
  return { checkpoint, device, dtype: stored, threads, seed };
}

/** What most of the weights' bytes are stored in. */
function storedDtype({ tensors }: Checkpoint): string {
  const bytes = new Map<string, number>();
  for (const { dtype, length } of tensors.values()) bytes.set(dtype, (bytes.get(dtype) ?? 0) + length);
  const [most] = [...bytes].reduce((a, b) => (b[1] > a[1] ? b : a));
  return storedNames[most] ?? most.toLowerCase();
}
