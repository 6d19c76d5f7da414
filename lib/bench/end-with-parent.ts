import { Worker } from "node:worker_threads";

/** Milliseconds between two looks. */
const INTERVAL = 1000;

/**
 * Ends this process within about a second of the end of the one that started it, whatever ended that. A run blocks the
 * event loop for as long as it takes, so that the closed channel would be noticed after it only: a thread looks. It kills,
 * for an exit in an orderly way waits for threads that are in the middle of a run.
 */
export function endWithParent(): void {
  const parent = process.ppid;
  const watch = `setInterval(() => {
    let gone = process.ppid !== ${parent};
    try { process.kill(${parent}, 0); } catch (error) { gone ||= error.code === "ESRCH"; }
    if (gone) process.kill(process.pid, "SIGKILL");
  }, ${INTERVAL});`;
  // Its memory counts as this process's: as little as will do.
  new Worker(watch, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 } }).unref();
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
}
