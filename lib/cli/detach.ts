import { resolve } from "node:path";
import type { Command } from "commander";

interface Detaching<Options, Given extends unknown[]> {
  /** The file or folder where its results are, as it was asked for. */
  readonly results: (options: Options, given: Given) => string;
  /** Words that it needs besides to go on where it was. */
  readonly resume?: (options: Options, given: Given) => readonly string[];
}

/**
 * Gives a command `--detach`, by which the same words go on as a job of their own, away from this terminal, kernel or lab. For
 * those that go on where they were when they are given again: that is how a job is resumed.
 * @param action what it does here; the last but one of what it is given are its options, as everywhere in commander
 */
export function detachable<Options extends object, Given extends unknown[]>(command: Command, { results, resume }: Detaching<Options, Given>, action: (...given: Given) => Promise<unknown>): Command {
  return command
    .option("--detach", "go on as a job of its own and print its id: sdtp jobs shows it, sdtp.attach(ID) in a notebook follows it")
    .action(async (...given: unknown[]) => {
      const options = command.opts<Options & { detach?: boolean }>();
      if (!options.detach) return void (await action(...(given as Given)));
      const { startJob } = await import("../jobs/start.js");
      const { id, beside } = await startJob({
        args: withoutDetach(process.argv.slice(2)), cwd: process.cwd(), folder: resolve(results(options, given as Given)), ...(resume && { resume: resume(options, given as Given) }),
      });
      process.stdout.write(`${id}\n`);
      process.stderr.write(`goes on by itself; sdtp jobs shows it, sdtp jobs stop ${id} ends it, await sdtp.attach("${id}") in a notebook follows it\n`);
      if (beside.length > 0) process.stderr.write(`${beside.length === 1 ? `job ${beside[0]} runs` : `jobs ${beside.join(", ")} run`} on this machine too: what is timed meanwhile takes longer than alone\n`);
    });
}

/** Words after `--` are another command's. */
function withoutDetach(words: readonly string[]): string[] {
  const end = words.indexOf("--");
  return words.filter((word, i) => word !== "--detach" || (end >= 0 && i > end));
}
