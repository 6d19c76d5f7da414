import cliProgress from "cli-progress";

/** A progress bar on stderr; nothing where stderr is no terminal. */
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
  if (quiet || !process.stderr.isTTY) return { update() {}, clear() {}, stop() {} };
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

/** Seconds left, from the share that is done after so many; null where it is too early to say. */
function extrapolated(share: number, seconds: number): number | null {
  return share < 0.02 || share >= 1 ? null : (seconds * (1 - share)) / share;
}

/** `0:07`, `2:05`, `1:02:05`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
