import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type JobState, jobStates } from "../../../lib/jobs/state.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { sdtp, temporaryFolder, until } from "../cli/sdtp.js";

type Row = Record<string, unknown>;

describe("what goes on by itself besides sweeps", () => {
  let model: ReturnType<typeof tinyCheckpoint>;
  before(() => void (model = tinyCheckpoint("llama")));
  after(() => model.remove());

  const states = async (cwd: string): Promise<JobState[]> => {
    process.env["SDTP_STATE"] = join(cwd, "state");
    return (await jobStates()).jobs;
  };
  const state = async (cwd: string, job: string): Promise<JobState> => (await states(cwd)).find(({ id }) => id === job)!;
  const folderOf = (cwd: string, job: string) => join(cwd, "state", "jobs", job);
  const rows = (cwd: string, job: string): Row[] => {
    const file = join(folderOf(cwd, job), "rows.jsonl");
    return existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line) as Row) : [];
  };
  const pid = (cwd: string, job: string, attempt = 1) => (JSON.parse(readFileSync(join(folderOf(cwd, job), `process-${attempt}.json`), "utf8")) as { pid: number }).pid;
  const detached = async (cwd: string, ...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await sdtp(cwd, ...words, "--detach");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^[a-z2-9]{6}\n$/);
    return stdout.trim();
  };
  const ended = async (cwd: string, job: string): Promise<JobState> => {
    for (;;) {
      const found = await state(cwd, job);
      if (found.status !== "running") return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const resumed = async (cwd: string, job: string, ...more: string[]) => {
    const { code, stderr } = await sdtp(cwd, "jobs", "resume", job, ...more);
    assert.equal(code, 0, stderr);
  };

  const SAMPLES = 60;
  const perplexity = () => ["evaluate", "perplexity", "--model", model.folder, "--config", "keep07", "--scorer", "norm", "--lengths", "48", "--samples", String(SAMPLES), "--continuation", "8", "--threads", "1"];

  test("an evaluation that is killed goes on with the prompts that are left, and its rows are all there once; in a folder of an odd name", async (t) => {
    const cwd = join(temporaryFolder(t), "it's \"a\" $(folder)\n日本 ");
    mkdirSync(cwd);
    const job = await detached(cwd, ...perplexity());
    await until(() => rows(cwd, job).length >= 2);
    process.kill(pid(cwd, job), "SIGKILL");
    const died = await ended(cwd, job);
    assert.equal(died.status, "died");
    assert.match(died.reason ?? "", /^its process was killed, or crashed/);
    const before = rows(cwd, job).length;
    assert.ok(before < 2 * SAMPLES, `${before} rows`);
    assert.match((await sdtp(cwd, "jobs")).stdout, new RegExp(`to go on: sdtp jobs resume ${job}`));
    await resumed(cwd, job);
    const end = await ended(cwd, job);
    assert.deepEqual([end.status, end.reason, end.folder], ["done", null, join(cwd, "results", "evaluate")]);
    const told = rows(cwd, job).map(({ item, config }) => `${item} ${config}`);
    assert.equal(told.length, 2 * SAMPLES);
    assert.equal(new Set(told).size, 2 * SAMPLES);
    // What was measured before was not measured again.
    assert.equal(readFileSync(join(cwd, "results", "evaluate", "perplexity.jsonl"), "utf8").trim().split("\n").length, 2 * SAMPLES);
  });

  test("one whose machine was started anew says so; what its command refuses when it is resumed leaves it as it was", { skip: process.platform !== "linux" && "reads the number of Linux's boot" }, async (t) => {
    const cwd = temporaryFolder(t);
    const job = await detached(cwd, ...perplexity());
    process.kill(pid(cwd, job), "SIGKILL");
    await ended(cwd, job);
    const file = join(folderOf(cwd, job), "process-1.json");
    const identity = JSON.parse(readFileSync(file, "utf8")) as { started: string };
    writeFileSync(file, JSON.stringify({ ...identity, started: `${identity.started.split(" ")[0]} of-the-boot-before` }));
    writeFileSync(join(folderOf(cwd, job), "log.txt"), "sdtp: words of before\n");
    const found = await state(cwd, job);
    assert.deepEqual([found.status, found.reason], ["died", "its machine was started anew meanwhile; its last words: sdtp: words of before"]);
    const { code, stderr } = await sdtp(cwd, "jobs", "resume", job, "--retry-failed");
    assert.deepEqual([code, stderr], [1, "sdtp: retry failed: given (is of no use without --queue)\n"]);
    assert.deepEqual(readdirSync(folderOf(cwd, job)).filter((name) => /^(process|end)-/.test(name)), ["process-1.json"]);
    assert.equal((await state(cwd, job)).reason, "its machine was started anew meanwhile; its last words: sdtp: retry failed: given (is of no use without --queue)");
    await resumed(cwd, job);
    assert.equal((await ended(cwd, job)).status, "done");
  });

  test("a training that is stopped goes on, and its steps stand in its rows in order, each once", async (t) => {
    const cwd = temporaryFolder(t);
    const words = ["train", "pruner", "--model", model.folder, "--prompts", "40", "--length", "64", "--blocks", "0", "--batch", "1", "--epochs", "2", "--threads", "1", "--folder", "run"];
    const job = await detached(cwd, ...words);
    await until(() => rows(cwd, job).length >= 3);
    process.kill(pid(cwd, job), "SIGINT");
    const stopped = await ended(cwd, job);
    assert.equal(stopped.status, "stopped", JSON.stringify(stopped));
    await resumed(cwd, job);
    const end = await ended(cwd, job);
    assert.equal(end.status, "done", JSON.stringify(end));
    assert.ok(existsSync(join(cwd, "run", "pruner.safetensors")));
    const places = (part: string) => rows(cwd, job).filter((row) => row["part"] === part).map(({ at }) => at);
    assert.deepEqual(places("saliency"), Array.from({ length: 40 }, (_, i) => i + 1));
    assert.deepEqual(places("modules"), Array.from({ length: 72 }, (_, i) => i + 1));
    const log = readFileSync(join(cwd, "run", "log.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line) as { loss: number });
    assert.deepEqual(rows(cwd, job).filter((row) => row["part"] === "modules").map(({ loss }) => loss), log.map(({ loss }) => loss));
  });

  test("a notebook's run goes on with what its cells kept; two jobs run at once, but not into the same results", async (t) => {
    const cwd = temporaryFolder(t);
    const cell = (source: string, i: number) => ({ cell_type: "code", id: `cell-${i}`, metadata: {}, source, execution_count: null, outputs: [] });
    const sources = ["let first = 1;", 'const { existsSync, writeFileSync } = await import("node:fs");', 'writeFileSync("begun", ""); while (!existsSync("go")) await new Promise((end) => setTimeout(end, 50)); console.log("gone on")'];
    writeFileSync(join(cwd, "a b.ipynb"), JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: { kernelspec: { name: "sdtp", display_name: "TypeScript (sdtp)", language: "typescript" } }, cells: sources.map(cell) }));
    const job = await detached(cwd, "run", "a b.ipynb", "--cache");
    await until(() => existsSync(join(cwd, "begun")));
    const second = await sdtp(cwd, "run", "a b.ipynb", "--detach");
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`^sdtp: job: .*a b\\.ipynb \\(job ${job}, which runs, writes its results there: `));
    const other = await sdtp(cwd, ...perplexity(), "--detach");
    assert.equal(other.code, 0, other.stderr);
    assert.equal((await ended(cwd, other.stdout.trim())).status, "done");
    assert.match(other.stderr, new RegExp(`job ${job} runs on this machine too: what is timed meanwhile takes longer`));
    assert.match((await sdtp(cwd, "jobs", "stop", job)).stdout, new RegExp(`^${job} +stopped `));
    writeFileSync(join(cwd, "go"), "");
    await resumed(cwd, job);
    const end = await ended(cwd, job);
    assert.equal(end.status, "done", JSON.stringify(end));
    assert.match(readFileSync(join(cwd, "a b.out.ipynb"), "utf8"), /gone on/);
  });

  test("what is refused is refused at once, whatever the command; those that have nothing to go on from have no --detach", async (t) => {
    const cwd = temporaryFolder(t);
    for (const [words, message] of [
      [["evaluate", "retrieval", "--config", "nope"], /^sdtp: preset: nope/],
      [["train", "pruner", "--model", join(cwd, "none"), "--folder", "run"], /^sdtp: .*none/],
      [["bench", "growth", "--lengths", "5"], /^sdtp: lengths: 5 \(must be two or more/],
      [["run", "none.ipynb"], /^sdtp: .*none\.ipynb/],
      [["fetch", "not a name"], /^sdtp: fetch: not a name/],
    ] as const) {
      const { code, stdout, stderr } = await sdtp(cwd, ...words, "--detach");
      assert.deepEqual([code, stdout], [1, ""], stderr);
      assert.match(stderr, message);
    }
    assert.match((await sdtp(cwd, "quality", "--detach")).stderr, /unknown option '--detach'/);
    assert.deepEqual(await states(cwd), []);
  });
});
