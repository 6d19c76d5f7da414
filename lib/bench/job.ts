// What is measured in one process of its own, as plain values that go through a process boundary.
import type { KvDtype } from "../checkpoint/kv-dtype.js";
import type { Accuracy } from "../decoder/checkpoint-weights.js";
import type { KvPolicy, UserMethod } from "../methods/method.js";
import type { StepCounts } from "../runtime/returning/returning.js";
import type { Provider } from "../runtime/session.js";
import type { Spans } from "./reading/readings.js";
import type { BenchmarkMode, DeviceRecord } from "./record.js";

/** One way of running the prompt. */
export interface Method {
  readonly preset: UserMethod & { readonly name: string };
  /** Default: the model's best. */
  readonly scorer?: string;
  /** Default: the preset's. */
  readonly kvPolicy?: KvPolicy;
}

/** Methods measured against each other on one prompt. */
export interface Job {
  /** As `load` takes it. */
  readonly model: string;
  /** Default `cpu`. */
  readonly device?: Provider;
  /** What the weights are held in. */
  readonly dtype: string;
  /** What products with weights are rounded to, as `load` takes it. */
  readonly accuracy?: Accuracy;
  /** What caches hold keys and values in; default fp32. */
  readonly kvDtype?: KvDtype;
  readonly threads: number;
  /** Of synthetic weights. */
  readonly seed: number;
  readonly mode: BenchmarkMode;
  /** Token ids of the prompt, `[n]`. */
  readonly ids: readonly number[];
  readonly methods: readonly Method[];
  /** Runs that count, for each method. */
  readonly repeats: number;
  /** Runs before them that do not. */
  readonly warmup: number;
  readonly maxNewTokens: number;
  /** As `prefill` takes it. */
  readonly piece?: number | "whole";
}

/** What was measured of one method: seconds, tokens, bytes. */
export interface Measured {
  /** One for each repeat. */
  readonly prefill: readonly number[];
  /** `[repeats][maxNewTokens]`; empty in prefill mode. */
  readonly perToken: readonly (readonly number[])[];
  /** Name of the scorer that was used, null where nothing pruned. */
  readonly scorer: string | null;
  readonly kvPolicy: KvPolicy;
  /** Tokens in each layer's cache, `[layers]`. */
  readonly kvLensAfterPrefill: readonly number[];
  readonly kvLensFinal: readonly number[];
  /** Keys and values, and the hidden states that tokens may return from. */
  readonly kvBytesAfterPrefill: number;
  readonly kvBytesFinal: number;
  /** Those hidden states alone, and what decode runs computed; only where tokens return. */
  readonly auxBytesAfterPrefill?: number;
  readonly auxBytesFinal?: number;
  readonly stepCounts?: StepCounts;
  readonly tokensKept: number;
  /** The prompt went through the blocks in pieces of so many tokens; absent or null: as a whole. */
  readonly pieceTokens?: number | null;
  readonly stages: readonly { readonly afterLayer: number; readonly present: number; readonly kept: number }[];
  /** When all that counted ran. */
  readonly spans: Spans;
  /** What the device said meanwhile, where it was read. */
  readonly reading?: DeviceRecord;
}

export interface Failure {
  readonly error: string;
}

/** What a job gave, a value for each of its methods. */
export interface JobResult {
  readonly methods: readonly (Measured | Failure)[];
  /** Largest resident size of the process, in bytes. */
  readonly peakMemory: number;
  /** Processor time of the process from its start to its end, in seconds. */
  readonly cpuSeconds: number;
}

/** One run that is done. */
export interface RunDone {
  readonly method: number;
  readonly counted: boolean;
}

export function isFailure(result: object): result is Failure {
  return "error" in result;
}
