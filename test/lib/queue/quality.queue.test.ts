import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../cli/sdtp.js";
import { noServer, redisServer, running, worker } from "./server.js";

test("a quality task in slices: the rows of the embedded run, on whichever machine; what is there is not measured again", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { url } = await redisServer(t, cwd);
  const evaluate = (file: string, samples: number, ...more: string[]) => running(t, cwd, ["evaluate", "perplexity", "--lengths", "64", "--continuation", "4", "--samples", String(samples), "--config", "keep07", "--scorer", "norm", "--output", file, "--json", ...more]);
  const embedded = await evaluate("embedded.jsonl", 10).ended;
  assert.equal(embedded.code, 0, embedded.stderr);
  const follows = evaluate("queued.jsonl", 10, "--queue", url);
  await follows.says(/no worker takes jobs for cpu yet/);
  const workers = ["a", "b"].map((name) => worker(t, cwd, url, name, ["--idle-seconds", "3"]));
  const queued = await follows.ended;
  assert.equal(queued.code, 0, queued.stderr);
  const [one, two] = ["embedded.jsonl", "queued.jsonl"].map((file) => rows(join(cwd, file)));
  assert.deepEqual(two!.map(same), one!.map(same));
  assert.equal(two!.length, 20);
  assert.ok(two!.every(({ machine, placement }) => /^[ab]$/.test(String(machine)) && placement === "cpu"));
  const said = workers.map((each) => each.said()).join("");
  await Promise.all(workers.map(({ ended }) => ended));
  // Ten prompts are two slices.
  assert.equal(said.match(/takes: .*perplexity/g)?.length, 2, said);
  const again = await evaluate("queued.jsonl", 10, "--queue", url).ended;
  assert.equal(again.code, 0, again.stderr);
  assert.equal(again.stdout, queued.stdout);
  assert.equal(rows(join(cwd, "queued.jsonl")).length, 20);
});

test("a task that other machines cannot make is refused", async (t) => {
  const cwd = temporaryFolder(t);
  const { code, stderr } = await running(t, cwd, ["evaluate", "longbench", "none.jsonl", "--queue", "redis://127.0.0.1:1"]).ended;
  assert.equal(code, 1);
  assert.match(stderr, /queue: this task is not made on other machines \(perplexity and retrieval are\)/);
});

const rows = (file: string) => readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>).sort((a, b) => (`${String(a["item"])} ${String(a["config"])}` < `${String(b["item"])} ${String(b["config"])}` ? -1 : 1));

/** A row without its times and where it was measured. */
function same(row: Record<string, unknown>): Record<string, unknown> {
  const { prefill_latency_seconds: _, decode_latency_seconds: __, append_latency_seconds: ___, machine: ____, placement: _____, ...rest } = row;
  return rest;
}
