// The self-check, with devices that get things wrong in known ways: the CPU's own home, spoilt.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { prove } from "../../../../lib/runtime/devices/check.js";
import { roundingHome } from "../../../../lib/runtime/devices/rounding-home.js";
import { hostHome, type Home } from "../../../../lib/runtime/home.js";
import type { HostCache } from "../../../../lib/runtime/host-cache.js";
import type { DeviceAttention, GpuAccuracy } from "../../../../lib/runtime/webgpu-home.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";

const tiny = tinyCheckpoint("llama");
after(tiny.remove);
const checkpoint = await openCheckpoint(tiny.folder, {});

/** Adds to an output of graphs whose key starts so. */
const spoilt = (home: Home, key: string, output: string, by: number): Home => {
  const wrong = new WeakSet<object>();
  return {
    ...home,
    load: async (g, settings) => {
      const session = await home.load(g, settings);
      if (g.name.startsWith(key)) wrong.add(session);
      const run = session.run.bind(session) as (...args: unknown[]) => Promise<Record<string, { data: Float32Array }>>;
      if (wrong.has(session)) Object.assign(session, { run: async (...args: unknown[]) => {
        const results = await run(...args);
        results[output]!.data[0]! += by;
        return results;
      } });
      return session;
    },
  };
};
const right = ({ prefill }: DeviceAttention) => hostHome(prefill);

test("a device that computes what the CPU does is taken with fused attention", async () => {
  const verdict = await prove(checkpoint, right);
  assert.ok(verdict.ok);
  assert.deepEqual(verdict.attention, { prefill: "fused", decode: "fused" });
  assert.deepEqual(verdict.rejected, []);
  assert.ok(verdict.differences.prefillLogits < 1e-4 && verdict.differences.cache < 1e-4 && verdict.differences.keptPositions === "same");
});

test("fused attention that is wrong in prefill is spelled out there, and there alone", async () => {
  const verdict = await prove(checkpoint, (attention) => (attention.prefill === "fused" ? spoilt(right(attention), "prefill", "logits", 0.5) : right(attention)));
  assert.ok(verdict.ok);
  assert.deepEqual(verdict.attention, { prefill: "plain", decode: "fused" });
  assert.match(verdict.rejected[0]!, /^attention fused in prefill, fused in decode: differs from the CPU in logits after prefill by 0\.5/);
});

test("fused attention that is wrong in decode is spelled out there", async () => {
  const verdict = await prove(checkpoint, (attention) => (attention.decode === "fused" ? spoilt(right(attention), "decode", "logits", 0.5) : right(attention)));
  assert.ok(verdict.ok);
  assert.deepEqual(verdict.attention, { prefill: "fused", decode: "plain" });
});

test("wrong keys, numbers that are none and errors are each a reason to refuse the device", async () => {
  for (const [output, by, reason] of [["key.1", 0.5, /keys and values by 0\.5/], ["logits", NaN, /logits: NaN for token id 0/]] as const) {
    const verdict = await prove(checkpoint, (attention) => spoilt(right(attention), "prefill", output, by));
    assert.ok(!verdict.ok);
    assert.match(verdict.reason, reason);
  }
  const verdict = await prove(checkpoint, (attention) => ({ ...right(attention), cache: () => { throw new Error("device lost\nat some place"); } }));
  assert.deepEqual(verdict, { ok: false, reason: "device lost" });
});

test("kept positions that differ are said, whatever the numbers are", async () => {
  const other = (home: Home): Home => ({ ...home, cache: (config, session, results, present, kept, reserve) => {
    // The run reads the positions after the cache was made of them.
    if (kept) kept[5]!++;
    return home.cache(config, session, results, present, kept, reserve) as HostCache;
  } });
  const verdict = await prove(checkpoint, (attention) => other(right(attention)));
  assert.ok(!verdict.ok);
  assert.match(verdict.reason, /the kept positions/);
});

test("16-bit numbers are taken where they are as near as rounding lets them be", async () => {
  const half = (attention: DeviceAttention, accuracy: GpuAccuracy): Home => (accuracy === "float16" ? roundingHome(attention.prefill) : right(attention));
  const verdict = await prove(checkpoint, half);
  assert.ok(verdict.ok);
  assert.equal(verdict.noFloat16, null);
  const far = await prove(checkpoint, (attention, accuracy) => (accuracy === "float16" ? spoilt(half(attention, accuracy), "decode", "logits", 0.5) : right(attention)));
  assert.ok(far.ok);
  assert.match(far.noFloat16!, /^in 16-bit numbers logits differ from the CPU by 0\.\d+ of the largest$/);
  const keys = await prove(checkpoint, (attention, accuracy) => (accuracy === "float16" ? spoilt(half(attention, accuracy), "prefill", "key.1", 5000) : right(attention)));
  assert.ok(keys.ok);
  assert.match(keys.noFloat16!, /^in 16-bit numbers (logits|keys and values) differ from the CPU by 0\.\d+ of the largest$/);
  const sums = await prove(checkpoint, (attention, accuracy) => (accuracy === "float16" ? spoilt(half(attention, accuracy), "sums", "y", 1) : right(attention)));
  assert.ok(sums.ok);
  assert.match(sums.noFloat16!, /^products of 16-bit numbers are not summed in float32: off by 0\.\d+ of the largest$/);
  const none = await prove(checkpoint, (attention, accuracy) => ({ ...right(attention), ...(accuracy === "float16" && { load: () => Promise.reject(new Error("Program Cast requires f16 but the device does not support it")) }) }));
  assert.ok(none.ok);
  assert.equal(none.noFloat16, "the device has no 16-bit numbers");
});
