import type { Checkpoint } from "../checkpoint/types.js";
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { Accuracy } from "../decoder/checkpoint-weights.js";
import { computeDtype } from "../runtime/compute-dtype.js";
import { type Device, requireDevice } from "../runtime/devices/names.js";
import { openHome } from "../runtime/devices/open.js";
import { requireKvDtype } from "../runtime/kv-store.js";
import { openModel } from "../runtime/open.js";
import { defaultScorer, resolveScorer } from "../runtime/scorers.js";
import type { Provider } from "../runtime/session.js";
import { defaultThreads } from "./environment.js";

export interface SubjectOptions {
  /** As `load` takes it; default the embedded model. */
  readonly model?: string;
  /** As `load` takes it, checked to be there; default `cpu`. */
  readonly device?: string;
  /** What weights are held in, as `load` takes it; default: as they are stored (synthetic ones: bf16). */
  readonly dtype?: string;
  /** What caches hold keys and values in; default fp32, fp16 where that is computed in. */
  readonly kvDtype?: KvDtype;
  /** Default: one a physical core. */
  readonly threads?: number;
  /** Of synthetic weights and random prompts; default 0. */
  readonly seed?: number;
  /** By name, checked to be there; default: the model's best. One made with `defineScorer` cannot be measured so: see `requireNamed`. */
  readonly scorer?: string;
  /** To be measured on another machine: the device need not be here. Default false. */
  readonly elsewhere?: boolean;
  /** Called while weights are made or converted, with elements done and in all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops making or converting weights; nothing is left of them. */
  readonly signal?: AbortSignal | undefined;
}

/** A model that is to be measured: opened and checked, not loaded. */
export interface Subject {
  readonly checkpoint: Checkpoint;
  /** What it runs on: never `auto`. */
  readonly device: Provider;
  readonly dtype: string;
  /** See `LoadOptions`. */
  readonly accuracy: Accuracy;
  /** See `computeDtype`. */
  readonly computeDtype: string;
  readonly kvDtype: KvDtype;
  readonly threads: number;
  readonly seed: number;
  /** Of the scorer that will be used where something is pruned: tells trained modules of one name apart. */
  readonly scorerKey: string;
}

/** @throws on a model, device, dtype, KV dtype, scorer or number of threads that cannot be had */
export async function openSubject(options: SubjectOptions): Promise<Subject> {
  const { model = "tiny", device = "cpu", dtype, threads = defaultThreads(), kvDtype: askedKv, seed = 0, scorer, elsewhere = false, onProgress, signal } = options;
  const asked = requireDevice(device);
  if (!Number.isSafeInteger(threads) || threads < 1) throw new Error(`threads: ${threads} (must be a positive integer)`);
  if (askedKv !== undefined) requireKvDtype(askedKv);
  if (scorer !== undefined) requireNamed(scorer);
  // Before weights are made for a device that is not there.
  const { device: used, accuracy, kvDtype } = elsewhere && asked !== "cpu" ? absent(asked, dtype) : await openHome(asked, { ...(askedKv && { kvDtype: askedKv }), ...(dtype !== undefined && { dtype }), modelHash: async () => (await openModel(model, { ...(dtype !== undefined && { dtype }), synthetic: { seed }, ...(onProgress && { onProgress }), ...(signal && { signal }) })).hash() });
  const checkpoint = await openModel(model, { ...(dtype !== undefined && { dtype }), synthetic: { seed }, ...(onProgress && { onProgress }), ...(signal && { signal }) });
  const { key: scorerKey } = await (scorer === undefined ? defaultScorer(checkpoint) : resolveScorer(scorer, checkpoint));
  return { checkpoint, device: used, dtype: checkpoint.dtype, accuracy, computeDtype: computeDtype(checkpoint.dtype, accuracy), kvDtype: askedKv ?? kvDtype ?? "fp32", threads, seed, scorerKey };
}

/** A device of another machine. What is rounded to is known there only; caches are taken to be what a GPU with 16-bit numbers has. */
function absent(device: Device, dtype: string | undefined): { device: Provider; accuracy: Accuracy; kvDtype?: KvDtype } {
  if (device === "auto") throw new Error("device: auto (is another one on every machine; must be cpu, cuda or webgpu)");
  return { device, accuracy: "float32", ...((device === "cuda" || device === "webgpu") && dtype?.split(":")[0] === "fp16" && { kvDtype: "fp16" as const }) };
}

/**
 * A measurement has a process of its own, which functions do not get into.
 * @throws on a scorer made with `defineScorer`, as one from a cell without types may be
 */
export function requireNamed(scorer: unknown): void {
  if (typeof scorer === "string") return;
  const name = (scorer as { name?: unknown } | null)?.name;
  throw new Error(`scorer: ${String(name ?? scorer)} (must be a name: a measurement runs in a process of its own, where one made with defineScorer is not known; time it with (await model.prefill(ids, { preset, scorer })).prefillSeconds)`);
}
