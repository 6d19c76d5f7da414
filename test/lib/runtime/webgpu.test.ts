// The whole path on WebGPU against the CPU, at shapes that a software driver can do.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { attentionPaid, kvDrift, verifyRun } from "../../../lib/inspect/index.js";
import { generate } from "../../../lib/runtime/generate.js";
import { deviceTensors } from "../../../lib/runtime/device-cache.js";
import type { HostKv } from "../../../lib/runtime/kv-cache.js";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { prove } from "../../../lib/runtime/devices/check.js";
import { webgpuHome } from "../../../lib/runtime/webgpu-home.js";
import { load, type LoadOptions, type Model } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import type { Variant } from "../../reference/variants.js";
import { checkpointOf, compare } from "../../reference/transformers/cases.js";
import { webgpuMissing } from "./webgpu-adapter.js";

const TOLERANCE = 1e-3;

describe("WebGPU", { skip: await webgpuMissing() }, async () => {
  const differ = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    assert.equal(a.length, b.length);
    return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
  };
  const close = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    const most = differ(a, b);
    // Written so that a value that is not a number counts as different.
    assert.ok(most <= TOLERANCE, `they differ by ${most}`);
  };
  const sameCaches = (a: HostKv, b: HostKv) => {
    assert.deepEqual(a.lengths, b.lengths);
    a.layers.forEach((layer, l) => {
      assert.deepEqual(layer.positions, b.layer(l).positions);
      for (let head = 0; head < layer.kvHeads; head++) for (const part of ["key", "value"] as const) close(layer[part](head), b.layer(l)[part](head));
    });
  };
  const cleanUp: (() => unknown)[] = [];
  after(async () => {
    for (const each of cleanUp) await each();
  });
  async function sameGeneration(cpu: Model, gpu: Model, ids: readonly number[]) {
    const settings = { preset: "keep07", scorer: "norm", maxNewTokens: 4, fixedLength: true };
    const [a, b] = [await generate(cpu, ids, settings), await generate(gpu, ids, settings)];
    assert.deepEqual(b.run.kept, a.run.kept);
    assert.deepEqual(b.ids, a.ids);
    close(b.run.logits, a.run.logits);
    b.run.dispose();
  }
  async function pair(variant: Variant, options: LoadOptions = {}, dtype: "F32" | "F16" | "BF16" = "F32") {
    const tiny = tinyCheckpoint(variant, { dtype });
    const cpu = await load(tiny.folder, { threads: 1, accuracy: "float32", ...options });
    const gpu = await load(tiny.folder, { threads: 1, ...options, device: "webgpu", attention: "plain" });
    cleanUp.push(() => cpu.release(), () => gpu.release(), tiny.remove);
    return { cpu, gpu, ids: Array.from({ length: 44 }, (_, i) => (i * 7 + 1) % tiny.config.vocab_size) };
  }

  // Parts of heads turned, neighbours turned, two sets of frequencies, norms of every kind.
  for (const name of ["glm4", "stablelm-parallel", "cohere-qk-norm", "gemma3", "olmo3", "phi4-mini", "gpt_neox"]) {
    test(`${name}: transformers' own logits, of pruned prompts and decoded tokens too`, async () => {
      const checkpoint = checkpointOf(name);
      const model = await load(checkpoint.folder, { device: "webgpu", attention: "plain" });
      cleanUp.push(() => model.release(), checkpoint.remove);
      for (const [what, value] of Object.entries(await compare(name, model))) assert.ok(value < 1e-4, `${what}: ${value}`);
    });
  }

  // Grouped heads and biases; a sliding window; norms of each head, a head size that no fused operator takes.
  for (const variant of ["qwen2-tied", "mistral", "qwen3"] as const) {
    test(`${variant}: kept positions, caches, logits and tokens are those of the CPU`, async () => {
      const { cpu, gpu, ids } = await pair(variant);
      assert.equal(gpu.device, "webgpu");
      for (const settings of [{ preset: "baseline" }, { preset: "keep07", scorer: "norm" }, { preset: "sdtp", scorer: "attention" }, { preset: "sdtp", scorer: "norm", kvPolicy: "evict" as const }]) {
        const [here, there] = [await cpu.prefill(ids, settings), await gpu.prefill(ids, settings)];
        assert.deepEqual(there.stages.map(({ kept }) => kept), here.stages.map(({ kept }) => kept));
        assert.deepEqual(there.kv.lengths, here.kv.lengths);
        assert.equal(there.kv.bytes, here.kv.bytes);
        assert.ok(there.kv.summary().every(({ home }) => home === "webgpu"));
        close(there.logits, here.logits);
        sameCaches(await there.kv.toHost(), await here.kv.toHost());
        for (const tokens of [[3], [9], [4, 1, 7]]) close(await there.extend(tokens), await here.extend(tokens));
        sameCaches(await there.kv.toHost(), await here.kv.toHost());
        there.dispose();
      }
      const greedy = { maxNewTokens: 12, fixedLength: true, preset: "keep07", scorer: "norm" };
      const [a, b] = [await generate(cpu, ids, greedy), await generate(gpu, ids, greedy)];
      assert.deepEqual(b.ids, a.ids);
      b.run.dispose();
    });
  }

  // Capped scores and two kinds of layers; ALiBi; learned positions; one matrix for queries, keys and values.
  for (const variant of ["gemma2", "bloom", "gpt2", "phi3"] as const) {
    test(`${variant}: kept positions, logits and tokens are those of the CPU`, async () => {
      const { cpu, gpu, ids } = await pair(variant);
      await sameGeneration(cpu, gpu, ids);
    });
  }

  // Quantised weights meet activations unrounded on WebGPU: what the CPU gives when told so. 16-bit ones work where the adapter has no 16-bit numbers.
  for (const [dtype, stored] of [["int8", "F32"], ["int4:nearest", "F32"], ["int4:nearest:symmetric", "F32"], [undefined, "F16"], [undefined, "BF16"]] as const) {
    test(`weights in ${dtype ?? stored}: kept positions, logits and tokens are those of the CPU`, async () => {
      const { cpu, gpu, ids } = await pair("llama", { ...(dtype && { dtype }) }, stored);
      assert.equal(gpu.computeDtype, "fp32");
      await sameGeneration(cpu, gpu, ids);
    });
  }

  test("caches in fp16 or int8 are refused, not made something else", async () => {
    await assert.rejects(load("tiny", { device: "webgpu", attention: "plain", kvDtype: "int8" }), { message: "kvDtype: int8 (on webgpu caches are in what is computed in: fp32, or fp16)" });
  });

  test("scores, captured activations and attention weights are those of the CPU", async () => {
    const { cpu, gpu, ids } = await pair("llama");
    const settings = { preset: "keep07", scorer: "norm", scores: true, capture: ["block.1.hidden"] };
    const [here, there] = [await cpu.prefill(ids, settings), await gpu.prefill(ids, settings)];
    close(there.stages[0]!.scores!, here.stages[0]!.scores!);
    close(there.activations.get("block.1.hidden")!.data, here.activations.get("block.1.hidden")!.data);
    for (const tokens of [[5], [8, 2]]) {
      const [a, b] = [await here.observe(tokens), await there.observe(tokens)];
      close(b.logits, a.logits);
      b.attention.forEach((paid, layer) => close(paid, a.attention[layer]!));
    }
    there.dispose();
  });

  test("a fork goes its own way, also when the other is gone; what is disposed of says so", async () => {
    const { gpu, ids } = await pair("llama");
    const run = await gpu.prefill(ids);
    const [a, b] = [run.fork(), run.fork()];
    const first = await a.extend([1, 2]);
    await b.extend([9]);
    a.dispose();
    run.dispose();
    assert.deepEqual(b.kv.lengths, [45, 45, 45]);
    const [again, other] = [await gpu.prefill(ids), await gpu.prefill([...ids, 9])];
    close(await again.extend([1, 2]), first);
    close(await b.extend([4]), await other.extend([4]));
    for (const each of [b, again, other]) each.dispose();
    await assert.rejects(run.extend([1]), /cache: it was disposed of/);
    await assert.rejects(run.kv.toHost(), /cache: it was disposed of/);
  });

  test("caches hold no buffer that nobody has any more: after steps, forks and a step that fails", async () => {
    const { gpu, ids } = await pair("llama");
    const before = deviceTensors();
    const run = await gpu.prefill(ids, { preset: "keep07", scorer: "norm" });
    const ofOne = 2 * gpu.config.layers;
    assert.equal(deviceTensors(), before + ofOne);
    for (const token of [1, 2, 3]) await run.extend([token]);
    assert.equal(deviceTensors(), before + ofOne);
    const fork = run.fork();
    assert.equal(deviceTensors(), before + ofOne, "a fork shares");
    await fork.extend([4]);
    assert.equal(deviceTensors(), before + 2 * ofOne);
    await assert.rejects(run.extend([-1]));
    await fork.toHost();
    fork.dispose();
    fork.dispose();
    assert.equal(deviceTensors(), before + ofOne);
    run.dispose();
    assert.equal(deviceTensors(), before);
  });

  test("a released model leaves its runs usable, and can be used again", async () => {
    const { cpu, gpu, ids } = await pair("llama");
    const [here, there] = [await cpu.prefill(ids), await gpu.prefill(ids)];
    await there.extend([1]);
    await here.extend([1]);
    await gpu.release();
    sameCaches(await there.kv.toHost(), await here.kv.toHost());
    close(await there.extend([2]), await here.extend([2]));
    there.dispose();
  });

  test("inspection reads the cache back", async () => {
    const { gpu, ids } = await pair("llama");
    const run = await gpu.prefill(ids, { preset: "keep07", scorer: "norm", scores: true });
    assert.throws(() => run.kv.layer(1).key(0), /layer 1: its keys are on the device \(await run\.toHost\(\)/);
    const { ok, checks } = await verifyRun(run);
    assert.ok(ok && checks.every((check) => check.ok));
    const drift = await kvDrift(run);
    assert.ok(drift.every(({ keyCosine }) => keyCosine > 0.5 && keyCosine < 1 + 1e-6));
    const paid = await attentionPaid(run, { tokens: 2 });
    paid.groups.forEach(({ sinks, prompt, generated }) => assert.ok(Math.abs(sinks + prompt + generated - 1) < 1e-4));
    const here = await run.toHost();
    assert.equal(here.kv.home, "host");
    await assert.rejects(here.extend([1]), /run: its cache was read back from the device/);
    run.dispose();
  });

  test("products of 16-bit numbers: within rounding of the CPU, or refused where the adapter has none", async () => {
    const tiny = tinyCheckpoint("llama", { dtype: "F16" });
    cleanUp.push(tiny.remove);
    const verdict = await prove(await openCheckpoint(tiny.folder), (_, accuracy) => webgpuHome({ prefill: "plain", decode: "plain" }, accuracy));
    assert.ok(verdict.ok);
    assert.ok(verdict.noFloat16 === null || verdict.noFloat16 === "the device has no 16-bit numbers", verdict.noFloat16!);
  });
});
