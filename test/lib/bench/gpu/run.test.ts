// The script for a card, in full, on the CPU; and its refusals, by a pretended nvidia-smi.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { partsOf, together } from "../../../../lib/bench/gpu/parts.js";
import { requireCard, tooLarge } from "../../../../lib/bench/gpu/preflight.js";
import { benchGpu, type GpuOptions } from "../../../../lib/bench/gpu/run.js";
import { fullSettings } from "../../../../lib/bench/gpu/settings.js";
import type { PartRecord } from "../../../../lib/bench/gpu/store.js";
import { verdictOf } from "../../../../lib/bench/gpu/verdict.js";
import { readResultsFolder } from "../../../../lib/bench/results.js";
import { openSubject } from "../../../../lib/bench/subject.js";
import { writeGpuReport } from "../../../../lib/report/gpu-bench.js";
import { olderDriver } from "../../../../lib/runtime/devices/nvidia-smi.js";
import { fakeSmi } from "../reading/fake-smi.js";

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-gpu-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The least of every kind of part. */
const small = { near: [32], far: [48], ours: ["keep07"], rivals: [], repeats: 1, newTokens: 2, depths: [32], energy: { length: 32, seconds: 0.01 }, bandwidthBytes: 2 ** 22 };

test("every part is measured, kept, found again, and held against what a GPU must show", async (t) => {
  const folder = temporary(t);
  const reports: string[] = [];
  const options = { device: "cpu", tiny: true, folder, settings: small, minutes: 30, onParts: (async (run, parts) => void reports.push(await writeGpuReport(folder, run, parts))) satisfies GpuOptions["onParts"] };
  const end = await benchGpu(options);
  assert.equal(end.parts.size, end.wanted);
  assert.deepEqual([...end.parts.values()].filter(({ error }) => error !== null), []);
  // After each process, not at the end alone.
  assert.ok(reports.length > 8, `${reports.length} reports`);

  const verdict = verdictOf(end.run.settings, end.parts);
  const states = Object.fromEntries(verdict.map(({ what, state }) => [what, state]));
  assert.equal(states["the device computes what the CPU does"], "pass");
  assert.equal(states["every operator computes what the CPU's does"], "pass");
  assert.equal(states["pruned prompts, decoding and caches of every method"], "pass");
  assert.equal(states["small: prefill speedup of keep07"], "not measured");
  assert.equal(verdict.find(({ what }) => what === "small: prefill speedup of keep07")!.found, "no length of 16384 or more is measured");
  assert.match(verdict.find(({ what }) => what === "small: a decode step")!.found, /^the shape is too small to say: 32: [\d.]+ ms, [\d.]+ x; [\d.]+ GB\/s$/);
  assert.match(verdict.find(({ what }) => what === "every operator computes what the CPU's does")!.found, /^\d\d operators in \d{2,} nodes/);

  const results = await readResultsFolder(join(folder, "small"), "end2end");
  assert.deepEqual([...results.values()].map(({ metadata }) => metadata.config).sort(), ["baseline", "keep07"]);
  const keep07 = [...results.values()].find(({ metadata }) => metadata.config === "keep07")!;
  assert.deepEqual(Object.keys(keep07.results), ["32", "48"]);
  assert.match(reports.at(-1)!, /no GPU[\s\S]*A small shape at short lengths[\s\S]*## small/);

  // One part is gone: it alone is measured again.
  rmSync(join(folder, "parts", "row-small-keep07-48.json"));
  const again = await benchGpu(options);
  assert.deepEqual([again.measured, again.found], [1, end.wanted - 1]);
  await assert.rejects(benchGpu({ ...options, settings: { ...small, repeats: 2 } }), /^Error: folder: .* \(holds a run with repeats 1, this one has 2: give another folder\)$/);
  writeFileSync(join(folder, "parts", "bandwidth.json"), "{");
  await assert.rejects(benchGpu(options), /^Error: part: .*bandwidth\.json \(is damaged: remove it, and it is measured again\)$/);
});

test("when the time is up, what is done is there, the rest is left, and the report says how far it came", async (t) => {
  const folder = temporary(t);
  let report = "";
  const end = await benchGpu({ device: "cpu", tiny: true, folder, settings: small, minutes: 1e-6, onParts: async (run, parts) => void (report = await writeGpuReport(folder, run, parts)) });
  assert.equal(end.parts.size, 0);
  assert.match(report, /0 of \d+ parts are done/);
  assert.deepEqual(verdictOf(end.run.settings, end.parts).map(({ state }) => state).filter((state) => state !== "not measured"), []);
  assert.deepEqual(readdirSync(folder).filter((name) => name === "parts"), []);
  assert.equal(JSON.parse(readFileSync(join(folder, "run.json"), "utf8")).settings.device, "cpu");
});

test("parts come in the order of what is worth most, a process measures rows of one model and method", () => {
  const parts = partsOf(fullSettings("cuda", "x"));
  const kinds = parts.map(({ kind }) => kind).filter((kind, i, all) => kind !== all[i - 1]);
  assert.deepEqual(kinds, ["device", "operators", "methods", "row", "bandwidth", "depth", "memory", "energy", "row"]);
  assert.equal(new Set(parts.map(({ id }) => id)).size, parts.length);
  const groups = together(parts).map((group) => group.map(({ id }) => id));
  assert.deepEqual(groups[3], ["row-qwen2-7b-baseline-4096", "row-qwen2-7b-baseline-16384", "row-qwen2-7b-baseline-32768"]);
  assert.deepEqual(groups[4], ["row-qwen2-7b-sdtp-4096", "row-qwen2-7b-sdtp-16384", "row-qwen2-7b-sdtp-32768"]);
});

const MiB = 2 ** 20;
const card = { index: 0, uuid: "GPU-1", name: "NVIDIA L4", driver: "550.127.05", memoryBytes: 23034 * MiB, usedBytes: 500 * MiB, mig: false, computeCapability: "8.9" };

test("a card that is missing, a driver that is too old and a provider that is not installed are refused by name", { skip: process.platform !== "linux" && "CUDA is for Linux here" }, async (t) => {
  await assert.rejects(requireCard(fakeSmi(t, null)), { message: "card: nvidia-smi: not found on the PATH (it comes with NVIDIA's driver)" });
  const line = (driver: string) => `0, GPU-1, Tesla V100-SXM2-32GB, ${driver}, 32768, 3, [N/A], 7.0`;
  await assert.rejects(requireCard(fakeSmi(t, { gpus: [line("470.57.02")] })), { message: "driver: 470.57.02 (too old: CUDA 12 needs 525.60.13 or newer; Tesla V100-SXM2-32GB)" });
  await assert.rejects(requireCard(fakeSmi(t, { gpus: [line("550.127.05")] })), /^Error: device: cuda \(its provider is not installed/);
  assert.deepEqual([olderDriver("525.60.13", "525.60.13"), olderDriver("525.60.11", "525.60.13"), olderDriver("535.54", "525.60.13"), olderDriver("525", "525.60.13")], [false, true, false, true]);
  await assert.rejects(benchGpu({ device: "auto" }), /^Error: device: auto \(must be cuda, webgpu or cpu/);
  await assert.rejects(benchGpu({ device: "cpu", minutes: 0 }), { message: "minutes: 0 (must be above 0)" });
});

test("what a card's memory does not hold is said before it is tried", async (t) => {
  const file = join(temporary(t), "wide.json");
  writeFileSync(file, JSON.stringify({ model_type: "llama", hidden_act: "silu", hidden_size: 64, intermediate_size: 128, num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 4, vocab_size: 128, max_position_embeddings: 1_000_000, rms_norm_eps: 1e-5, rope_theta: 10000, tie_word_embeddings: false }));
  const subject = { ...(await openSubject({ model: `synthetic:${file}`, dtype: "fp32" })), device: "webgpu" as const };
  assert.equal(tooLarge(subject, "baseline", 1024, 128, card), null);
  assert.match(tooLarge(subject, "baseline", 8_000_000, 128, card)!, /^needs about [\d.]+ GB of the card's memory, [\d.]+ GB of NVIDIA L4 are free$/);
  // A split card does not say how much an instance has.
  assert.equal(tooLarge(subject, "baseline", 8_000_000, 128, { ...card, memoryBytes: null }), null);
});

const part = (id: string, result: unknown): [string, PartRecord] => [id, { schema_version: 1, id, time: "", result, error: null }];
const measurement = (prefill: number, flops: number, cache: number, peak: number) => ({
  measurement: { prefill_latency_seconds: prefill, flops: { exact: { prefill: flops } }, kv_bytes_after_prefill: cache, kv_bytes_final: cache, samples: { per_token_seconds: [[0.01, 0.012, 0.011]] }, device: { peak_device_memory_bytes: peak, missing: [] } },
  metadata: {}, weight_bytes: 14e9,
});

test("the verdict passes and fails by the figures", () => {
  const settings = { ...fullSettings("cuda", "x"), models: [{ label: "m", name: "m" }], ours: ["sdtp"] };
  const longest = Math.max(...settings.far);
  const of = (what: string, ...parts: [string, PartRecord][]) => verdictOf(settings, new Map(parts)).find((demand) => demand.what === what)!;
  const rows = (seconds: number) => [part("row-m-baseline-16384", measurement(2, 2e14, 2e9, 0)), part("row-m-sdtp-16384", measurement(seconds, 1e14, 1e9, 0))] as const;
  const speedup = "m: prefill speedup of sdtp";
  assert.deepEqual([of(speedup, ...rows(1.1)).state, of(speedup, ...rows(1.1)).found], ["pass", "16384: 1.82 of 2.00 (91 %)"]);
  assert.equal(of(speedup, ...rows(1.25)).state, "fail");
  assert.equal(of(speedup, rows(1)[0]).state, "not measured");
  const step = (bytes: number) => of("m: a decode step", part("bandwidth", { bytes_per_second: bytes }), part("depth-m-4096", measurement(1, 1, 1e9, 0)));
  // 15 GB at 2 TB/s are 7.5 ms.
  assert.deepEqual([step(2e12).state, step(2e12).found], ["pass", "4096: 11.00 ms, 1.47 x; 2000.0 GB/s"]);
  assert.equal(step(2.5e12).state, "fail");
  const memory = (peak: number) => of(`m: the device's memory with sdtp at ${longest} tokens`, part(`memory-m-baseline-${longest}`, measurement(1, 1, 20e9, 60e9)), part(`memory-m-sdtp-${longest}`, measurement(1, 1, 10e9, peak)));
  assert.equal(memory(50e9).state, "pass");
  assert.equal(memory(52e9).state, "fail");
  assert.equal(memory(52e9).found, "60.00 GB to 52.00 GB, 8.00 GB less; the cache is smaller by 10.00 GB");
  const wrong = of("every operator computes what the CPU's does", part("check-operators", { operators: [{ operator: "MatMul (float32)", nodes: 3, worst: 0.1, ties: 0 }], wrong: ["MatMul (float32) by 0.10 of its largest number"] }));
  assert.deepEqual([wrong.state, wrong.found], ["fail", "MatMul (float32) by 0.10 of its largest number"]);
});
