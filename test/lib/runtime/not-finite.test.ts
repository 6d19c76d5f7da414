// Numbers that are none: never an answer, never a timing, always the first place where they came up.
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync, openSync, writeSync, closeSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { defineScorer } from "../../../lib/methods/scorer.js";
import { allFinite } from "../../../lib/runtime/finite.js";
import { load, type LoadOptions } from "../../../lib/runtime/model.js";
import { SaliencyMeter } from "../../../lib/train/saliency.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import type { Variant } from "../../reference/variants.js";
import { sdtp, temporaryFolder } from "../cli/sdtp.js";

const ids = Array.from({ length: 24 }, (_, i) => (i * 37 + 5) % 250);
const everything = { preset: "sdtp", scorer: "norm", kvPolicy: "retain" } as const;

/** A random checkpoint with values of its tensors overwritten. */
async function spoilt(t: TestContext, variant: Variant, changes: readonly { tensor: string; value: number; at?: number; count?: number }[], config = {}): Promise<string> {
  const tiny = tinyCheckpoint(variant, { config });
  t.after(tiny.remove);
  const { tensors } = await openCheckpoint(tiny.folder);
  for (const { tensor, value, at = 0, count = 1 } of changes) {
    const stored = tensors.get(tensor)!;
    const file = openSync(stored.file, "r+");
    writeSync(file, new Uint8Array(new Float32Array(count).fill(value).buffer), 0, 4 * count, stored.offset + 4 * at);
    closeSync(file);
  }
  return tiny.folder;
}

async function loaded(t: TestContext, folder: string, options: LoadOptions = {}) {
  const model = await load(folder, { threads: 1, ...options });
  t.after(() => model.release());
  return model;
}

test("finite or not, wherever it stands", () => {
  for (let length = 0; length < 10; length++) {
    assert.ok(allFinite(new Float32Array(length).fill(-3.4e38)));
    for (let at = 0; at < length; at++) {
      for (const value of [NaN, Infinity, -Infinity]) {
        const values = new Float32Array(length).fill(1);
        values[at] = value;
        assert.ok(!allFinite(values), `${value} at ${at} of ${length}`);
      }
    }
  }
});

const places: readonly [Variant, string, string][] = [
  ["llama", "model.layers.1.mlp.up_proj.weight", "block 1 (mlp output)"],
  ["llama", "model.layers.1.self_attn.o_proj.weight", "block 1 (attention output)"],
  ["llama", "model.layers.1.input_layernorm.weight", "block 1 (attention input)"],
  ["qwen3", "model.layers.0.self_attn.k_proj.weight", "block 0 (attention key)"],
  ["qwen2", "model.layers.0.self_attn.q_proj.bias", "block 0 (attention query)"],
  ["gemma2", "model.layers.0.self_attn.v_proj.weight", "block 0 (attention value)"],
  ["gpt2", "model.layers.0.post_attention_layernorm.weight", "block 0 (mlp input)"],
];
for (const [variant, tensor, place] of places) {
  for (const value of [NaN, Infinity]) {
    test(`${variant} with ${value} in ${tensor}: ${place}`, async (t) => {
      const model = await loaded(t, await spoilt(t, variant, [{ tensor, value }]));
      for (const settings of [{}, everything]) {
        await assert.rejects(model.prefill(ids, settings), (error: Error) => {
          assert.ok(error.message.startsWith(`${place}: not finite, first at token 0 (`), error.message);
          assert.match(error.message, new RegExp(`tensor \\S+ holds ${value}`));
          return true;
        });
      }
    });
  }
}

test("weights that are finite and overflow are told from weights that are not", async (t) => {
  const folder = await spoilt(t, "llama", [{ tensor: "model.layers.1.mlp.gate_proj.weight", value: 3e38, count: 64 }, { tensor: "model.layers.1.mlp.up_proj.weight", value: 3e38, count: 64 }]);
  await assert.rejects((await loaded(t, folder)).prefill(ids), /^Error: block 1 \(mlp output\): not finite, first at token \d+ \(its weights are finite: what it computes goes beyond float32\)$/);
});

test("the head by itself is named too", async (t) => {
  const folder = await spoilt(t, "llama", [{ tensor: "lm_head.weight", value: NaN, at: 0 }]);
  await assert.rejects((await loaded(t, folder)).prefill(ids), /^Error: logits: NaN for token id 0, after all blocks were finite \(tensor lm_head.weight holds NaN\)$/);
});

for (const worker of [false, true]) {
  test(`a decode step${worker ? " in a worker" : ""} is guarded as the prompt is; a cache in this thread stays as it was`, async (t) => {
    // Only token 249 has the bad row; the prompt has none of it.
    const width = 64;
    const { config } = await openCheckpoint(await spoilt(t, "llama", []));
    const folder = await spoilt(t, "llama", [{ tensor: "model.embed_tokens.weight", value: NaN, at: 249 * config.hiddenSize, count: Math.min(width, config.hiddenSize) }]);
    const model = await loaded(t, folder, { worker });
    const prompt = ids.filter((id) => id !== 249);
    const run = await model.prefill(prompt, { preset: "keep07", scorer: "recency" });
    const before = run.kv.lengths;
    const bad = new RegExp(`^Error: embedding: not finite, first at token ${prompt.length} \\(tensor model.embed_tokens.weight holds NaN\\)$`);
    await assert.rejects(run.extend([249]), bad);
    if (worker) return;
    await assert.rejects(run.observe([249]), bad);
    assert.deepEqual(run.kv.lengths, before);
    const fresh = await model.prefill(prompt, { preset: "keep07", scorer: "recency" });
    assert.deepEqual(await run.extend([7, 8]), await fresh.extend([7, 8]));
  });
}

test("keys that a cache in fp16 cannot hold are named as such", async (t) => {
  const { config } = await openCheckpoint(await spoilt(t, "llama", []));
  const folder = await spoilt(t, "llama", [{ tensor: "model.layers.1.self_attn.v_proj.weight", value: 3e5, count: config.hiddenSize }]);
  const run = await (await loaded(t, folder, { kvDtype: "fp16" })).prefill(ids);
  await assert.rejects(run.extend([3]), /^Error: block 1 \(cached values\): -?Infinity at token \d+ \(fp16 goes to 65504; take caches in fp32\)$/);
});

test("a scorer must give numbers", async (t) => {
  const model = await loaded(t, await spoilt(t, "llama", []));
  for (const [value, text] of [[NaN, "NaN"], [Infinity, "Infinity"], [-Infinity, "-Infinity"]] as const) {
    const scorer = defineScorer("odd", (g, { positions }) => g.where(g.equal(positions, 9), value, g.cast(positions, "float32")));
    await assert.rejects(model.prefill(ids, { preset: "keep07", scorer }), new RegExp(`^Error: scores after block \\d: ${text} for token 9 \\(scorer odd must give every token a finite number`));
  }
});

test("saliency of a model with such weights names its block", async (t) => {
  const checkpoint = await openCheckpoint(await spoilt(t, "llama", [{ tensor: "model.layers.1.mlp.down_proj.weight", value: NaN }]));
  const meter = await SaliencyMeter.create(checkpoint, { blocks: [0], threads: 1 });
  t.after(() => meter.release());
  await assert.rejects(meter.measure({ ids, promptLength: 16 }), /^Error: block 1 \(mlp output\): not finite, first at token 0 \(tensor model.layers.1.mlp.down_proj.weight holds NaN\)$/);
});

test("commands exit with 1 and leave no result", async (t) => {
  const folder = await spoilt(t, "llama", [{ tensor: "model.layers.1.mlp.down_proj.weight", value: NaN }], { max_position_embeddings: 2048 });
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "prompt.txt"), "the cat sat on the mat ".repeat(100));
  const measured = ["--config", "keep07", "--scorer", "norm", "--lengths", "64", "--max-new-tokens", "4", "--warmup", "0", "--repeats", "1", "--prompt-file", "prompt.txt"];
  const commands = [
    ["generate", "--prompt-ids", "1,2,3", "--max-new-tokens", "4"],
    ["profile", ...measured, "--output", "out"],
    ["sweep", ...measured, "--folder", "out/sweep", "--output", "out/sweep.csv"],
    ["kv", "--prompt-file", "prompt.txt"],
    ["evaluate", "perplexity", "--config", "keep07", "--scorer", "norm", "--text", "prompt.txt", "--lengths", "64", "--samples", "1", "--continuation", "8", "--output", "out/rows.jsonl"],
  ];
  for (const [command, ...args] of commands) {
    const { code, stdout, stderr } = await sdtp(cwd, command!, ...args, "--model", folder, "--threads", "1");
    assert.equal(code, 1, `${command}: ${stdout}${stderr}`);
    assert.match(stdout + stderr, /block 1 \(mlp output\): not finite/, command);
    assert.doesNotMatch(stdout, /\d\.\d+ ?(s\b|x|×)|tokens a second/, command);
  }
  const written = existsSync(join(cwd, "out")) ? readdirSync(join(cwd, "out"), { recursive: true }).map(String) : [];
  assert.deepEqual(written.filter((file) => /latency/.test(file)), []);
});
