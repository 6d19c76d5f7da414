import type { Environment } from "../../lib/bench/environment.js";
import { median } from "../../lib/bench/statistics.js";
import { modelNames, type ModelName } from "./models.js";
import { OWN, type Row, rows as allRows } from "./peers.js";
import { type Failure, isFailure, type Sample, type Settings } from "./samples.js";

/** What a row gives, in seconds and bytes: medians of its samples. */
export interface Figures {
  /** From the prompt to the first token. */
  readonly prefill_seconds: number;
  /** A decode run's mean within a sample. */
  readonly decode_seconds_per_token: number;
  /** Prefill and all decode runs. */
  readonly end_to_end_seconds: number;
  /** Largest resident size of the process; null where no system said. */
  readonly peak_memory_bytes: number | null;
  readonly start_to_first_token_seconds: number;
}

/** One row at one length. */
export interface RowResult extends Pick<Row, "peer" | "dtype" | "bits" | "whole"> {
  readonly model: ModelName;
  readonly length: number;
  readonly row: string;
  /** Null where there is no sample. */
  readonly figures: Figures | null;
  /** Why there is no sample; null where there is one. */
  readonly failure: string | null;
  /** Greedy tokens from the first on that are those of another row; null for that one, where there is none, and without a sample. */
  readonly agreement: { readonly with: string; readonly equal: number; readonly of: number } | null;
  readonly samples: readonly Sample[];
}

export interface PeersResult {
  readonly schema_version: 1;
  readonly time: string;
  readonly settings: Settings;
  readonly environment: Environment;
  /** Commits of this package that samples are of. */
  readonly commits: readonly string[];
  readonly rows: readonly RowResult[];
}

/** Whose tokens others are held against, the first that was measured: never this package's own where there is another. */
const references = ["torch fp32", "onnxruntime-genai fp32", "transformers.js fp32", "openvino-genai fp32", `${OWN} fp32`];

/** What was measured as one value: each row at each length with its samples, or with why it has none. */
export function peersResult(settings: Settings, lines: readonly (Sample | Failure)[], environment: Environment, time = new Date().toISOString()): PeersResult {
  const rows = modelNames.flatMap((model) => {
    const ofModel = lines.filter((line) => line.model === model);
    const lengths = [...new Set(ofModel.map(({ length }) => length))].sort((a, b) => a - b);
    return lengths.flatMap((length) => {
      const here = ofModel.filter((line) => line.length === length);
      const samplesOf = (id: string) => here.filter((line): line is Sample => line.row === id && !isFailure(line)).sort((a, b) => a.round - b.round);
      const reference = references.find((id) => samplesOf(id).length > 0);
      const tokens = reference === undefined ? undefined : samplesOf(reference)[0]!.tokens;
      return allRows.filter(({ id }) => here.some((line) => line.row === id)).map(({ id, peer, dtype, bits, whole }): RowResult => {
        const samples = samplesOf(id);
        const failure = here.findLast((line): line is Failure => line.row === id && isFailure(line));
        return {
          model, length, row: id, peer, dtype, bits, whole,
          figures: samples.length === 0 ? null : figuresOf(samples),
          failure: samples.length === 0 ? failure!.reason : null,
          agreement: samples.length === 0 || tokens === undefined || id === reference ? null : { with: reference!, ...equalTokens(samples[0]!.tokens, tokens) },
          samples,
        };
      });
    });
  });
  const commits = [...new Set(lines.flatMap((line) => (isFailure(line) || line.commit === null ? [] : [line.commit])))];
  return { schema_version: 1, time, settings, environment, commits, rows };
}

function figuresOf(samples: readonly Sample[]): Figures {
  const of = (pick: (sample: Sample) => number) => median(samples.map(pick));
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const memory = samples.flatMap(({ peak_memory_bytes: bytes }) => (bytes === null ? [] : [bytes]));
  return {
    prefill_seconds: of((sample) => sample.prefill_seconds),
    decode_seconds_per_token: of(({ decode_seconds: all }) => sum(all) / all.length),
    end_to_end_seconds: of((sample) => sample.prefill_seconds + sum(sample.decode_seconds)),
    peak_memory_bytes: memory.length === 0 ? null : median(memory),
    start_to_first_token_seconds: of((sample) => sample.start_to_first_token_seconds),
  };
}

function equalTokens(tokens: readonly number[], expected: readonly number[]): { equal: number; of: number } {
  const of = Math.min(tokens.length, expected.length);
  const differs = tokens.findIndex((token, i) => i < of && token !== expected[i]);
  return { equal: differs === -1 ? of : differs, of };
}
