import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { arrivals } from "../../../../lib/bench/serve/arrivals.js";
import { defects } from "../../../../lib/bench/serve/defects.js";
import { planned, type Workload } from "../../../../lib/bench/serve/workload.js";
import { Random } from "../../../../lib/random.js";

const workload: Workload = {
  seed: 3, num_prompts: 1000, random_input_len: 100, random_output_len: 20, random_range_ratio: 0.5, random_prefix_len: 0,
  request_rate: "inf", burstiness: 1, cancel_share: 0.1, malformed_share: 0.05,
};

describe("the load that a server is put under", () => {
  it("has exactly the shares that were asked for, lengths in their range, and comes out the same twice", () => {
    const requests = planned(workload);
    const of = (kind: string) => requests.filter((request) => request.kind === kind);
    assert.deepEqual([of("ordinary").length, of("cancelled").length, of("malformed").length], [850, 100, 50]);
    const lengths = requests.map(({ inputLen }) => inputLen);
    assert.deepEqual([Math.min(...lengths), Math.max(...lengths)], [50, 150]);
    assert.deepEqual([Math.min(...requests.map(({ outputLen }) => outputLen)), Math.max(...requests.map(({ outputLen }) => outputLen))], [10, 30]);
    for (const { cancelAfter, outputLen, kind } of requests) assert.ok(kind === "cancelled" ? cancelAfter! >= 0 && cancelAfter! < outputLen : cancelAfter === null);
    assert.deepEqual(new Set(of("malformed").map(({ defect }) => defect)), new Set(Object.keys(defects)));
    assert.deepEqual(planned(workload), requests);
    assert.notDeepEqual(planned({ ...workload, seed: 4 }), requests);
  });

  it("arrives at the rate, in bursts or evenly", () => {
    const gaps = (burstiness: number) => arrivals(4000, 8, burstiness, new Random(1)).map((time, i, all) => time - (all[i - 1] ?? 0));
    for (const burstiness of [0.25, 1, 4]) {
      const found = gaps(burstiness);
      assert.ok(found.every((gap) => gap >= 0));
      const mean = found.reduce((sum, gap) => sum + gap, 0) / found.length;
      const variance = found.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / found.length;
      // A gamma distribution of this shape: its variance is the square of its mean over the shape.
      assert.ok(Math.abs(mean - 1 / 8) < 1e-9);
      assert.ok(Math.abs((variance * burstiness) / mean ** 2 - 1) < 0.15, `${burstiness}: ${variance}`);
    }
    assert.deepEqual(arrivals(3, 2, Infinity, new Random(1)).map((time) => Math.round(1e6 * time) / 1e6), [0.5, 1, 1.5]);
    assert.deepEqual(arrivals(3, Infinity, 1, new Random(1)), [0, 0, 0]);
  });

  it("says which setting is wrong", () => {
    const fails = (change: Partial<Workload>, message: RegExp) => assert.throws(() => planned({ ...workload, ...change }), message);
    fails({ num_prompts: 0 }, /num prompts: 0 \(must be a positive integer\)/);
    fails({ random_range_ratio: 1 }, /random range ratio: 1 \(must be from 0/);
    fails({ cancel_share: 0.7, malformed_share: 0.4 }, /0\.7 and 0\.4 \(must be 1 or less together\)/);
    fails({ cancel_share: -1 }, /cancel share: -1/);
    fails({ request_rate: 0 }, /request rate: 0/);
    fails({ request_rate: 1, burstiness: 0 }, /burstiness: 0/);
  });
});
