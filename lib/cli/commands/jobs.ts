import type { Command } from "commander";
import { formatJson } from "../../format-json.js";
import { positiveInteger } from "../options.js";

/** `sdtp jobs`: what goes on by itself, and how to end it or go on with it. */
export function register(program: Command): void {
  const jobs = program
    .command("jobs")
    .description("commands that were started with --detach: how far they are, stop, resume")
    .option("--json", "print JSON")
    .addHelpText("after", `
Jobs of this user, whatever folder they were started in (SDTP_STATE sets another place). An id may be shortened.
A job is running, done, stopped, failed (its command says so), or died (its process is gone: killed, or the machine
was started anew, which is said); what it did is kept in each case, and resume goes on there.

With --detach go on by themselves: sweep; evaluate perplexity, retrieval, longbench, ruler, infinitebench, prompts;
train model, saliency, pruner, targets; bench growth, serve; run; fetch. Two that measure at once disturb each other.

Example:
  sdtp sweep --config baseline keep07 --lengths 1024 4096 --detach
  sdtp jobs
  sdtp jobs stop k3m9qd`)
    .action(async ({ json }: { json?: boolean }) => {
      const { jobStates } = await import("../../jobs/state.js");
      const { jobText } = await import("../../report/jobs.js");
      const { jobs: all, damaged } = await jobStates();
      for (const { error } of damaged) process.stderr.write(`${error}\n`);
      if (json) process.stdout.write(formatJson(all));
      else process.stdout.write(all.length === 0 ? "no jobs: sdtp sweep --detach and the like start one\n" : `${all.map(jobText).join("\n")}\n`);
      if (damaged.length > 0) process.exitCode = 1;
    });

  jobs
    .command("stop")
    .description("end a job as Ctrl-C would; what was measured is kept")
    .argument("<id...>")
    .action((ids: string[]) => each(ids, async (id) => (await import("../../jobs/stop.js")).stopJob(id)));

  jobs
    .command("resume")
    .description("go on with a job that was stopped, failed or died, where it was")
    .argument("<id...>")
    .option("--retry-failed", "of a sweep or a queue: measure again what failed")
    .action((ids: string[], { retryFailed }: { retryFailed?: boolean }) => each(ids, async (id) => (await import("../../jobs/start.js")).resumeJob(id, retryFailed ? ["--retry-failed"] : [])));

  jobs
    .command("logs")
    .description("what a job wrote")
    .argument("<id>")
    .option("--lines <n>", "the last so many lines", positiveInteger, 40)
    .action(async (wanted: string, { lines }: { lines: number }) => {
      const { findId } = await import("../../jobs/store.js");
      const { logTail } = await import("../../jobs/state.js");
      const text = await logTail(await findId(wanted), 1 << 20);
      process.stdout.write(text.split(/(?<=\n)/).slice(-lines).join(""));
    });

  jobs
    .command("remove")
    .description("take jobs out of the list; their results stay")
    .argument("<id...>")
    .action(async (ids: string[]) => {
      const { removeJobs } = await import("../../jobs/stop.js");
      process.stdout.write(`${(await removeJobs(ids)).map((id) => `${id} removed`).join("\n")}\n`);
    });
}

async function each(ids: readonly string[], work: (id: string) => Promise<import("../../jobs/state.js").JobState>): Promise<void> {
  const { jobText } = await import("../../report/jobs.js");
  for (const id of ids) process.stdout.write(`${jobText(await work(id))}\n`);
}
