import type { Run } from "../runtime/run.js";

/** A run in a few words: `keep07, learned, evict`; of one that prunes nothing the preset alone. */
export function runLabel({ preset, scorer, kvPolicy }: Run): string {
  return scorer === null ? preset.name : `${preset.name}, ${scorer}, ${kvPolicy}`;
}
