import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { profile } from "../../../lib/bench/profile.js";
import { openSubject } from "../../../lib/bench/subject.js";
import { sweep } from "../../../lib/bench/sweep/sweep.js";
import { defineScorer } from "../../../lib/methods/scorer.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

test("a subject says what is computed in, and what caches hold", async (t) => {
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const { dtype, computeDtype, kvDtype } = await openSubject({ model: folder });
  assert.deepEqual([dtype, computeDtype, kvDtype], ["fp32", "fp32", "fp32"]);
  assert.equal((await openSubject({ model: folder, kvDtype: "int8" })).kvDtype, "int8");
  await assert.rejects(openSubject({ model: folder, kvDtype: "fp8" as never }), /fp8/);
});

test("of a GPU on another machine caches are taken to be what weights in fp16 are computed in there, unless asked otherwise", async () => {
  const there = async (options: object) => (await openSubject({ model: "tiny", elsewhere: true, ...options })).kvDtype;
  assert.equal(await there({ device: "cuda", dtype: "fp16" }), "fp16");
  assert.equal(await there({ device: "cuda", dtype: "fp16", kvDtype: "int8" }), "int8");
  assert.equal(await there({ device: "webgpu", dtype: "fp32" }), "fp32");
  assert.equal(await there({ device: "cpu", dtype: "fp16" }), "fp32");
});

test("a scorer made with defineScorer is refused with what to do instead, before anything runs", async (t) => {
  const { folder, remove } = tinyCheckpoint("llama");
  t.after(remove);
  const latest = defineScorer("latest", (g, { positions }) => g.cast(positions, "float32")) as never;
  const message = /^scorer: latest \(must be a name: a measurement runs in a process of its own, .* time it with \(await model\.prefill/;
  await assert.rejects(profile({ model: folder, lengths: [32], maxNewTokens: 2, scorer: latest }), { message });
  await assert.rejects(sweep({ models: [folder], lengths: [32], maxNewTokens: 2, scorers: [latest] }).next(), { message });
});

test("axes of a sweep that are no lists, or empty where something must be, are named", async () => {
  await assert.rejects(sweep({ threads: 2 as never }).next(), /^Error: threads: 2 \(must be a list/);
  await assert.rejects(sweep({ models: [] }).next(), /^Error: models: none/);
});

test("weights are not made for a measurement that was stopped", async (t) => {
  const cache = mkdtempSync(join(tmpdir(), "sdtp-cache-"));
  const before = process.env["SDTP_CACHE"];
  process.env["SDTP_CACHE"] = cache;
  t.after(() => {
    if (before === undefined) delete process.env["SDTP_CACHE"];
    else process.env["SDTP_CACHE"] = before;
    rmSync(cache, { recursive: true, force: true });
  });
  const stopped = { signal: AbortSignal.abort(), lengths: [32] };
  await assert.rejects(profile({ ...stopped, model: "synthetic:tinyllama-1.1b" }), { name: "AbortError" });
  await assert.rejects(sweep({ ...stopped, models: ["synthetic:tinyllama-1.1b"], folder: join(cache, "sweep") }).next(), { name: "AbortError" });
  assert.deepEqual(readdirSync(cache).filter((name) => name.startsWith("synthetic")), []);
});
