import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { packageRoot } from "../../../lib/checkpoint/package-root.js";
import type { JobState } from "../../../lib/jobs/state.js";
import { Session } from "../../kernel/session.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { type Ended, sdtp, temporaryFolder, until } from "../cli/sdtp.js";

const quick = ["--config", "baseline", "keep07", "--threads", "1", "--repeats", "1", "--warmup", "0", "--no-memory", "--benchmark-mode", "prefill"];
/** Enough cells that it is in the middle of them while it is looked at. */
const LENGTHS = Array.from({ length: 8 }, (_, n) => String(30 + n));

describe("jobs", () => {
  let model: ReturnType<typeof tinyCheckpoint>;
  before(() => void (model = tinyCheckpoint("llama")));
  after(() => model.remove());

  const detach = (cwd: string, ...more: string[]) => sdtp(cwd, "sweep", "--model", model.folder, "--lengths", ...LENGTHS, ...quick, "--folder", "out", ...more, "--detach");
  const states = async (cwd: string): Promise<JobState[]> => JSON.parse((await sdtp(cwd, "jobs", "--json")).stdout) as JobState[];
  const state = async (cwd: string): Promise<JobState> => (await states(cwd))[0]!;
  const cells = (cwd: string) => (existsSync(join(cwd, "out", "cells")) ? readdirSync(join(cwd, "out", "cells")).filter((name) => name.endsWith(".json")) : []);
  const id = ({ stdout, stderr, code }: Ended) => {
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };
  const ended = async (cwd: string): Promise<JobState> => {
    for (;;) {
      const found = await state(cwd);
      if (found.status !== "running") return found;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };

  test("a detached sweep outlives the terminal it was started from, is stopped, and goes on where it was", async (t) => {
    const cwd = temporaryFolder(t);
    // A terminal that is closed ends its whole group.
    const words = [process.execPath, join(packageRoot(), "lib", "cli", "sdtp.mjs"), "sweep", "--model", model.folder, "--lengths", ...LENGTHS, ...quick, "--folder", "out", "--detach"];
    const terminal = spawn("sh", ["-c", `${words.map((word) => `'${word}'`).join(" ")} && exec sleep 1000`], { cwd, detached: true, env: { ...process.env, SDTP_CACHE: join(cwd, "cache"), SDTP_STATE: join(cwd, "state") }, stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    terminal.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    await until(() => said.endsWith("\n"));
    const job = said.trim();
    process.kill(-terminal.pid!, "SIGHUP");
    process.kill(-terminal.pid!, "SIGKILL");
    assert.match(job, /^[a-z2-9]{6}$/);
    assert.equal((await state(cwd)).status, "running");
    await until(() => cells(cwd).length >= 2);

    const stopped = await sdtp(cwd, "jobs", "stop", job.slice(0, 4));
    assert.equal(stopped.code, 0, stopped.stderr);
    assert.match(stopped.stdout, new RegExp(`^${job} +stopped +\\d+ %: `));
    const before = new Map(cells(cwd).map((name) => [name, readFileSync(join(cwd, "out", "cells", name), "utf8")]));
    assert.ok(before.size >= 2 && before.size < LENGTHS.length, `${before.size} cells`);
    const again = await sdtp(cwd, "jobs", "stop", job);
    assert.equal(again.stderr, `sdtp: job: ${job} (does not run: stopped)\n`);

    const resumed = await sdtp(cwd, "jobs", "resume", job);
    assert.equal(resumed.code, 0, resumed.stderr);
    const end = await ended(cwd);
    assert.deepEqual([end.id, end.status, end.reason, end.progress?.share, end.folder], [job, "done", null, 1, join(cwd, "out")]);
    assert.equal(cells(cwd).length, LENGTHS.length);
    for (const [name, text] of before) assert.equal(readFileSync(join(cwd, "out", "cells", name), "utf8"), text);
    assert.match((await sdtp(cwd, "jobs", "logs", job, "--lines", "1")).stdout, new RegExp(`${LENGTHS.length - before.size} cells measured, ${before.size} found, 0 left`));
    assert.match((await sdtp(cwd, "jobs", "resume", job)).stderr, /is done/);
    assert.equal((await sdtp(cwd, "jobs", "remove", job)).stdout, `${job} removed\n`);
    assert.deepEqual(await states(cwd), []);
    assert.equal(cells(cwd).length, LENGTHS.length);
  });

  test("one whose process is killed has died, with the last words of its log; its number alone is not it", async (t) => {
    const cwd = temporaryFolder(t);
    const job = id(await detach(cwd));
    await until(() => cells(cwd).length >= 1);
    const { pid } = await state(cwd);
    process.kill(pid!, "SIGKILL");
    const folder = join(cwd, "state", "jobs", job);
    writeFileSync(join(folder, "log.txt"), "first\nlast words\n");
    const died = await ended(cwd);
    assert.deepEqual([died.status, died.reason], ["died", "its process was killed, or crashed; its last words: last words"]);
    assert.match((await sdtp(cwd, "jobs")).stdout, new RegExp(`${job} +died .*\\n +its process .* last words\\n +to go on: sdtp jobs resume ${job}\\n +sdtp sweep --model `));
    // Somebody else has its number now.
    const file = join(folder, "process-1.json");
    const identity = JSON.parse(readFileSync(file, "utf8")) as object;
    writeFileSync(file, JSON.stringify({ ...identity, pid: process.pid }));
    assert.equal((await state(cwd)).status, "died");
    assert.equal((await sdtp(cwd, "jobs", "stop", job)).code, 1);
    writeFileSync(file, JSON.stringify({ ...identity, host: `not ${hostname()}` }));
    assert.equal((await state(cwd)).status, "elsewhere");
    writeFileSync(file, JSON.stringify(identity));
    assert.equal((await sdtp(cwd, "jobs", "resume", job)).code, 0);
    assert.match((await sdtp(cwd, "jobs", "resume", job)).stderr, /runs\)|is done\)/);
    assert.match((await sdtp(cwd, "jobs", "remove", job)).stderr, /runs: sdtp jobs stop/);
    assert.equal((await ended(cwd)).status, "done");
  });

  test("what is refused is refused at once, and is no job; one that failed or ran out of time says so", async (t) => {
    const cwd = temporaryFolder(t);
    for (const [words, message] of [
      [["--config", "nope"], /^sdtp: preset: nope \(known: .*\)\n$/], [["--lengths", "5", "4"], /^sdtp: lengths/], [["--prompt-file", "not there"], /^sdtp: .*not there/],
    ] as const) {
      const { code, stdout, stderr } = await detach(cwd, ...words);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, message);
    }
    assert.equal((await sdtp(cwd, "jobs")).stdout, "no jobs: sdtp sweep --detach and the like start one\n");
    for (const wanted of ["../..", "", "zzzzzz"]) assert.match((await sdtp(cwd, "jobs", "stop", wanted)).stderr, /there is no such job; there are none/);

    id(await sdtp(cwd, "sweep", "--model", model.folder, "--lengths", "30", "31", ...quick, "--folder", "out", "--max-minutes", "0.00001", "--detach"));
    const late = await ended(cwd);
    assert.deepEqual([late.status, late.reason], ["stopped", "the time was up: 1 of 2 cells are left"]);
    rmSync(join(cwd, "state"), { recursive: true });
    id(await sdtp(cwd, "sweep", "--model", model.folder, "--lengths", "40", ...quick, "--folder", "out", "--timeout", "0.001", "--detach"));
    const failed = await ended(cwd);
    assert.equal(failed.status, "failed");
    assert.match(failed.reason ?? "", /2 of 2 rows failed/);
    assert.equal((await sdtp(cwd, "jobs", "resume", failed.id, "--retry-failed")).code, 0);
    assert.equal((await ended(cwd)).status, "failed");
    writeFileSync(join(cwd, "state", "jobs", failed.id, "job.json"), "{");
    const damaged = await sdtp(cwd, "jobs");
    assert.equal(damaged.code, 1);
    assert.match(damaged.stderr, new RegExp(`job\\.json \\(is damaged; sdtp jobs remove ${failed.id} `));
    assert.equal((await sdtp(cwd, "jobs", "remove", failed.id)).code, 0);
  });

  test("a notebook starts one, another one follows it; an interrupt ends the looking alone", async (t) => {
    const cwd = temporaryFolder(t);
    const env = { SDTP_STATE: join(cwd, "state"), SDTP_CACHE: join(cwd, "cache") };
    const one = await Session.start({ cwd, env });
    let ended = false;
    t.after(() => (ended ? undefined : one.end()));
    const started = await one.run(`await sdtp.detach({ models: [${JSON.stringify(model.folder)}], lengths: [${LENGTHS.join(", ")}], configs: ["baseline", "keep07"], threads: [1], repeats: 1, warmup: 0, memory: false, mode: "prefill", folder: "out" })`);
    assert.equal(started.reply.status, "ok", JSON.stringify(started.reply));
    const job = /'(\w+)'/.exec(started.text ?? "")![1]!;
    // It must not end before it is looked at.
    const { pid } = await state(cwd);
    process.kill(pid!, "SIGSTOP");
    const refused = await one.run(`await sdtp.detach({ configs: [{ ...sdtp.presets.keep07, name: "mine", stages: [{ afterBlock: 1, ratio: 0.123 }] } as any], onRow: 1 } as any)`);
    assert.equal(refused.reply.status, "error");
    // The kernel goes; its job stays.
    await one.end();
    ended = true;

    const other = await Session.start({ env });
    t.after(() => other.end());
    // By a clock of its own, as the cell waits: shown is what there is before.
    const looked = await other.interrupted(`await sdtp.jobs(); setTimeout(() => console.log("started"), 100); await sdtp.attach("${job}")`);
    assert.equal(looked.reply.ename, "KeyboardInterrupt");
    assert.equal((await state(cwd)).status, "running");
    process.kill(pid!, "SIGCONT");
    const followed = await other.run(`const job = await sdtp.attach("${job}"); console.log(job.status, job.rows.length, job.rows.every((row) => row.prefill_seconds! > 0)); (await sdtp.jobs()).map(({ id }) => id).join()`);
    assert.equal(followed.reply.status, "ok", JSON.stringify(followed.reply));
    assert.equal(followed.stream("stdout"), `done ${2 * LENGTHS.length} true\n`);
    assert.equal(followed.text, `'${job}'`);
    const updates = followed.contents("update_display_data").map(({ data }) => String((data as { "text/plain": string })["text/plain"]));
    assert.match(updates.at(-1) ?? "", new RegExp(`^job ${job}: done, ${2 * LENGTHS.length} rows`));
    const missing = await other.run('await sdtp.attach("zzzzzz")');
    assert.match(String(missing.reply.evalue), /there is no such job; there are/);
  });
});
