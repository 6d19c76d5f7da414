import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeRandomModules } from "../../../lib/bench/engine/modules.js";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { sdtp, start, temporaryFolder, until } from "./sdtp.js";

const quick = ["--threads", "1", "--repeats", "1", "--warmup", "0", "--no-memory", "--benchmark-mode", "prefill"];
const cellsIn = (folder: string) => (existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : []);

test("a sweep that is killed goes on from its cells; Ctrl-C ends it with 130 and the command to go on", async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const args = ["sweep", "--model", folder, "--config", "baseline", "keep07", "--lengths", "30", "50", "--scorer", "norm,recency", ...quick, "--folder", "s w"];
  const cells = join(cwd, "s w", "cells");

  const killed = start(cwd, ...args);
  await until(() => cellsIn(cells).length >= 1);
  killed.child.kill("SIGKILL");
  assert.equal((await killed.ended).signal, "SIGKILL");
  const kept = new Map(cellsIn(cells).map((name) => [name, readFileSync(join(cells, name), "utf8")]));
  for (const text of kept.values()) assert.equal(JSON.parse(text).rows.length, 2);

  const interrupted = start(cwd, ...args);
  await until(() => cellsIn(cells).length > kept.size);
  interrupted.child.kill("SIGINT");
  const { code, stderr } = await interrupted.ended;
  if (cellsIn(cells).length < 4) {
    assert.equal(code, 130);
    assert.match(stderr, /to go on: sdtp sweep --model .* --folder 's w'\ninterrupted\n$/);
  }

  const { code: done, stdout, stderr: said } = await sdtp(cwd, ...args, "--json");
  assert.equal(done, 0, said);
  const { rows, cells: total, measured, found, left } = JSON.parse(stdout);
  assert.deepEqual([total, left], [4, 0]);
  assert.ok(found > kept.size && measured + found === 4);
  assert.deepEqual(rows.map((row: { config: string; length: number; scorer: string | null }) => [row.config, row.length, row.scorer]), [
    ["baseline", 30, null], ["keep07", 30, "norm"], ["baseline", 50, null], ["keep07", 50, "norm"],
    ["baseline", 30, null], ["keep07", 30, "recency"], ["baseline", 50, null], ["keep07", 50, "recency"],
  ]);
  for (const row of rows) {
    assert.equal(row.error, null);
    assert.equal(row.prefill_speedup, row.config === "baseline" ? null : row.entry.baseline.latency_seconds / row.entry.sdtp.latency_seconds);
  }
  for (const [name, text] of kept) assert.equal(readFileSync(join(cells, name), "utf8"), text);
  assert.equal(readFileSync(join(cwd, "s w", "rows.jsonl"), "utf8").trim().split("\n").length, 8);

  const damaged = join(cells, cellsIn(cells)[0]!);
  writeFileSync(damaged, "{");
  const refused = await sdtp(cwd, ...args);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /sweep cell: .*\.json \(is damaged: remove it/);
});

test("a cell that fails becomes rows with its error, and the sweep goes on", async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const args = ["sweep", "--model", folder, "--config", "keep07", "--lengths", "30", "40", ...quick, "--folder", "s"];
  const { code, stdout, stderr } = await sdtp(cwd, ...args, "--timeout", "0.001", "--json");
  assert.equal(code, 1, stderr);
  assert.match(stderr, /\d+ of \d+ rows failed; to measure them again: sdtp sweep .* --retry-failed/);
  const { rows } = JSON.parse(stdout);
  assert.deepEqual(rows.map((row: { error: string; prefill_seconds: null }) => [row.error, row.prefill_seconds]), Array(2).fill(["timeout: 0.001 s (the measurement was not done)", null]));
  assert.match(stderr, /failed: .*, 30 tokens: timeout: 0\.001 s .*\n  alone: sdtp sweep --model \S+ --config keep07 --lengths 30 .* --folder s --retry-failed\n/);
  const again = JSON.parse((await sdtp(cwd, ...args, "--retry-failed", "--max-minutes", "0.0001", "--json")).stdout);
  assert.deepEqual([again.measured, again.found, again.left], [1, 0, 1]);
  assert.equal(again.rows[0].error, null);
  assert.equal(again.rows[0].tokens_kept, 21);
});

test("cells measured with other trained modules under the same name are not taken for these", async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const { config } = await openCheckpoint(folder);
  const measured = async () => {
    const { code, stdout, stderr } = await sdtp(cwd, "sweep", "--model", folder, "--config", "keep07", "--lengths", "30", "--scorer", "learned:m.safetensors", ...quick, "--folder", "s", "--json");
    assert.equal(code, 0, stderr);
    const { measured: count, rows } = JSON.parse(stdout);
    return [count, rows[0].error, rows[0].metadata.scorer_key] as const;
  };
  await writeRandomModules(join(cwd, "m.safetensors"), config, [0]);
  const [first, error, key] = await measured();
  assert.deepEqual([first, error], [1, null]);
  assert.match(key, /^learned:[0-9a-f]{64}$/);
  assert.deepEqual(await measured(), [0, null, key]);
  await writeRandomModules(join(cwd, "m.safetensors"), config, [0, 1]);
  const [again, , other] = await measured();
  assert.equal(again, 1);
  assert.notEqual(other, key);
});

test("KV dtypes are an axis like others", async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const { code, stdout, stderr } = await sdtp(cwd, "sweep", "--model", folder, "--config", "keep07", "--lengths", "30", "--kv-dtype", "fp32,fp16", ...quick, "--json");
  assert.equal(code, 0, stderr);
  const { rows } = JSON.parse(stdout);
  assert.deepEqual(rows.map((row: { kv_dtype: string }) => row.kv_dtype), ["fp32", "fp16"]);
  assert.equal(rows[0].kv_bytes_after_prefill, 2 * rows[1].kv_bytes_after_prefill);
});

test("bad input stops a sweep before it begins", async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const wrong: [args: string[], message: RegExp][] = [
    [["--lengths", "30", "600"], /length: 600 \(with 128 new tokens is beyond the model's 512 positions\)/],
    [["--lengths", "30", "--model", "/nowhere"], /model: \/nowhere \(no such folder/],
    [["--lengths", "30", "--scorer", "norm", "norm"], /scorer: norm \(is given twice\)/],
    [["--lengths", "30", "--kv-dtype", "fp16,int3"], /KV dtype: int3 \(must be fp32, fp16, int8\)/],
    [["--lengths", "30", "--dtype", "int8:symmetric,int8"], /cell: .*, int8, .*30 tokens \(is there twice: two of the values given come to the same here\)/],
    [["--lengths", "30", "--max-minutes", "0"], /max minutes: 0 \(must be above 0\)/],
    [["--lengths", "30", "--output", "table"], /output: table \(must end in/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await sdtp(cwd, "sweep", "--model", folder, ...args);
    assert.equal(code, 1, args.join(" "));
    assert.match(stderr, message);
    assert.equal(stdout, "");
  }
  assert.equal(existsSync(join(cwd, "results")), false);
});

const oneProcessor = cpus().length < 2 || process.platform !== "linux" ? "needs Linux with two processors" : false;

test("cells are measured on several devices at once, one on each, with the rows of a sweep on one", { skip: oneProcessor }, async (t) => {
  const cwd = temporaryFolder(t);
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const args = ["sweep", "--model", folder, "--config", "baseline", "keep07", "--lengths", "20", "30", "40", "50", "--scorer", "norm", ...quick.slice(2), "--json"];
  const { code, stdout, stderr } = await sdtp(cwd, ...args, "--devices", "cpu:0,cpu:1", "--folder", "s");
  assert.equal(code, 0, stderr);
  const { rows, measured } = JSON.parse(stdout) as { rows: { length: number; config: string; placement: string; threads: number; entry: object }[]; measured: number };
  assert.equal(measured, 4);
  assert.deepEqual(rows.map(({ length, config }) => `${length} ${config}`), [20, 30, 40, 50].flatMap((length) => [`${length} baseline`, `${length} keep07`]));
  assert.deepEqual(new Set(rows.map(({ placement }) => placement)), new Set(["cpu:0", "cpu:1"]));
  assert.deepEqual(new Set(rows.map(({ threads }) => threads)), new Set([1]));
  // The same cells, whatever they were measured on.
  const again = JSON.parse((await sdtp(cwd, ...args, "--threads", "1", "--folder", "s")).stdout) as { found: number; rows: object[] };
  assert.deepEqual([again.found, again.rows], [4, rows]);
  const failed = await sdtp(cwd, ...args, "--devices", "cpu:0", "cpu:1", "--folder", "f", "--timeout", "0.001");
  assert.equal(failed.code, 1);
  assert.equal((JSON.parse(failed.stdout) as { rows: object[] }).rows.length, 8);

  for (const [devices, message] of [
    ["cpu:0,cpu:9999", /device: cpu:9999 \(this machine has processors 0 to/], ["cpu,cpu:1", /devices: cpu and cpu:1 \(share hardware/], ["cuda:0", /CUDA|cuda/],
  ] as const) {
    const refused = await sdtp(cwd, ...args, "--devices", devices, "--folder", "r", "--threads", "1");
    assert.equal(refused.code, 1);
    assert.match(`${refused.stderr}${refused.stdout}`, message);
  }
});
