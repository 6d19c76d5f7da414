import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Sample } from "../../../../lib/bench/serve/client.js";
import { figures } from "../../../../lib/bench/serve/figures.js";
import { memoryFigures } from "../../../../lib/bench/serve/memory.js";
import { parseMetrics } from "../../../../lib/bench/serve/server-metrics.js";

const sample = (change: Partial<Sample>): Sample => ({ index: 0, kind: "ordinary", defect: null, start: 0, ended: "completed", status: 200, error: null, prompt_tokens: 10, output_tokens: 3, ttft: 0.1, itl: [0.02, 0.04], e2el: 0.16, ...change });

describe("figures of a load", () => {
  const samples = [
    sample({}),
    sample({ index: 1, start: 0.1, ttft: 0.3, itl: [0.1, 0.1], e2el: 0.5 }),
    // One token: no time for those after it.
    sample({ index: 2, start: 0.2, output_tokens: 1, ttft: 0.2, itl: [], e2el: 0.2 }),
    sample({ index: 3, kind: "cancelled", ended: "cancelled", start: 1, e2el: 9 }),
    sample({ index: 4, kind: "malformed", ended: "refused", status: 400, start: 1.5, ttft: null, itl: [], e2el: 0.01 }),
    sample({ index: 5, kind: "malformed", start: 2 }),
    sample({ index: 6, ended: "busy", status: 429, ttft: null, itl: [], start: 30, e2el: 0.01 }),
  ];

  it("are those of completed requests, as vLLM defines them", () => {
    const found = figures(samples, 2, [50, 99], { ttft: 250, tpot: 50 });
    assert.deepEqual(found.endings, { completed: 4, cancelled: 1, refused: 1, busy: 1, timed_out: 0, failed: 0, lost: 0 });
    assert.equal(Object.values(found.endings).reduce((sum, count) => sum + count), samples.length);
    assert.deepEqual([found.completed, found.malformed_answered, found.total_input_tokens, found.total_output_tokens], [3, 1, 30, 7]);
    assert.deepEqual([found.request_throughput, found.output_throughput, found.total_token_throughput], [1.5, 3.5, 18.5]);
    // The second one's first token came after 300 ms.
    assert.equal(found.request_goodput, 1);
    const near = (name: string, expected: number) => assert.ok(Math.abs(found.latencies[name]! - expected) < 1e-9, `${name}: ${found.latencies[name]}`);
    near("mean_ttft_ms", 200);
    near("median_ttft_ms", 200);
    near("std_ttft_ms", 100 * Math.sqrt(2 / 3));
    near("p99_ttft_ms", 298);
    near("mean_tpot_ms", 65);
    near("median_itl_ms", 70);
    near("p50_e2el_ms", 200);
    // The first three, of which the first ends before the third begins; the cancelled one with two others.
    assert.equal(found.max_concurrent_requests, 2);
  });

  it("are nothing where nothing was completed", () => {
    const found = figures([sample({ ended: "lost" })], 1, [99], null);
    assert.deepEqual([found.latencies.mean_ttft_ms, found.latencies.p99_itl_ms, found.request_goodput, found.request_throughput], [null, null, null, 0]);
  });

  it("memory grows where the last quarter needs more than the second", () => {
    const times = Array.from({ length: 12 }, (_, i) => i);
    assert.deepEqual(memoryFigures({ times, resident_bytes: [1, 1, 1, 8, 8, 8, 8, 8, 8, 8, 8, 8] }), { first_bytes: 1, peak_bytes: 8, quarters_bytes: [1, 8, 8, 8], growth: 0 });
    assert.equal(memoryFigures({ times, resident_bytes: [1, 1, 1, 8, 8, 8, 9, 9, 9, 10, 10, 10] })!.growth, 0.25);
    assert.equal(memoryFigures({ times: [0], resident_bytes: [1] }), null);
  });

  it("a page of metrics is read, sums over labels", () => {
    const text = "# HELP x y\nprocess_resident_memory_bytes 1.5e8\nsdtp:requests_total{route=\"/v1/completions\",status=\"200\"} 7\nsdtp:requests_total{route=\"/v1/completions\",status=\"400\"} 2\nsdtp:num_requests_running 1\n";
    assert.deepEqual(parseMetrics(text), { resident: 1.5e8, ended: 9, running: 1, waiting: null, kvCacheBytes: null });
  });
});
