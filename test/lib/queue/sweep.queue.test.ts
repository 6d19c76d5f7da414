import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import type { SweepRow } from "../../../lib/bench/sweep/sweep.js";
import { sweep } from "../../../lib/cell/bench.js";
import { fakeNotebook } from "../cell/fake-notebook.js";
import { sdtp, temporaryFolder } from "../cli/sdtp.js";
import { cellsIn, noServer, quick, redisServer, rowNames, running, swept, worker } from "./server.js";

test("a queue gives the rows and files that the embedded sweep gives; what is there is not measured again, in another folder neither", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const { url } = await redisServer(t, cwd);
  const sweep = (to: string, ...more: string[]) => quick(folder, "--lengths", "30", "50", "--folder", to, ...more);
  const embedded = await swept(running(t, cwd, sweep("embedded")));

  const follows = running(t, cwd, sweep("queued", "--queue", url));
  await follows.says(/no worker takes jobs for cpu yet; on this or any machine: sdtp worker --queue redis:/);
  const takes = worker(t, cwd, url, "a", ["--models", folder, "--idle-seconds", "2"]);
  const queued = await swept(follows);
  assert.deepEqual([queued.cells, queued.measured, queued.found, queued.left], [2, 2, 0, 0]);
  assert.deepEqual(cellsIn(join(cwd, "queued")), cellsIn(join(cwd, "embedded")));
  assert.deepEqual(rowNames(join(cwd, "queued")), ["30 baseline", "30 keep07", "50 baseline", "50 keep07"]);
  assert.deepEqual(queued.rows.map(shape), embedded.rows.map(shape));
  for (const { machine, placement, load } of queued.rows) assert.deepEqual([machine, placement, typeof load], ["a", "cpu", "number"]);

  assert.equal((await takes.ended).code, 0);
  assert.match(takes.said(), /2 jobs done, 0 failed\n$/);
  // No worker is there any more: what is shown now was kept.
  assert.deepEqual(counts(await swept(running(t, cwd, sweep("queued", "--queue", url)))), [0, 2]);
  const elsewhere = await swept(running(t, cwd, sweep("elsewhere", "--queue", url)));
  assert.deepEqual(elsewhere.rows, queued.rows);
  assert.deepEqual(counts(await swept(running(t, cwd, sweep("queued")))), [0, 2]);
});

test("what fails on the queue is said, with the command that measures it alone under the same key", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const { url } = await redisServer(t, cwd);
  worker(t, cwd, url, "a", ["--models", folder]);
  const args = quick(folder, "--lengths", "30", "40", "--kv-dtype", "fp16", "--kv-policy", "retain", "--folder", "s w");
  const failed = running(t, cwd, [...args, "--timeout", "0.001", "--queue", url]);
  const { rows } = await swept(failed, 1);
  assert.deepEqual(rows.map(({ error }) => error), Array(4).fill("timeout: 0.001 s (the measurement was not done)"));
  const commands = [...failed.said().matchAll(/\n {2}alone: sdtp (.*)/g)].map(([, words]) => words!);
  assert.equal(commands.length, 2);
  const kept = cellsIn(join(cwd, "s w"));
  for (const command of commands) {
    const alone = await sdtp(cwd, ...[...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!), "--json");
    assert.equal(alone.code, 0, alone.stderr);
    assert.equal((JSON.parse(alone.stdout) as { measured: number }).measured, 1);
  }
  assert.deepEqual(cellsIn(join(cwd, "s w")), kept);
  for (const name of kept) assert.equal((JSON.parse(readFileSync(join(cwd, "s w", "cells", name), "utf8")) as { rows: { error: null }[] }).rows[0]!.error, null);
  // On the queue they are measured again when that is asked for.
  const again = await swept(running(t, cwd, [...args.slice(0, -1), "other", "--retry-failed", "--queue", url]));
  assert.deepEqual(again.rows.map(({ error }) => error), [null, null, null, null]);
});

test("in a cell: the bar with what is done, running and failed, the table that fills, and what failed with its command", { skip: noServer }, async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const { url } = await redisServer(t, cwd);
  const displays = fakeNotebook(t);
  worker(t, cwd, url, "a", ["--models", folder]);
  const options = { models: [folder], configs: ["baseline", "keep07"], lengths: [40, 50], scorers: ["norm"], threads: [1], repeats: 20, warmup: 0, memory: false, mode: "prefill", queue: url } as const;
  const rows: SweepRow[] = [];
  for await (const row of sweep({ ...options, folder: join(cwd, "s") })) rows.push(row);
  assert.deepEqual(rows.map(({ length, config, machine }) => `${length} ${config} ${machine}`), ["40 baseline a", "40 keep07 a", "50 baseline a", "50 keep07 a"]);
  const states = displays[0]!.states.map((state) => state["text/plain"]!);
  assert.ok(states.some((state) => /\d+ %, .*1 of 2 cells done: a cpu: /.test(state)), states.join("\n---\n"));
  assert.match(states.at(-1)!, /^2 cells measured, 0 found .*\n(?:.*\n)*\| 50 +\| SDTP \(keep07\) \|/);
  for await (const row of sweep({ ...options, lengths: [60], folder: join(cwd, "f"), timeoutSeconds: 0.001 })) assert.match(row.error!, /timeout/);
  assert.match(displays[1]!.states.at(-1)!["text/html"]!, /failed: .* 60 tokens: timeout: 0\.001 s .*\n {2}alone: sdtp sweep /);
});

const counts = ({ measured, found }: { measured: number; found: number }) => [measured, found];

/** What two measurements of the same have in common: every field, and the value of those that are no times. */
function shape(row: Record<string, unknown>): Record<string, unknown> {
  const same = new Set(["model", "device", "dtype", "compute_dtype", "kv_dtype", "threads", "config", "scorer", "kv_policy", "length", "kv_reduction", "tokens_kept", "kv_bytes_after_prefill", "error", "cell", "machine", "placement"]);
  const { entry, metadata, ...plain } = row as { entry: object; metadata: Record<string, unknown> };
  const { time: _, run: __, load: ___, ...facts } = metadata;
  return { ...Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, same.has(key) ? value : typeof value])), metadata: facts, entry: Object.keys(entry) };
}
