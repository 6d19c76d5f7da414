// How much memory of its own this process takes, sampled from a thread: pages of files, which the system can take back, are not counted.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";

/** Bytes now; null where the system does not say (anywhere but on Linux). */
export function anonymousBytes(): number | null {
  if (process.platform !== "linux") return null;
  return 1024 * Number(/RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]);
}

/** Starts to sample. @returns the most there was since, in bytes; where the system does not tell, the most memory of any kind */
export async function watchAnonymous(): Promise<() => number> {
  const shared = new SharedArrayBuffer(16);
  const most = new Float64Array(shared, 0, 1);
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { shared } });
  await new Promise((resolve) => worker.once("online", resolve));
  worker.unref();
  return () => (anonymousBytes() === null ? process.resourceUsage().maxRSS * 1024 : Math.max(most[0]!, anonymousBytes()!));
}

const asked = workerData as { shared?: SharedArrayBuffer } | null;
if (!isMainThread && asked?.shared && anonymousBytes() !== null) {
  const most = new Float64Array(asked.shared, 0, 1);
  const never = new Int32Array(asked.shared, 8, 1);
  do most[0] = Math.max(most[0]!, anonymousBytes()!); while (Atomics.wait(never, 0, 0, 1) === "timed-out");
}
