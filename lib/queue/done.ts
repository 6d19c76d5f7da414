import type { Redis } from "ioredis";
import type { Placement } from "../bench/placement.js";

/** What a job is done with. */
export interface PerformOptions {
  readonly placement: Placement;
  readonly allowed: readonly string[];
  readonly folder: string;
  readonly machine: string;
  readonly redis: Redis;
  readonly prefix: string;
  readonly signal: AbortSignal;
  readonly onStart: () => void;
  readonly onProgress: (share: number, label: string) => void;
  readonly onMessage: (message: string) => void;
}

/** How a job ended on this machine. */
export type Done =
  | { readonly result: unknown }
  /** Not done, or done with errors: `outcome` is what there is of it. */
  | { readonly error: string; readonly refusal: boolean; readonly outcome?: unknown };
