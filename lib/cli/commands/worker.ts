import type { Command } from "commander";
import { interruptSignal } from "../interrupt.js";
import { number, positiveInteger } from "../options.js";

interface Options {
  queue?: string;
  queueName: string;
  device: string[];
  models: string[];
  output: string;
  qualityJobs: number;
  lockSeconds: number;
  idleSeconds?: number;
  fetch?: boolean;
}

/** `sdtp worker`: takes jobs of sweeps and evaluations off a queue. */
export function register(program: Command): void {
  program
    .command("worker")
    .description("measure what sweeps and evaluations put into a queue, on this machine")
    .option("--queue <url>", "redis://[:PASSWORD@]HOST[:PORT], rediss:// with TLS (default: SDTP_QUEUE)")
    .option("--queue-name <name>", "take jobs of the queue of this name", "sdtp")
    .option("--device <name...>", "what to measure on, one job at a time on each: cpu, webgpu, cuda, cuda:0, cpu:0-7", (words: string, before: string[] | undefined) => [...(before ?? []), ...words.split(",").filter((word) => word !== "")])
    .option("--models <folder...>", "folders that jobs may use models and pruning modules of (the embedded model, synthetic ones and those of the hub's cache need none)", [])
    .option("--output <folder>", "where what was measured is kept, so that nothing is measured twice should the queue not get it", "results/worker")
    .option("--quality-jobs <n>", "quality jobs at once on this machine; timed ones are alone", positiveInteger, 1)
    .option("--lock-seconds <n>", "after which the job of a worker that is gone is given to another", number, 30)
    .option("--idle-seconds <n>", "end after so long without work (default: never)", number)
    .option("--fetch", "fetch models of the hub that jobs name and that are not here")
    .addHelpText("after", `
A worker does named jobs with checked data, never code. It refuses a job whose model lies outside of --models, has other weights
than where the job was filed, or needs other versions; another worker may take it then. Ctrl-C gives the job in hand back.
SDTP_MACHINE names this machine in rows (default: its host name); SDTP_QUEUE_PASSWORD keeps the password out of the command line.

Example:
  sdtp worker --queue redis://10.0.0.5 --device cuda:0 cuda:1 --models ~/models`)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { queue = process.env["SDTP_QUEUE"], queueName, device, models, output, qualityJobs, lockSeconds, idleSeconds, fetch } = options;
  if (!queue) throw new Error("queue: none (give --queue redis://HOST, or set SDTP_QUEUE)");
  if (!(lockSeconds >= 1)) throw new Error(`lock seconds: ${lockSeconds} (must be 1 or more)`);
  // A job of somebody else decides over no download.
  if (!fetch) process.env["HF_HUB_OFFLINE"] = "1";
  const [{ work }, { requireWritable }, { join }] = await Promise.all([import("../../queue/worker.js"), import("../../bench/output.js"), import("node:path")]);
  await requireWritable(join(output, "cells", "cell.json"));
  const signal = interruptSignal();
  const { done, failed } = await work({
    url: queue, queueName, placements: device ?? ["cpu"], allowed: models, folder: output, qualityJobs, lockSeconds, signal,
    ...(idleSeconds !== undefined && { idleSeconds }), onMessage: (message) => process.stderr.write(`${message}\n`),
  });
  process.stderr.write(`${done} jobs done, ${failed} failed${signal.aborted ? "; what was in hand is back in the queue" : ""}\n`);
}
