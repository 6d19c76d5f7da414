import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { temporaryFolder, until } from "../cli/sdtp.js";
import { cellsIn, noServer, quick, redisServer, rowNames, running, type Server, swept, worker } from "./server.js";

/** Runs enough of one cell for a test to come between. */
const LONG = ["--repeats", "30"];

async function place(t: TestContext, ...args: string[]): Promise<{ cwd: string; folder: string; server: Server }> {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  return { cwd, folder, server: await redisServer(t, cwd, ...args) };
}

const both = ["30 baseline", "30 keep07", "50 baseline", "50 keep07"];

test("a worker that is killed in the middle of a job loses it to another: every row once", { skip: noServer }, async (t) => {
  const { cwd, folder, server: { url } } = await place(t);
  const follows = running(t, cwd, quick(folder, ...LONG, "--lengths", "30", "50", "--queue", url, "--folder", "s"));
  const killed = worker(t, cwd, url, "a", ["--models", folder]);
  await killed.says(/takes: /);
  killed.child.kill("SIGKILL");
  worker(t, cwd, url, "b", ["--models", folder]);
  const { rows } = await swept(follows);
  assert.deepEqual(rowNames(join(cwd, "s")), both);
  assert.deepEqual(rows.map(({ machine }) => machine), Array(4).fill("b"));
  assert.equal(cellsIn(join(cwd, "s")).length, 2);
});

test("a worker that is stopped by Ctrl-C gives its job back at once", { skip: noServer }, async (t) => {
  const { cwd, folder, server: { url } } = await place(t);
  const follows = running(t, cwd, quick(folder, ...LONG, "--lengths", "30", "--queue", url, "--folder", "s"));
  const stopped = worker(t, cwd, url, "a", ["--models", folder, "--lock-seconds", "600"]);
  await stopped.says(/takes: /);
  stopped.child.kill("SIGINT");
  assert.equal((await stopped.ended).code, 0);
  assert.match(stopped.said(), /0 jobs done, 0 failed; what was in hand is back in the queue/);
  worker(t, cwd, url, "b", ["--models", folder, "--lock-seconds", "600"]);
  assert.deepEqual((await swept(follows)).rows.map(({ machine }) => machine), ["b", "b"]);
});

test("a server that is killed and has forgotten everything, in the middle of a job: the sweep files it again, and nothing is measured twice", { skip: noServer }, async (t) => {
  const { cwd, folder, server } = await place(t);
  const follows = running(t, cwd, quick(folder, ...LONG, "--lengths", "30", "50", "--queue", server.url, "--folder", "s"));
  const takes = worker(t, cwd, server.url, "a", ["--models", folder]);
  await takes.says(/takes: /);
  await server.kill();
  await takes.says(/is away .*waiting for it/);
  await server.start();
  const { rows } = await swept(follows);
  assert.deepEqual(rowNames(join(cwd, "s")), both);
  assert.deepEqual(rows.map(({ error }) => error), Array(4).fill(null));
  assert.equal(takes.said().match(/takes: /g)?.length, 2, takes.said());
});

test("a server that is started again with what it had: the sweep goes on", { skip: noServer }, async (t) => {
  const { cwd, folder, server } = await place(t, "--appendonly", "yes", "--appendfsync", "always");
  const follows = running(t, cwd, quick(folder, ...LONG, "--lengths", "30", "50", "--queue", server.url, "--folder", "s"));
  const takes = worker(t, cwd, server.url, "a", ["--models", folder]);
  await takes.says(/takes: /);
  await server.kill("SIGTERM");
  await takes.says(/is away/);
  await server.start();
  await swept(follows);
  assert.deepEqual(rowNames(join(cwd, "s")), both);
  assert.match(follows.said(), /is away .*\n.* is back/);
  assert.equal(takes.said().match(/takes: /g)?.length, 2, takes.said());
});

test("worker and sweep are stopped by Ctrl-C while the server is away", { skip: noServer }, async (t) => {
  const { cwd, folder, server } = await place(t);
  const follows = running(t, cwd, quick(folder, ...LONG, "--lengths", "30", "50", "--queue", server.url, "--folder", "s"));
  const takes = worker(t, cwd, server.url, "a", ["--models", folder]);
  await takes.says(/takes: /);
  await server.kill();
  await Promise.all([takes.says(/is away/), follows.says(/is away/)]);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  takes.child.kill("SIGINT");
  follows.child.kill("SIGINT");
  assert.deepEqual([(await takes.ended).code, (await follows.ended).code], [0, 130]);
  assert.match(follows.said(), /the jobs stay in the queue; to go on: sdtp sweep /);
});

test("two coordinators at once, one of which is killed: every cell is measured once, and both have every row", { skip: noServer }, async (t) => {
  const { cwd, folder, server: { url } } = await place(t);
  const args = (to: string) => quick(folder, "--lengths", "20", "30", "50", "--queue", url, "--folder", to);
  const [one, two, three] = [running(t, cwd, args("one")), running(t, cwd, args("two")), running(t, cwd, args("three"))];
  await Promise.all([one, two, three].map((each) => each.says(/no worker takes jobs/)));
  three.child.kill("SIGKILL");
  const takes = worker(t, cwd, url, "a", ["--models", folder, "--idle-seconds", "1"]);
  const found = await Promise.all([swept(one), swept(two)]);
  assert.deepEqual(found[0].rows, found[1].rows);
  assert.equal((await takes.ended).stderr.match(/takes: /g)?.length, 3);
  // The third one comes back, with no worker anywhere.
  assert.deepEqual((await swept(running(t, cwd, args("three")))).rows, found[0].rows);
});

test("a job whose process dies on one machine is done by another; where it dies on all, its rows say where and why", { skip: noServer }, async (t) => {
  const { cwd, folder, server: { url } } = await place(t);
  // As the system does it when memory runs out: the process that measures is killed.
  writeFileSync(join(cwd, "short-of-memory.cjs"), `if (/bench.worker\\.js$/.test(process.argv[1] ?? "")) process.kill(process.pid, "SIGKILL");`);
  const env = { NODE_OPTIONS: `--require ${join(cwd, "short-of-memory.cjs")}` };
  const args = quick(folder, "--lengths", "30", "--queue", url);
  const small = worker(t, cwd, url, "small", ["--models", folder], { env });
  const other = worker(t, cwd, url, "large", ["--models", folder], { env });
  await Promise.all([small, other].map((each) => each.says(/waits for jobs/)));
  const failed = await swept(running(t, cwd, [...args, "--folder", "failed"]), 1);
  assert.equal(failed.rows.length, 2);
  for (const { error } of failed.rows) assert.match(String(error), /small: .*killed by SIGKILL \(the system does so when memory runs out\).*large: .*SIGKILL|large: .*SIGKILL.*small: .*SIGKILL/);
  other.child.kill("SIGINT");
  await other.ended;
  const follows = running(t, cwd, [...args, "--folder", "s", "--retry-failed"]);
  worker(t, cwd, url, "large", ["--models", folder]);
  // Whichever machine meets it first.
  const { rows } = await swept(follows);
  assert.deepEqual(rows.map(({ machine, error }) => [machine, error]), Array(2).fill(["large", null]));
});

test("a machine that is ten times slower keeps its job, and one that stood still loses it: every row once", { skip: noServer }, async (t) => {
  const { cwd, folder, server: { url } } = await place(t);
  const follows = running(t, cwd, quick(folder, ...LONG, "--lengths", "30", "--queue", url, "--folder", "s"));
  const slow = worker(t, cwd, url, "slow", ["--models", folder]);
  await slow.says(/takes: /);
  await until(() => childrenOf(slow.child.pid!).length > 0);
  // A tenth of the time it runs, and less until the lock has run out twice, however fast the machine is; the worker's own thread says that it lives.
  const [measuring] = childrenOf(slow.child.pid!);
  const began = performance.now();
  const brake = setInterval(() => {
    signal(measuring!, "SIGCONT");
    setTimeout(() => signal(measuring!, "SIGSTOP"), performance.now() - began < 4500 ? 2 : 10);
  }, 100);
  t.after(() => clearInterval(brake));
  const other = worker(t, cwd, url, "other", ["--models", folder]);
  const { rows } = await swept(follows);
  clearInterval(brake);
  // After the last stop.
  setTimeout(() => signal(measuring!, "SIGCONT"), 50);
  assert.deepEqual(rows.map(({ machine }) => machine), ["slow", "slow"]);
  assert.ok(performance.now() - began > 4000, "longer than the lock of two seconds");
  assert.doesNotMatch(other.said(), /takes: /);

  const stands = running(t, cwd, quick(folder, ...LONG, "--lengths", "50", "--queue", url, "--folder", "s"));
  await Promise.race([slow.says(/takes: .* 50 tokens/), other.says(/takes: .* 50 tokens/)]);
  const [first, second] = /50 tokens/.test(slow.said()) ? [slow, other] : [other, slow];
  first.child.kill("SIGSTOP");
  const { rows: taken } = await swept(stands);
  first.child.kill("SIGCONT");
  assert.match(second.said(), /done: .* 50 tokens/);
  await first.says(/left: .* 50 tokens/);
  assert.deepEqual(new Set(taken.map(({ machine }) => machine)), new Set([second === slow ? "slow" : "other"]));
  assert.deepEqual(rowNames(join(cwd, "s")), ["50 baseline", "50 keep07"]);
});

test("clocks that are hours apart: jobs are done once, and all rows are dated by the server", { skip: noServer }, async (t) => {
  const { cwd, folder, server: { url } } = await place(t);
  const clock = (name: string, hours: number) => {
    writeFileSync(join(cwd, `${name}.cjs`), `const { now } = Date; const Real = Date; const off = ${hours * 3600e3}; globalThis.Date = class extends Real { constructor(...args) { super(...(args.length ? args : [now() + off])); } static now() { return now() + off; } };`);
    return { env: { NODE_OPTIONS: `--require ${join(cwd, `${name}.cjs`)}` } };
  };
  const follows = running(t, cwd, quick(folder, "--lengths", "20", "30", "50", "--queue", url, "--folder", "s"), clock("coordinator", -30));
  const ahead = worker(t, cwd, url, "ahead", ["--models", folder], clock("ahead", 50));
  const behind = worker(t, cwd, url, "behind", ["--models", folder], clock("behind", -50));
  const { rows } = await swept(follows);
  assert.equal(rows.length, 6);
  assert.equal((ahead.said() + behind.said()).match(/takes: /g)?.length, 3);
  for (const { metadata } of rows as { metadata: { time: string } }[]) assert.ok(Math.abs(Date.parse(metadata.time) - Date.now()) < 600e3, metadata.time);
});

test("a full disk: the worker's result comes all the same; the sweep's own is said, and what was measured waits in the queue", { skip: noServer || noMounts() }, async (t) => {
  const { cwd, folder, server: { url } } = await place(t);
  const [own, sweep] = [smallDisk(t, "64k"), smallDisk(t, "64k")];
  for (const disk of [own, sweep]) execFileSync("sh", ["-c", `head -c 60K /dev/zero > ${join(disk, "filler")} || true`]);
  const args = quick(folder, ...LONG, "--lengths", "30", "--queue", url);
  const full = running(t, cwd, [...args, "--folder", sweep]);
  const takes = worker(t, cwd, url, "a", ["--models", folder, "--output", own]);
  const { code, stderr } = await full.ended;
  assert.equal(code, 1);
  assert.match(stderr, /sdtp: sweep cell: \S+\/cells\/\w+\.json \(cannot be written: ENOSPC\)/);
  assert.match(takes.said(), /sweep cell: \S+\/cells\/\w+\.json \(cannot be written: ENOSPC\); the result goes to the queue all the same\ndone: /);
  // Nothing half written is there, neither under its name nor under another.
  assert.deepEqual(cellsIn(sweep), []);
  execFileSync("rm", [join(sweep, "filler")]);
  execFileSync("mount", ["-o", "remount,size=4m", sweep]);
  await swept(running(t, cwd, [...args, "--folder", sweep]));
  assert.deepEqual(rowNames(sweep), both.slice(0, 2));
  assert.equal(takes.said().match(/takes: /g)?.length, 1);
});

test("a server whose disk is full takes no results: they are kept and told again when there is room", { skip: noServer || noMounts() }, async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const disk = smallDisk(t, "256k");
  const { url, port } = await redisServer(t, disk);
  const follows = running(t, cwd, quick(folder, ...LONG, "--lengths", "30", "50", "--queue", url, "--folder", "s"));
  const takes = worker(t, cwd, url, "a", ["--models", folder, "--lock-seconds", "30"]);
  await takes.says(/takes: /);
  const ask = (...words: string[]) => execFileSync("redis-cli", ["-p", String(port), ...words], { encoding: "utf8" });
  // Snapshots that cannot be written make the server refuse every write from then on.
  execFileSync("sh", ["-c", `head -c 300K /dev/zero > ${join(disk, "filler")} || true`]);
  ask("CONFIG", "SET", "save", "1 1");
  ask("BGSAVE");
  await takes.says(/does not take the result \((MISCONF|ERR)|MISCONF/);
  execFileSync("rm", [join(disk, "filler")]);
  execFileSync("mount", ["-o", "remount,size=64m", disk]);
  ask("BGSAVE");
  const { rows } = await swept(follows);
  assert.deepEqual(rows.map(({ error }) => error), Array(4).fill(null));
  assert.deepEqual(rowNames(join(cwd, "s")), both);
  assert.equal(takes.said().match(/takes: /g)?.length, 2, takes.said());
});

/** A disk of this size, in memory. */
function smallDisk(t: TestContext, size: string): string {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder]);
  t.after(() => {
    execFileSync("umount", ["-l", folder]);
    rmdirSync(folder);
  });
  return folder;
}

function childrenOf(pid: number): number[] {
  return execFileSync("sh", ["-c", `ps -o pid= -o args= --ppid ${pid} || true`], { encoding: "utf8" }).split("\n").filter((line) => line.includes("worker.js")).map((line) => Number.parseInt(line, 10));
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}

function noMounts(): string | false {
  try {
    execFileSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return false;
  } catch {
    return "needs root, and leave to mount a tmpfs";
  }
}
