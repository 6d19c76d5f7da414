import cliProgress from "cli-progress";
import { jobReport, type JobReport } from "../jobs/report.js";
import { duration, extrapolated } from "../report/duration.js";

/** A line at most this often where stderr is no terminal, and none of what is done sooner. */
const LINE_SECONDS = 30;

/** A progress bar on stderr; where stderr is no terminal a line now and then. */
export interface ProgressBar {
  /**
   * @param share done, from 0 to 1
   * @param label what was done last
   * @param secondsLeft where the caller knows better than the time so far tells; null: unknown
   */
  update(share: number, label: string, secondsLeft?: number | null): void;
  /** Takes the bar away, so that lines can be printed. */
  clear(): void;
  stop(): void;
}

/** @param quiet show nothing, on a terminal neither */
export function progressBar(quiet = false): ProgressBar {
  const job = jobReport();
  if (job) return reported(lines(), job);
  if (quiet) return { update() {}, clear() {}, stop() {} };
  if (!process.stderr.isTTY) return lines();
  const bar = new cliProgress.SingleBar({
    stream: process.stderr,
    format: "{bar} {percentage} %  {remaining}  {label}",
    barsize: 30,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    hideCursor: true,
    clearOnComplete: true,
    fps: 5,
    // Without this the library takes Ctrl-C for itself and ends the process before files are closed.
    gracefulExit: false,
  });
  let started = 0;
  const show: ProgressBar["update"] = (share, label, secondsLeft) => {
    if (!started) {
      started = performance.now();
      bar.start(1000, 0, { label, remaining: "" });
    }
    const left = secondsLeft === undefined ? extrapolated(share, (performance.now() - started) / 1e3) : secondsLeft;
    bar.update(Math.round(1000 * share), { label, remaining: left === null ? "" : `about ${duration(left)} left` });
  };
  return {
    update: show,
    clear() {
      if (started) process.stderr.write("\r\x1b[2K");
    },
    stop() {
      if (started) bar.stop();
    },
  };
}

/** For a log: what was done last, the share, and the time left. */
function lines(): ProgressBar {
  const started = performance.now();
  let last = started;
  return {
    update(share, label, secondsLeft) {
      const now = performance.now();
      if (now - last < LINE_SECONDS * 1e3) return;
      last = now;
      const left = secondsLeft === undefined ? extrapolated(share, (now - started) / 1e3) : secondsLeft;
      process.stderr.write(`${Math.floor(100 * share)} %  ${label}${left === null ? "" : `  about ${duration(left)} left`}\n`);
    },
    clear() {},
    stop() {},
  };
}

/** For whoever looks at a job, beside its log. */
function reported(bar: ProgressBar, job: JobReport): ProgressBar {
  const started = performance.now();
  return {
    ...bar,
    update(share, label, secondsLeft) {
      job.progress(share, label, secondsLeft === undefined ? extrapolated(share, (performance.now() - started) / 1e3) : secondsLeft);
      bar.update(share, label, secondsLeft);
    },
  };
}
