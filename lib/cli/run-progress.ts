import type { PlannedRun, Progress, RunResult } from "../notebook/index.js";
import { duration } from "../report/duration.js";
import { progressBar } from "./progress.js";

/** On a terminal a bar with the running cell and its time; a line for each cell that has ended. */
export function runProgress(): { progress(progress: Progress): void; stop(): void } {
  const bar = progressBar();
  let ticker: NodeJS.Timeout | undefined;
  const stop = () => {
    clearInterval(ticker);
    bar.stop();
  };
  return {
    stop,
    progress({ number: n, total, firstLine, seconds: taken, failed }) {
      clearInterval(ticker);
      const place = `[${String(n).padStart(String(total).length)}/${total}]`;
      const line = shortened(firstLine, 60);
      if (taken === undefined) {
        const begun = performance.now();
        const tick = () => bar.update((n - 1) / total, `${place} ${line}  ${duration((performance.now() - begun) / 1e3)}`, null);
        tick();
        ticker = setInterval(tick, 1000);
      } else {
        bar.clear();
        process.stderr.write(`${place} ${line.padEnd(60)} ${taken.toFixed(1).padStart(7)} s${failed ? "  failed" : ""}\n`);
      }
    },
  };
}

/** Several runs: on a terminal a bar with what each is at; a line for each that has ended. */
export function manyProgress(total: number) {
  const bar = progressBar();
  const running = new Map<PlannedRun, Progress>();
  let ended = 0;
  const update = () => {
    const cells = [...running.values()];
    const done = cells.reduce((sum, { number: n, total: of }) => sum + (n - 1) / of, ended);
    bar.update(total === 0 ? 1 : done / total, cells.map(({ number: n, total: of, firstLine }) => `${n}/${of} ${shortened(firstLine, 30)}`).join("  |  "), null);
  };
  const line = (text: string) => {
    bar.clear();
    process.stderr.write(`${text}\n`);
  };
  return {
    stop: () => bar.stop(),
    line,
    progress(run: PlannedRun, progress: Progress) {
      running.set(run, progress);
      update();
    },
    end(run: PlannedRun, { status, seconds }: RunResult) {
      running.delete(run);
      ended++;
      line(`[${ended}/${total}] ${run.output}  ${status} after ${duration(seconds)}`);
      update();
    },
  };
}

function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
