// A small load on real servers; the large one is the benchmark in results/published/serve.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { benchServe, settingsOf, type ServeBenchOptions } from "../../../../lib/bench/serve/bench.js";
import { readBegun, type ServeBenchResult } from "../../../../lib/bench/serve/result.js";
import type { Workload } from "../../../../lib/bench/serve/workload.js";
import { packageRoot } from "../../../../lib/checkpoint/package-root.js";
import { writeOutput } from "../../../../lib/files.js";
import { serveBenchTable } from "../../../../lib/report/serve-bench.js";
import { toMarkdown } from "../../../../lib/report/formats/index.js";
import { load, type Model } from "../../../../lib/runtime/model.js";
import { serve, type Served } from "../../../../lib/serve/index.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";

const workload: Workload = {
  seed: 1, num_prompts: 100, random_input_len: 24, random_output_len: 6, random_range_ratio: 0.5, random_prefix_len: 4,
  request_rate: 200, burstiness: 0.5, cancel_share: 0.1, malformed_share: 0.1,
};

describe("a server under load", { timeout: 600_000 }, () => {
  const tiny = tinyCheckpoint("llama");
  const folder = mkdtempSync(join(tmpdir(), "sdtp-bench-serve-"));
  let model: Model;
  let server: Served;
  let options: ServeBenchOptions;
  before(async () => {
    model = await load(tiny.folder, { threads: 1 });
    server = await serve(model, { port: 0, name: "m", apiKey: "key" });
    options = { workload, server: { baseUrl: server.url }, tokenizer: tiny.folder, apiKey: "key", maxConcurrency: 12, goodput: { e2el: 1e6 } };
  });
  after(async () => {
    await server.close();
    await model.release();
    tiny.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it("no request is lost: each ends in the way it must, and the server counts the same", async () => {
    const shares: number[] = [];
    const result = await benchServe({ ...options, numWarmups: 2, onProgress: (share) => shares.push(share) });
    assert.deepEqual(result.requests.map(({ index }) => index), Array.from({ length: 100 }, (_, i) => i));
    for (const { kind, ended, defect, status, error } of result.requests) {
      const expected = { ordinary: ["completed"], cancelled: ["cancelled", "completed"], malformed: ["refused"] }[kind];
      assert.ok(expected.includes(ended), `${kind} ${defect}: ${ended} ${status} ${error}`);
    }
    assert.equal(result.figures.endings.refused, 10);
    assert.equal(result.figures.malformed_answered, 0);
    assert.deepEqual(result.server_counts, { sent: 100, ended: 100, running: 0, waiting: 0, kv_cache_bytes: 0 });
    for (const { kind, ended, prompt_tokens, output_tokens, ttft, e2el, itl } of result.requests) {
      if (kind !== "ordinary" || ended !== "completed") continue;
      assert.ok(prompt_tokens! >= 4 + 12 && prompt_tokens! <= 4 + 36 && output_tokens >= 3 && output_tokens <= 9);
      if (ttft !== null) assert.ok(Math.abs(ttft + itl.reduce((sum, each) => sum + each, 0) - e2el) < 5 && e2el >= ttft);
    }
    assert.equal(result.figures.request_goodput, result.figures.request_throughput);
    assert.ok(result.memory!.resident_bytes.every((bytes) => bytes > 2 ** 20));
    assert.ok(shares.every((share, i) => share >= (shares[i - 1] ?? 0)) && shares.at(-1) === 1);
    const text = toMarkdown(serveBenchTable(result, ["ttft", "tpot"]));
    assert.match(text, /100 of 100 requests: \d+ completed, \d+ cancelled by their clients, 10 refused as wrong\./);
    assert.match(text, /\| TTFT: time to first token \(ms\) \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \|/);
    assert.doesNotMatch(text, /ITL|malformed requests were answered|lost/);
  });

  it("asks for chats as well, by text, where no tokenizer is known", async () => {
    const { tokenizer: _, ...rest } = options;
    const chats = await benchServe({ ...rest, workload: { ...workload, num_prompts: 12, request_rate: "inf", malformed_share: 0.5, cancel_share: 0 }, backend: "openai-chat" });
    // This model has no chat template: all are refused, with a reason.
    assert.equal(chats.figures.endings.refused, 12);
    assert.match(toMarkdown(serveBenchTable(chats)), /6 requests were refused though nothing was wrong with them/);
    const texts = await benchServe({ ...rest, workload: { ...workload, num_prompts: 8, malformed_share: 0, cancel_share: 0 } });
    assert.equal(texts.figures.completed, 8);
    assert.ok(texts.figures.total_input_tokens > 0);
  });

  it("stopped, it goes on with the requests that are left", async () => {
    const stop = new AbortController();
    const file = join(folder, "stopped.json");
    const slow = { ...options, workload: { ...workload, num_prompts: 40 }, maxConcurrency: 2 };
    let ended = 0;
    await assert.rejects(benchServe({ ...slow, signal: stop.signal, onProgress: () => ++ended === 15 && stop.abort(), onPart: (result) => writeOutput(file, JSON.stringify(result)) }), { name: "AbortError" });
    const part = JSON.parse(readFileSync(file, "utf8")) as ServeBenchResult;
    assert.equal(part.complete, false);
    assert.match(toMarkdown(serveBenchTable(part)), new RegExp(`stopped after ${part.requests.length} of 40 requests`));
    const begun = await readBegun(file, settingsOf(slow));
    const result = await benchServe({ ...slow, begun });
    assert.deepEqual(result.requests.map(({ index }) => index), Array.from({ length: 40 }, (_, i) => i));
    assert.deepEqual(result.requests.filter(({ index }) => part.requests.some((known) => known.index === index)), part.requests);
    assert.equal(result.stretches.length, 2);
    assert.ok(Math.abs(result.figures.duration - result.stretches.reduce((sum, { seconds }) => sum + seconds, 0)) < 1e-9);
    await assert.rejects(readBegun(file, settingsOf({ ...slow, maxConcurrency: 3 })), /holds an unfinished measurement whose max concurrency is 2: finish it/);
    await writeOutput(file, JSON.stringify(result));
    assert.equal(await readBegun(file, settingsOf(slow)), null);
    await writeOutput(file, "{}");
    await assert.rejects(readBegun(file, settingsOf(slow)), /holds something else/);
  });

  it("says what is wrong with an address", async () => {
    await assert.rejects(benchServe({ ...options, server: { baseUrl: "localhost:8000" } }), /base url: localhost:8000 \(must begin with http/);
    const gone = await serve(model, { port: 0 });
    await gone.close();
    await assert.rejects(benchServe({ ...options, server: { baseUrl: gone.url } }), /base url: http:\/\/127\.0\.0\.1:\d+ \(no models are to be had at .*ECONNREFUSED/);
    await assert.rejects(benchServe({ ...options, apiKey: "wrong" }), /asks for a key/);
  });

  it("the command serves a model in a process of its own, which ends with it", async () => {
    const output = join(folder, "own.json");
    const run = (args: readonly string[]) => new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
      const child = spawn(process.execPath, [join(packageRoot(), "lib", "cli", "sdtp.mjs"), "bench", "serve", ...args]);
      let [stdout, stderr] = ["", ""];
      child.stdout.on("data", (text) => (stdout += text));
      child.stderr.on("data", (text) => (stderr += text));
      child.on("close", (code) => resolve({ code, stdout, stderr }));
    });
    const { code, stdout, stderr } = await run(["tiny", "--num-prompts", "20", "--input-len", "32", "--output-len", "4", "--max-concurrency", "4", "--cancel-share", "0.1", "--malformed-share", "0.1", "--goodput", "ttft:60000", "tpot:60000", "--output", output, "--", "--config", "keep07"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /20 of 20 requests: 1[68] completed/);
    assert.match(stdout, /Request goodput/);
    const result = JSON.parse(readFileSync(output, "utf8")) as ServeBenchResult;
    assert.deepEqual(result.settings.server, ["tiny", "--config", "keep07"]);
    assert.deepEqual([result.complete, result.figures.endings.lost, result.server_counts!.ended], [true, 0, 20]);
    const wrong = await run(["no-such-model-here", "--output", join(folder, "x.json")]);
    assert.deepEqual([wrong.code, /no-such-model-here/.test(wrong.stderr)], [1, true], wrong.stderr);
    assert.match((await run(["--output", join(folder, "x.json")])).stderr, /give either a model, which is served for it, or --base-url/);
    assert.match((await run(["tiny", "--goodput", "itl:5"])).stderr, /must be like ttft:500/);
  });
});
