import assert from "node:assert/strict";
import { get } from "node:http";
import { test } from "node:test";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { sdtp, temporaryFolder } from "../cli/sdtp.js";
import { noServer, quick, redisServer, running, swept, worker } from "./server.js";

test("the whole of a queue in words, as JSON and on a page: done, running, failed with why and the command that repeats one alone", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const { url } = await redisServer(t, cwd);
  worker(t, cwd, url, "a", ["--models", folder]);
  await swept(running(t, cwd, quick(folder, "--lengths", "30", "--folder", "s", "--queue", url)));
  await swept(running(t, cwd, quick(folder, "--lengths", "40", "--folder", "<b>", "--timeout", "0.001", "--queue", url)), 1);
  const { stdout } = await sdtp(cwd, "queue", "--queue", url);
  assert.match(stdout, /^1 done, 0 running, 0 waiting, 1 failed\nworker a \(cpu\): waits\nfailed: .* 40 tokens: .*timeout: 0\.001 s .*\n {2}alone: sdtp sweep .*--lengths 40 .*\n$/);
  const { done, failedInAll, workers } = JSON.parse((await sdtp(cwd, "queue", "--queue", url, "--json")).stdout) as { done: number; failedInAll: number; workers: { machine: string }[] };
  assert.deepEqual([done, failedInAll, workers.map(({ machine }) => machine)], [1, 1, ["a"]]);

  const page = running(t, cwd, ["queue", "--queue", url, "--page", "--port", "0"]);
  const address = await new Promise<string>((resolve) => page.child.stdout!.once("data", (text: string) => resolve(text.trim())));
  const html = await (await fetch(address)).text();
  assert.match(html, /<p>1 done, 0 running, 0 waiting, 1 failed\./);
  assert.match(html, /<code>sdtp sweep .*&#39;&lt;b&gt;&#39;|<code>sdtp sweep .*'&lt;b&gt;'/);
  assert.equal((await fetch(`${address}jobs`)).status, 200);
  assert.equal((await fetch(`${address}jobs/api/queues`)).status, 200);
  assert.equal((await fetch(`${address}jobs/api/queues/timed-cpu/retry/failed`, { method: "PUT" })).status, 405);
  const elsewhere = await new Promise<number>((resolve) => get(address, { headers: { host: "elsewhere.example" } }, ({ statusCode }) => resolve(statusCode!)));
  assert.equal(elsewhere, 403);
  page.child.kill("SIGINT");
  assert.equal((await page.ended).code, 0);
});

test("a sweep that is given up: its jobs stay until they are taken back; whoever gives it again files them anew", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { url } = await redisServer(t, cwd);
  const args = quick("tiny", "--lengths", "20", "30", "--folder", "s", "--queue", url);
  const given = running(t, cwd, args);
  await given.says(/no worker takes jobs/);
  given.child.kill("SIGINT");
  assert.equal((await given.ended).code, 130);
  const status = async () => (await sdtp(cwd, "queue", "--queue", url)).stdout.split("\n")[0];
  assert.match((await status())!, /^0 done, 0 running, 2 waiting, 0 failed/);
  assert.equal((await sdtp(cwd, "queue", "--queue", url, "--cancel")).stdout, "2 jobs taken back\n");
  assert.match((await status())!, /^0 done, 0 running, 0 waiting, 0 failed/);
  const again = running(t, cwd, args);
  await again.says(/no worker takes jobs/);
  // Somebody takes them back while it follows: it does not wait for ever.
  assert.equal((await sdtp(cwd, "queue", "--queue", url, "--cancel")).stdout, "2 jobs taken back\n");
  worker(t, cwd, url, "a");
  assert.deepEqual((await swept(again)).rows.map(({ error }) => error), [null, null, null, null]);
});
