import type { ModelName } from "./models.js";
import { type Row } from "./peers.js";
import { type Failure, isFailure, placeOf, type Sample } from "./samples.js";

/** One process to come. */
export interface Visit {
  readonly model: ModelName;
  readonly length: number;
  readonly row: Row;
  readonly round: number;
}

/** Lengths of each model in the order of their worth: a run that is stopped early has the first. */
export const defaultLengths: Readonly<Record<ModelName, readonly number[]>> = { smollm2: [4096, 1024, 8192], "8x512": [4096, 1024, 8192, 16384] };

/** Positions that a model has. */
const reach: Readonly<Record<ModelName, number>> = { smollm2: 8192, "8x512": 40960 };

export interface PlanOptions {
  readonly models: readonly ModelName[];
  /** Default: each model's own. */
  readonly lengths?: readonly number[] | undefined;
  readonly rounds: number;
  readonly rows: readonly Row[];
  readonly newTokens: number;
}

/**
 * All visits in order: a round of everything, then the next. Within a round all rows of one model and length follow each other, so that
 * what changes with time meets them alike.
 */
export function visitsOf({ models, lengths, rounds, rows, newTokens }: PlanOptions): Visit[] {
  return Array.from({ length: rounds }, (_, i) => i + 1).flatMap((round) =>
    models.flatMap((model) => (lengths ?? defaultLengths[model]).flatMap((length) => rows.map((row) => ({ model, length: within(model, length, newTokens), row, round })))),
  );
}

/** Room for the new tokens is part of what a model reaches: the longest prompt is that much shorter. */
function within(model: ModelName, length: number, newTokens: number): number {
  return Math.min(length, reach[model] - newTokens - 1);
}

/** Visits that are left: none that has a sample; none of a row that failed at that length, unless it is to be tried again. */
export function visitsLeft(visits: readonly Visit[], lines: readonly (Sample | Failure)[], retryFailed: boolean): Visit[] {
  const done = new Set(lines.filter((line) => !isFailure(line)).map(placeOf));
  const failed = new Set(retryFailed ? [] : lines.filter(isFailure).map((line) => placeOf({ ...line, round: 0 })));
  return visits.filter(({ model, length, row, round }) => !done.has(placeOf({ model, length, row: row.id, round })) && !failed.has(placeOf({ model, length, row: row.id, round: 0 })));
}

/** Seconds that a visit will take, by those that are done: the same, else the mean of others as long on the model, else of all in proportion to tokens; null: nothing is known. */
export function secondsOf({ model, length, row }: Pick<Visit, "model" | "length" | "row">, lines: readonly (Sample | Failure)[]): number | null {
  const done = lines.filter((line): line is Sample => !isFailure(line) && line.model === model);
  const mean = (values: readonly number[]) => (values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length);
  const alike = done.filter((line) => line.length === length);
  const tokens = (n: number) => n + 512;
  return (
    mean(alike.filter((line) => line.row === row.id).map(({ visit_seconds: seconds }) => seconds)) ??
    mean(done.filter((line) => line.row === row.id).map((line) => (line.visit_seconds * tokens(length)) / tokens(line.length))) ??
    mean(alike.map(({ visit_seconds: seconds }) => seconds)) ??
    mean(done.map((line) => (line.visit_seconds * tokens(length)) / tokens(line.length)))
  );
}
