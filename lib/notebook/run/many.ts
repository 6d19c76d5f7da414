import type { PlannedRun } from "./matrix.js";
import { checkRun, runNotebook, type RunOptions, type RunResult } from "./run.js";

export interface ManyOptions extends Omit<RunOptions, "output" | "values" | "onProgress" | "onNote"> {
  /** Runs at a time. */
  jobs?: number;
  onProgress?(run: PlannedRun, ...progress: Parameters<NonNullable<RunOptions["onProgress"]>>): void;
  onNote?(run: PlannedRun, text: string): void;
  onEnd?(run: PlannedRun, result: RunResult): void;
}

/**
 * Several runs, each in a kernel of its own. One that fails does not stop the others; the signal ends those that run,
 * and no more begin.
 * @returns their results in order; undefined: not begun
 * @throws UsageError before anything has run, of the first run that is wrong
 */
export async function runNotebooks(runs: PlannedRun[], { jobs = 1, onProgress, onNote, onEnd, ...options }: ManyOptions = {}): Promise<(RunResult | undefined)[]> {
  for (const { file, output, values } of runs) await checkRun(file, { ...options, output, values });
  const results = runs.map((): RunResult | undefined => undefined);
  const waiting = runs.entries();
  const work = async () => {
    // All workers take from the same iterator.
    for (const [i, run] of waiting) {
      if (options.signal?.aborted) return;
      const { file, output, values } = run;
      const report = { onProgress: (...progress: Parameters<NonNullable<RunOptions["onProgress"]>>) => onProgress?.(run, ...progress), onNote: (text: string) => onNote?.(run, text) };
      const result = await runNotebook(file, { ...options, ...report, output, values }).catch(
        (error: Error): RunResult => ({ status: "failed", output, completed: 0, total: 0, cached: 0, seconds: 0, stop: { message: error.message } }),
      );
      results[i] = result;
      onEnd?.(run, result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, runs.length) }, work));
  return results;
}
