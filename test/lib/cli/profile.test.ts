import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { readResults, writeResults } from "../../../lib/bench/results.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { endToEndResults } from "../bench/records.js";
import { sdtp, start, temporaryFolder, until } from "./sdtp.js";

const quick = ["--threads", "1", "--repeats", "1", "--warmup", "0", "--no-memory"];

function checkpoint(t: TestContext): string {
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  return folder;
}

test("profile measures every seed configuration and writes a file for each", async (t) => {
  const cwd = temporaryFolder(t);
  const { code, stdout, stderr } = await sdtp(cwd, "profile", "--benchmark_mode", "end2end", "--model", checkpoint(t), "--config", "all", "--lengths", "40", "100", "--max-new-tokens", "3", "--threads", "1", "--repeats", "2", "--output", "out");
  assert.equal(code, 0, stderr);
  assert.equal(stdout.match(/^\[Length 40\] End2End Results:$/gm)?.length, 3);
  assert.match(stdout, /^SDTP \(keep07\)\n\[Length 100\] End2End Results:\n {2}Baseline: prefill=\d+\.\d{4}s, decode=\d+\.\d{4}s, total=\d+\.\d{4}s\n {2}SDTP: {5}prefill=.*\n {2}Speedup: {2}prefill=.*\n {2}KV Cache: baseline=100, sdtp=70, reduction=30\.00%$/m);
  assert.deepEqual(readdirSync(join(cwd, "out")).sort(), ["baseline", "keep07", "keep08", "keep09"].map((config) => `latency_results_${config}.json`));

  const { metadata, results } = await readResults(join(cwd, "out", "latency_results_keep07.json"));
  assert.equal(metadata.threads, 1);
  assert.equal(metadata.dtype, "fp32");
  assert.equal(metadata.scorer, "recency");
  assert.match(metadata.model_hash!, /^[0-9a-f]{64}$/);
  const entry = results["100"]!;
  assert.ok("sdtp" in entry && "prefill_latency_seconds" in entry.sdtp);
  assert.deepEqual(entry.sdtp.kv_lens_after_prefill, [70, 70, 70]);
  assert.deepEqual(entry.sdtp.kv_lens_final, [73, 73, 73]);
  assert.equal(entry.sdtp.tokens_pruned, 30);
  assert.equal(entry.sdtp.samples!.prefill_seconds.length, 2);
  assert.equal(entry.sdtp.samples!.per_token_seconds![1]!.length, 3);
  assert.equal(entry.sdtp.ttft_seconds!.p50, entry.sdtp.prefill_latency_seconds);
  assert.ok(entry.sdtp.itl_seconds!.p50 <= entry.sdtp.itl_seconds!.p99 && entry.sdtp.tpot_seconds!.p50 * entry.sdtp.tokens_per_second! > 0.999);
  assert.ok(entry.sdtp.peak_memory_bytes! > 30e6);
  assert.equal(entry.sdtp.kv_bytes_after_prefill! / entry.baseline.kv_bytes_after_prefill!, 0.7);
  assert.ok(Math.abs(entry.kv_reduction! - 0.3) < 1e-12);
  // One run: the same baseline in every file.
  const other = await readResults(join(cwd, "out", "latency_results_baseline.json"));
  assert.deepEqual(other.results["100"]!.baseline, entry.baseline);
  assert.equal(other.metadata.run, metadata.run);
});

test("what is against the numbers is said beside them", async (t) => {
  const cwd = temporaryFolder(t);
  const measure = (...more: string[]) => sdtp(cwd, "profile", "--benchmark-mode", "prefill", "--model", checkpoint(t), "--config", "keep07", "--lengths", "60", "--threads", "1", "--no-memory", ...more);
  const once = await measure("--repeats", "1", "--warmup", "0");
  assert.match(once.stderr, /^warning: SDTP \(keep07\) at 60: no warm-up run: the first runs, the baseline's before all, are of a cold engine \(take --warmup 1 or more\); speedups are of 1 repeat: too few to tell them from noise \(take 3 or more\)$/m);
  const enough = await measure("--repeats", "3", "--warmup", "1");
  assert.doesNotMatch(enough.stderr, /warm-up|repeat/);
});

test("prefill mode writes its own files; --json prints JSON alone", async (t) => {
  const cwd = temporaryFolder(t);
  const { code, stdout, stderr } = await sdtp(cwd, "profile", "--benchmark-mode", "prefill", "--model", checkpoint(t), "--config", "sdtp", "--lengths", "60", ...quick, "--kv_policy", "evict", "--scorer", "random:3", "--dtype", "fp16", "--kv-dtype", "int8", "--output", "one.json", "--json");
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  const { results, errors } = JSON.parse(stdout);
  assert.deepEqual(errors, []);
  assert.deepEqual(results.sdtp.results, JSON.parse(readFileSync(join(cwd, "one.json"), "utf8")).results);
  const { baseline, sdtp: pruned, speedup } = results.sdtp.results["60"];
  assert.equal(speedup, baseline.latency_seconds / pruned.latency_seconds);
  assert.equal(new Set(pruned.kv_lens_after_prefill).size, 1);
  const { scorer, dtype, compute_dtype, kv_dtype } = results.sdtp.metadata;
  assert.deepEqual([scorer, dtype, compute_dtype, kv_dtype], ["random:3", "fp16", "fp32", "int8"]);
  // 3 layers, 4 kv heads of 8 bytes and a scale, keys and values.
  assert.equal(baseline.kv_bytes_after_prefill, 60 * 3 * 4 * (8 + 4) * 2);
});

test("bad input is one clear line, before anything runs or is written", async (t) => {
  const cwd = temporaryFolder(t);
  const model = checkpoint(t);
  writeFileSync(join(cwd, "short.txt"), "too short");
  writeFileSync(join(cwd, "file"), "");
  await writeResults(join(cwd, "mixed", "latency_results_keep08.json"), endToEndResults("keep08", { 64: { baseline: [1, 1], sdtp: [1, 1], kept: 51 } }));
  const wrong: [args: string[], message: RegExp][] = [
    [["--lengths", "0"], /^sdtp: length: 0 \(must be a positive integer, in tokens\)\n$/],
    [["--lengths", "-4"], /-4/],
    [["--lengths", "64", "32"], /lengths: 32 after 64 \(must ascend\)/],
    [["--lengths", "32", "32"], /length: 32 \(is given twice\)/],
    [["--lengths", "400"], /length: 400 \(with 128 new tokens is beyond the model's 512 positions\)/],
    [["--lengths", "64", "--config", "keep6"], /preset: keep6 \(known: baseline/],
    [["--lengths", "64", "--config", "keep07", "keep07"], /config: keep07 \(is given twice\)/],
    [["--lengths", "64", "--scorer", "magic"], /scorer: magic/],
    [["--lengths", "64", "--device", "tpu"], /'tpu' is invalid\. must be cpu, webgpu, cuda, openvino, auto, or plugin:NAME/],
    [["--lengths", "64", "--dtype", "int3"], /dtype: int3/],
    [["--lengths", "64", "--kv-dtype", "int3"], /Allowed choices are fp32, fp16, int8/],
    [["--lengths", "64", "--prompt-file", "short.txt"], /prompt: short\.txt has \d+ tokens \(length 64 needs as many/],
    [["--lengths", "64", "--prompt-file", "none.txt"], /prompt file: none\.txt \(no such file\)/],
    [["--lengths", "64", "--output", "file/below"], /output: .*file\/below \(cannot be written: (ENOTDIR|EEXIST)\)/],
    [["--model", "synthetic:llama2-7b", "--lengths", "131000"], /length: 131000 \(with 128 new tokens is beyond the model's 131072 positions\)/],
    [["--model", "synthetic:llama2-7b", "--lengths", "64", "--scorer", "magic"], /scorer: magic/],
    [["--model", "synthetic:llama2-7b", "--lengths", "64", "--prompt-file", "short.txt"], /prompt file: short\.txt \(synthetic:llama2-7b has synthetic weights and no tokenizer/],
    [["--model", "synthetic:llama2-7b", "--lengths", "64", "--output", "file/below"], /output: .*file\/below \(cannot be written: ENOTDIR\)/],
    [["--lengths", "64", "--output", "all.json"], /output: all\.json \(must be a folder/],
    [["--lengths", "64", "--config", "keep07", "--output", "mixed"], /mixed\/latency_results_keep08\.json: metadata\.model: tiny \(must be .* as in what is to be measured: one table shows one model\); give another --output, or remove the file/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await sdtp(cwd, "profile", "--model", model, ...args);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, message);
    assert.equal(stdout, "");
  }
  assert.deepEqual(readdirSync(cwd).filter((name) => name !== "cache").sort(), ["file", "mixed", "short.txt"]);
});

test("Ctrl-C ends a measurement with 130; lengths that were done are in whole files", async (t) => {
  const cwd = temporaryFolder(t);
  const file = join(cwd, "out", "latency_prefill_keep07.json");
  const { child, ended } = start(cwd, "profile", "--model", checkpoint(t), "--config", "keep07", "--lengths", "20", "500", "--threads", "1", "--repeats", "100", "--warmup", "0", "--no-memory", "--benchmark-mode", "prefill", "--output", "out");
  await until(() => existsSync(file));
  child.kill("SIGINT");
  const { code, signal, stderr } = await ended;
  assert.deepEqual([code, signal], [130, null], stderr);
  assert.match(stderr, /^(?:(?:warning: | *\d+ %).*\n)*lengths that were done are in out\/latency_prefill_keep07\.json\ninterrupted\n$/);
  assert.deepEqual(Object.keys((await readResults(file)).results), ["20"]);
});
