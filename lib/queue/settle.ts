import type { Job } from "bullmq";
import { z } from "zod";
import { unlessAborted } from "../ambient-signal.js";
import type { Done } from "./done.js";
import { refusal } from "./jobs.js";
import { pause } from "./pause.js";
import { packedResult } from "./result.js";

/** So often a job is offered again after all workers there were had refused it: others may be about to come. */
const ROUNDS = 4;

export interface SettleOptions {
  readonly machine: string;
  /** The job as the queue has it now. */
  readonly look: () => Promise<Job | undefined>;
  /** Other machines that might do it. */
  readonly others: () => Promise<readonly string[]>;
  readonly signal?: AbortSignal | undefined;
  readonly onWait: (message: string) => void;
}

export type Settled = "completed" | "failed" | "refused" | "lost";

const refused = z.object({ refusals: z.array(refusal).catch([]), rounds: z.number().catch(0) }).catch({ refusals: [], rounds: 0 });
type Refused = z.infer<typeof refused>;

/**
 * Tells the queue how a job ended: done; or to be tried on another machine; or failed, where none is left. A queue that is
 * away, or whose disk is full, is waited for.
 */
export async function settle(job: Job, token: string, done: Done, options: SettleOptions): Promise<Settled> {
  const { machine, others } = options;
  if ("result" in done) {
    const kept = await packedResult(done.result);
    return persistently(options, async () => void (await job.moveToCompleted(kept, token, false)), "completed");
  }
  return persistently(options, async () => {
    // Of a job that somebody put there by hand, nothing is sure to be what it should.
    const { refusals: before, rounds: sofar } = refused.parse(job.data);
    const known = before.some((refusal) => refusal.machine === machine);
    const refusals = known ? before : [...before, { machine, error: done.error.slice(0, 2000) }];
    const left = (await others()).filter((name) => !refusals.some((refusal) => refusal.machine === name));
    const rounds = sofar + (left.length === 0 ? 1 : 0);
    await job.updateData({ ...(typeof job.data === "object" ? job.data : {}), refusals, rounds, ...(done.outcome !== undefined && { outcome: done.outcome }) });
    if (left.length > 0 || (done.refusal && rounds < ROUNDS)) {
      // To the end of the line, for another machine.
      await job.moveToFailed(new Error(done.error), token, false);
      return "refused";
    }
    const { UnrecoverableError } = await import("bullmq");
    await job.moveToFailed(new UnrecoverableError(reasons(refusals)), token, false);
    return "failed";
  }, "failed");
}

/** Back to the head of the line, for any machine. */
export async function giveBack(job: Job, token: string): Promise<void> {
  await Promise.race([job.moveToWait(token).catch(() => {}), pause(2000)]);
}

async function persistently({ machine, look, signal, onWait }: SettleOptions, tell: () => Promise<Settled | void>, told: Settled): Promise<Settled> {
  let said = false;
  for (let wait = 500; ; wait = Math.min(2 * wait, 10_000)) {
    try {
      return (await unlessAborted(tell(), signal)) ?? told;
    } catch (error) {
      const { message } = error as Error;
      if (/lock|Missing key|not in the active state|does not exist/i.test(message)) {
        // An earlier try may have got through, its answer lost on the way.
        const found = await look().catch(() => undefined);
        return told === "completed" && found?.processedBy === machine && found.finishedOn !== undefined && found.returnvalue != null ? "completed" : "lost";
      }
      if (signal?.aborted) return "lost";
      if (!said) onWait(`queue: does not take the result (${message}); trying again`);
      said = true;
      await pause(wait, signal);
    }
  }
}

/** Why a job failed, on one machine or on each. */
export function reasons(refusals: Refused["refusals"]): string {
  return refusals.length === 1 ? refusals[0]!.error : refusals.map(({ machine, error }) => `${machine}: ${error}`).join("; ");
}
