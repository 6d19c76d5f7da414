// What the process that measures is asked for, as plain values that go through a process boundary.
import type { BuiltIn } from "../../runtime/session.js";
import type { OperatorRecord } from "../../runtime/devices/operators.js";
import type { Failure, Job, Measured } from "../job.js";
import type { DeviceRecord } from "../record.js";

export type Task =
  | { readonly kind: "operators"; readonly device: BuiltIn; readonly model: string; readonly dtype: string; readonly configs: readonly string[]; readonly length: number }
  | { readonly kind: "methods"; readonly device: BuiltIn; readonly model: string; readonly dtype: string; readonly configs: readonly string[]; readonly length: number }
  | { readonly kind: "bandwidth"; readonly device: BuiltIn; readonly threads: number; readonly bytes: number }
  /** `job.ids` are those of the longest of `lengths`. */
  | { readonly kind: "rows"; readonly job: Job; readonly lengths: readonly number[] }
  | { readonly kind: "energy"; readonly job: Job; readonly seconds: number };

export interface OperatorsResult {
  readonly operators: readonly OperatorRecord[];
  /** Those that are further from the CPU than they may be, in words. */
  readonly wrong: readonly string[];
}

/** How a method on the device compares with the CPU. */
export interface MethodResult {
  readonly config: string;
  /** Share of the tokens kept by the CPU that the device kept too; 1 where nothing is pruned. */
  readonly kept: number;
  /** Largest difference of logits, of the prompt and of decode steps, as a share of the largest logit; null where other tokens were kept. */
  readonly logits: number | null;
  readonly error: string | null;
}

export interface BandwidthResult {
  readonly bytes_per_second: number;
}

export interface RowResult {
  readonly measured: Measured;
  /** Largest resident size of the process so far, in bytes. */
  readonly peakMemory: number;
  /** Bytes of weights that one decode step reads. */
  readonly weightBytes: number;
}

export interface EnergyResult {
  readonly prompts: number;
  readonly tokens: number;
  readonly reading: DeviceRecord;
}

export type Answer =
  | { readonly kind: "row"; readonly length: number; readonly row: RowResult | Failure }
  | { readonly kind: "done"; readonly result: OperatorsResult | readonly MethodResult[] | BandwidthResult | EnergyResult | null }
  | { readonly kind: "failed"; readonly error: string };
