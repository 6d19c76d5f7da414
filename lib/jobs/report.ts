// What the process of a job says of itself, into the job's folder.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeWholeSync } from "../files.js";
import { formatJson } from "../format-json.js";
import { files } from "./folder.js";
import { ownIdentity } from "./identity.js";
import type { JobEnd, JobProgress } from "./store.js";

/** Names the job's folder and the attempt to the process that is started for it. */
export const JOB_FOLDER = "SDTP_JOB";
export const JOB_ATTEMPT = "SDTP_JOB_ATTEMPT";

/** Milliseconds between two writings of the progress. */
const INTERVAL = 1000;

export class JobReport {
  private written = -Infinity;
  private failed = false;
  private left: string | null = null;
  /** Parts of the work that this attempt has told rows of. */
  private readonly parts = new Set<string>();

  /** @throws where this attempt has a process already */
  constructor(private readonly folder: string, private readonly attempt: number) {
    const file = this.file(files.process(attempt));
    try {
      writeFileSync(file, formatJson(ownIdentity()), { flag: "wx" });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Error(code === "EEXIST" ? `job: ${folder} (was started by somebody else just now)` : `job: ${file} (cannot be written: ${code ?? error})`);
    }
    process.on("exit", (code) => this.end(code));
  }

  /** @param share from 0 to 1 */
  progress(share: number, label: string, secondsLeft: number | null): void {
    const now = performance.now();
    if (share < 1 && now - this.written < INTERVAL) return;
    this.written = now;
    this.write(() => writeWholeSync(this.file(files.progress), formatJson({ share, label, secondsLeft, at: new Date().toISOString() } satisfies JobProgress)));
  }

  /** Rows follow, from the first one on. */
  noRows(): void {
    this.keepRows(() => false);
  }

  row(row: object): void {
    this.write(() => appendFileSync(this.file(files.rows), `${JSON.stringify(row)}\n`));
  }

  /**
   * A row of work whose earlier rows do not come again where it goes on. Those that an earlier attempt told from this one on
   * were not saved, and are taken away.
   * @param at its place in its part of the work
   */
  step(part: string, at: number, row: object): void {
    if (!this.parts.has(part)) this.keepRows((kept) => kept["part"] !== part || Number(kept["at"]) < at);
    this.parts.add(part);
    this.row({ part, at, ...row });
  }

  /** The command ends in order, and this is left. */
  leaves(reason: string): void {
    this.left = reason;
  }

  private end(code: number): void {
    this.write(() => writeWholeSync(this.file(files.end(this.attempt)), formatJson({ code, left: this.left, at: new Date().toISOString() } satisfies JobEnd)));
  }

  private keepRows(is: (row: Readonly<Record<string, unknown>>) => boolean): void {
    this.write(() => {
      const file = this.file(files.rows);
      // The last line may be a torn one, of an attempt that was killed.
      const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
      writeWholeSync(file, lines.filter((line) => is(JSON.parse(line) as Record<string, unknown>)).map((line) => `${line}\n`).join(""));
    });
  }

  /** Nothing that is only told may end the work: it is said once, in the log. */
  private write(work: () => void): void {
    // Removed while it ran: there is nobody to tell.
    if (this.failed || !existsSync(this.folder)) return;
    try {
      work();
    } catch (error) {
      this.failed = true;
      process.stderr.write(`job: ${this.folder} (cannot be written: ${(error as NodeJS.ErrnoException).code ?? error}); its state is not told any more\n`);
    }
  }

  private file(name: string): string {
    return join(this.folder, name);
  }
}

let report: JobReport | undefined;

/** The job that this process is; undefined where it is none. */
export function jobReport(): JobReport | undefined {
  const { [JOB_FOLDER]: folder, [JOB_ATTEMPT]: attempt } = process.env;
  // The processes that it starts are not the job.
  delete process.env[JOB_FOLDER];
  delete process.env[JOB_ATTEMPT];
  if (folder !== undefined) report = new JobReport(folder, Number(attempt));
  return report;
}
