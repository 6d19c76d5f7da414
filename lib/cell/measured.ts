import type { Profile } from "../bench/profile.js";
import type { Results } from "../bench/record.js";
import type { SweepRow } from "../bench/sweep/row.js";
import type { Source } from "../report/rows.js";
import { sourcesOf } from "../report/sweep.js";

/** What was measured, as any function here gives it: rows of a sweep, a profile, results read from files, or results by configuration. */
export type Measured = readonly SweepRow[] | Profile | readonly Source[] | ReadonlyMap<string, Results>;

/** As the contents of results files, one a configuration. @throws on what is none of them */
export function sources(measured: Measured): Source[] {
  if (isMap(measured)) return [...measured].map(([file, results]) => ({ file, results }));
  if ("results" in measured && isMap(measured.results)) return sources(measured.results);
  if (Array.isArray(measured)) {
    const list = measured as readonly (SweepRow | Source)[];
    if (list.every((item): item is Source => typeof item === "object" && item !== null && "file" in item && "results" in item)) return [...list];
    if (list.every((item): item is SweepRow => typeof item === "object" && item !== null && "cell" in item && "entry" in item)) return sourcesOf(list);
  }
  throw new Error("measured: (must be rows of a sweep, what profile or readResults gave, or a Map of results by configuration)");
}

function isMap(value: object): value is ReadonlyMap<string, Results> {
  return value instanceof Map;
}
