import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join, parse, resolve } from "node:path";
import { stringifyExact } from "../json.js";
import { recorded, UsageError, type Values } from "../parameters/parameter.js";
import { readNotebook } from "../read.js";
import { defaultOutput } from "./run.js";

/** One run of several. */
export interface PlannedRun {
  file: string;
  output: string;
  values: Values;
}

export interface MatrixOptions {
  /** Parameter sets, as {@link readMatrix} has them; without them each notebook runs once. */
  sets?: Values[];
  /** What all runs have in common: a set's own values win. */
  common?: Values;
  /** Where outputs go. Default: beside each notebook. */
  folder?: string;
}

/** Characters of a file name that parameters may take. */
const LONGEST = 100;

/**
 * Every notebook with every parameter set. Outputs are named by the parameters of their set:
 * `NAME.length=1024,model=tiny.out.ipynb`.
 * @throws UsageError where two runs would write one file
 */
export function plannedRuns(files: string[], { sets = [], common = {}, folder }: MatrixOptions): PlannedRun[] {
  const runs = files.flatMap((file) =>
    (sets.length > 0 ? sets : [{}]).map((set): PlannedRun => {
      const { dir, base } = parse(defaultOutput(file));
      const name = Object.keys(set).length === 0 ? base : base.replace(/\.out\.ipynb$/, `.${label(set)}.out.ipynb`);
      return { file, output: join(folder ?? dir, name), values: { ...common, ...set } };
    }),
  );
  const taken = new Map<string, PlannedRun>();
  for (const run of runs) {
    // Many file systems take upper and lower case for the same.
    const path = resolve(run.output).toLowerCase();
    const other = taken.get(path);
    if (other) throw new UsageError(`output: ${run.output} (of two runs: ${other.file} ${stringifyExact(recorded(other.values), 0)} and ${run.file} ${stringifyExact(recorded(run.values), 0)})`);
    taken.set(path, run);
  }
  return runs;
}

/** `length=1024,model=tiny`; where that does not say it all, as in long lists, with a hash of the values behind. */
function label(set: Values): string {
  const full = Object.entries(recorded(set)).map(([name, value]) => `${name}=${typeof value === "string" ? value : stringifyExact(value, 0)}`).join(",");
  const clear = full.replace(/[^\p{L}\p{N}=,._-]+/gu, "_").slice(0, LONGEST);
  // Text that differs from another only in its case would be the same file.
  const lossless = clear === full && Object.values(set).every((value) => typeof value !== "string" || value === value.toLowerCase());
  return lossless ? clear : `${clear}-${createHash("sha256").update(stringifyExact(set, 0)).digest("hex").slice(0, 8)}`;
}

/** Whether the output of a run is there, complete, and of the same notebook and values. */
export async function isComplete({ file, output, values }: PlannedRun): Promise<boolean> {
  if (!existsSync(output)) return false;
  const metadata = await readNotebook(output).then((notebook) => notebook.metadata, () => undefined);
  const { run } = (metadata?.sdtp ?? {}) as { run?: { status?: string } };
  const { parameters, input_path } = (metadata?.papermill ?? {}) as { parameters?: Values; input_path?: string };
  const sameInput = input_path !== undefined && (resolve(input_path) === resolve(file) || resolve(dirname(output), input_path) === resolve(file));
  return run?.status === "completed" && sameInput && stringifyExact(sorted(parameters ?? {}), 0) === stringifyExact(sorted(recorded(values)), 0);
}

function sorted(values: Values): [string, unknown][] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
}
