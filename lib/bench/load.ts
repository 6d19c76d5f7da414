import { cpus } from "node:os";

/**
 * Starts to look at what else keeps this machine's processors busy.
 * @returns a function that takes the processor seconds that the work itself used since, and gives the processors that were
 *   busy with anything else, on average: 0 on a machine that did nothing else
 */
export function loadSince(): (ownSeconds: number) => number {
  const started = performance.now();
  const [busy, own] = [busySeconds(), process.cpuUsage()];
  return (ownSeconds) => {
    const { user, system } = process.cpuUsage(own);
    const others = busySeconds() - busy - ownSeconds - (user + system) / 1e6;
    return Math.round(100 * Math.max(0, others / ((performance.now() - started) / 1e3))) / 100;
  };
}

/** Seconds that all processors together have worked since the machine started. */
function busySeconds(): number {
  return cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0) / 1e3;
}
