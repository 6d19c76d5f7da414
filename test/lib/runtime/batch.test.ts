// Several sequences in one run of one graph, against each of them computed alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load, type Model } from "../../../lib/runtime/model.js";
import type { Run } from "../../../lib/runtime/run.js";
import type { LoadOptions, PrefillSettings } from "../../../lib/runtime/settings.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { checkpointOf } from "../../reference/transformers/cases.js";
import type { Variant } from "../../reference/variants.js";

const SLOTS = 8;
const vocabulary = 48;
const prompt = (n: number, seed: number) => Array.from({ length: n }, (_, i) => (i * 37 + 11 * (i % 7) + 17 * seed) % vocabulary);

/** Caches of all kinds at once: of other lengths, pruned by stages (lengths differ by layer), evicted, cut down by a budget of each layer. */
const prompts: readonly { n: number; settings: PrefillSettings }[] = [
  { n: 40, settings: {} },
  { n: 7, settings: {} },
  { n: 33, settings: { preset: "keep07", scorer: "norm" } },
  { n: 25, settings: { preset: "keep05", scorer: "norm", kvPolicy: "retain" } },
  { n: 60, settings: { preset: "knorm:16" } },
  { n: 1, settings: {} },
  { n: 50, settings: { preset: "gemfilter:20" } },
  { n: 12, settings: {} },
];

/** Budgets of caches, and prompts that start anew, do not go with a sliding window. */
const allowed = (settings: PrefillSettings, { config }: Model): PrefillSettings => (config.slidingWindow !== null && /:/.test(String(settings.preset)) ? { preset: "keep05", scorer: "norm" } : settings);

const largest = (a: Float32Array, b: Float32Array) => {
  assert.equal(a.length, b.length);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
};

async function check(tiny: { folder: string; remove(): void }, options: LoadOptions, bound: number, dtype?: "int8" | "int4:nearest"): Promise<void> {
  const model = await load(tiny.folder, { threads: 1, ...options, ...(dtype && { dtype }) });
  try {
    const runs: Run[] = [];
    for (const [seed, { n, settings }] of prompts.entries()) runs.push(await model.prefill(prompt(n, seed), { reserve: seed % 2, ...allowed(settings, model) }));
    const alone = runs.map((run) => run.fork());
    // Company changes from step to step: who is there, how many, and whose turn it is to bring several tokens.
    const steps: readonly (readonly number[])[] = [[0], [0, 1], [2, 0, 4], [3, 1, 5, 6], [7, 6, 5, 4, 3, 2, 1, 0], [6, 2, 7, 0, 1], [4, 3, 2, 1, 0, 5, 6, 7], [7]];
    for (const [s, members] of steps.entries()) {
      const all = members.map((member, i) => ({ run: runs[member]!, tokens: prompt(i === s % members.length && s > 1 ? 3 : 1, member + s), each: s % 2 === 0 }));
      const given = await model.extendTogether(all, SLOTS);
      for (const [i, member] of members.entries()) {
        const { tokens, each } = all[i]!;
        const logits = await alone[member]!.extend(tokens);
        const expected = each ? logits : logits.subarray(logits.length - logits.length / tokens.length);
        assert.ok(!(given[i] instanceof Error), String(given[i]));
        const difference = largest(given[i] as Float32Array, expected);
        assert.ok(difference <= bound, `step ${s}, sequence ${member} of ${members.length}: ${difference}`);
        assert.deepEqual(runs[member]!.logits, (given[i] as Float32Array).slice(-expected.length / (each ? tokens.length : 1)));
        assert.equal(runs[member]!.position, alone[member]!.position);
        assert.deepEqual(runs[member]!.tokens, alone[member]!.tokens);
        runs[member]!.kv.layers.forEach((layer, l) => assert.deepEqual(layer.positions, alone[member]!.kv.layer(l).positions));
      }
    }
  } finally {
    await model.release();
    tiny.remove();
  }
}

for (const variant of ["llama", "mistral", "gemma2", "qwen3", "gpt2"] satisfies Variant[]) {
  test(`${variant}: each of up to eight sequences, pruned ones too, has the logits that it has alone`, () => check(tinyCheckpoint(variant), {}, 1e-4));
}
for (const name of ["gpt_oss", "gemma3", "smollm3", "llama-dynamic-beyond", "gpt_neox"]) {
  test(`${name}: the same`, () => check(checkpointOf(name), {}, 1e-4));
}
test("caches in fp16 and int8 have a place too", async () => {
  await check(tinyCheckpoint("llama"), { kvDtype: "fp16" }, 1e-4);
  await check(tinyCheckpoint("llama"), { kvDtype: "int8" }, 1e-4);
});
test("int8 and int4 weights: company changes no number by more than float32 does", async () => {
  await check(tinyCheckpoint("llama"), {}, 1e-4, "int8");
  await check(tinyCheckpoint("llama"), {}, 1e-4, "int4:nearest");
});
test("in a worker thread: the same", () => check(tinyCheckpoint("llama"), { worker: true }, 1e-4));

test("what has no place in a run with others says so", async (t) => {
  const [tiny, bloom] = [tinyCheckpoint("llama"), tinyCheckpoint("bloom")];
  const [model, alibi] = [await load(tiny.folder, { threads: 1 }), await load(bloom.folder, { threads: 1 })];
  t.after(async () => {
    await model.release();
    await alibi.release();
    tiny.remove();
    bloom.remove();
  });
  const ragged = await model.prefill(prompt(200, 0), { preset: "adakv:0.5" });
  assert.ok(ragged.kv.ragged && ragged.joint === null);
  await assert.rejects(model.extendTogether([{ run: ragged, tokens: [1] }], SLOTS), /it has no place in a run with others/);
  assert.equal(alibi.together, false);
  assert.equal((await alibi.prefill(prompt(5, 0))).joint, null);
  const [a, b] = [await model.prefill(prompt(5, 0)), await model.prefill(prompt(6, 0))];
  await assert.rejects(model.extendTogether([{ run: a, tokens: [1, 2] }, { run: b, tokens: [1, 2] }], SLOTS), /2, 2 tokens in one run \(of at most 8 sequences, all but one of one token\)/);
  await assert.rejects(model.extendTogether([{ run: a, tokens: [1] }, { run: b, tokens: [9999] }], SLOTS), /9999/);
  assert.deepEqual([a.position, b.position], [5, 6], "nothing was taken over");
});

test("a run goes back to a point after its prompt, and on from there with the same numbers", async (t) => {
  const tiny = tinyCheckpoint("mistral");
  t.after(() => tiny.remove());
  for (const worker of [false, true]) {
    const model = await load(tiny.folder, { threads: 1, worker });
    for (const { n, settings } of prompts) {
      const run = await model.prefill(prompt(n, 3), allowed(settings, model));
      const straight = run.fork();
      await run.extend([4, 5, 6, 7]);
      const back = model.rewound(run, n + 2, { room: 3 });
      assert.deepEqual([back.position, back.tokens.slice(n)], [n + 2, [4, 5]]);
      await straight.extend([4, 5]);
      assert.ok(largest(await back.extend([9]), await straight.extend([9])) < 1e-5);
      assert.throws(() => model.rewound(run, n + 5, { room: 0 }), /length: /);
      assert.throws(() => model.rewound(run, 0, { room: 0 }), /length: /);
      if (run.preset.name !== "baseline") assert.throws(() => model.rewound(run, n - 1, { room: 0 }), /length: /);
      else if (n > 4) {
        const within = model.rewound(run, n - 4, { room: 3 });
        assert.deepEqual([within.ids, within.plan.n, within.kvLengthsAfterPrefill.length, within.kv.lengths[0]], [prompt(n, 3).slice(0, n - 4), n - 4, model.config.layers, n - 4]);
        const [logits, whole] = [await within.extend(prompt(n, 3).slice(n - 4)), await model.prefill(prompt(n, 3))];
        assert.ok(largest(logits.slice(-whole.logits.length), whole.logits) < 1e-4);
      }
    }
    await model.release();
  }
});
