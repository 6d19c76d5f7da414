/** From and to, in milliseconds since 1970. */
export type Span = readonly [from: number, to: number];

/** Power at a moment, watts. */
export interface PowerSample {
  readonly at: number;
  readonly watts: number;
}

/** What a counter of energy stood at, joules, counted on without its wraps. */
export interface CounterSample {
  readonly at: number;
  readonly joules: number;
}

/** Samples within a span. */
export const within = <T extends { readonly at: number }>(samples: readonly T[], [from, to]: Span): T[] => samples.filter(({ at }) => at >= from && at <= to);

/** Joules in a span: power between two samples is taken to go straight from one to the other, before the first and after the last to stay. Null: there are none. @param samples by time */
export function integrate(samples: readonly PowerSample[], [from, to]: Span): number | null {
  if (samples.length === 0 || to <= from) return null;
  const points = [{ at: from, watts: powerAt(samples, from) }, ...within(samples, [from, to]), { at: to, watts: powerAt(samples, to) }];
  let joules = 0;
  for (let i = 1; i < points.length; i++) joules += ((points[i]!.at - points[i - 1]!.at) / 1e3) * ((points[i]!.watts + points[i - 1]!.watts) / 2);
  return joules;
}

/** Joules in a span by a counter, read at least at its ends. Null: it was not. */
export function counted(samples: readonly CounterSample[], [from, to]: Span): number | null {
  const [start, end] = [samples.findLast(({ at }) => at <= from), samples.find(({ at }) => at >= to)];
  return start && end ? end.joules - start.joules : null;
}

function powerAt(samples: readonly PowerSample[], at: number): number {
  const after = samples.findIndex((sample) => sample.at >= at);
  if (after < 0) return samples.at(-1)!.watts;
  if (after === 0) return samples[0]!.watts;
  const [a, b] = [samples[after - 1]!, samples[after]!];
  return a.watts + ((at - a.at) / (b.at - a.at || 1)) * (b.watts - a.watts);
}

export const mean = (values: readonly number[]): number | null => (values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length);
