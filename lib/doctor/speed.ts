import { matrixRate, memoryBandwidth } from "../bench/engine/machine.js";
import { defaultThreads } from "../bench/environment.js";
import type { Finding } from "./finding.js";

/** What this machine's CPU reaches now, with the threads that commands take by themselves. */
export async function speed(): Promise<Finding[]> {
  const threads = defaultThreads();
  const bandwidth = await memoryBandwidth({ threads, repeats: 3 });
  const rate = await matrixRate({ threads, repeats: 7 });
  const of = `${threads} ${threads === 1 ? "thread" : "threads"}`;
  return [
    { what: "memory bandwidth", state: "ok", says: `${(bandwidth / 1e9).toFixed(1)} GB/s now with ${of}: what bounds decoding`, data: { bytes_per_second: bandwidth, threads } },
    { what: "matrix products", state: "ok", says: `${(rate / 1e9).toFixed(0)} GFLOP/s now with ${of}: what bounds prefill`, data: { flops_per_second: rate, threads } },
  ];
}
