// Caches in fp16 and int8 against the plain pass over the keys and values that they hold.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../../../lib/runtime/model.js";
import type { Run } from "../../../lib/runtime/run.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { decode, type LayerCache } from "../../reference/forward.js";
import type { Variant } from "../../reference/variants.js";
import { relativeError } from "../relative-error.js";

const ids = Array.from({ length: 40 }, (_, i) => (i * 37 + 11 * (i % 7)) % 250);

/** What a run's cache holds, as the reference takes it. */
function heldBy({ kv }: Run): LayerCache[] {
  return kv.layers.map((layer) => {
    const joined = (part: "key" | "value") => Float64Array.from(Array.from({ length: layer.kvHeads }, (_, head) => [...layer[part](head)]).flat());
    return { keys: joined("key"), values: joined("value"), positions: [...layer.positions] };
  });
}

for (const variant of ["llama", "mistral", "gemma2", "bloom"] satisfies Variant[]) {
  for (const kvDtype of ["fp16", "int8"] as const) {
    test(`${variant}, cache in ${kvDtype}: decoding is exact for what the cache holds, and close to the float32 cache`, async (t) => {
      const tiny = tinyCheckpoint(variant);
      t.after(() => tiny.remove());
      const [model, plain] = [await load(tiny.folder, { threads: 1, kvDtype }), await load(tiny.folder, { threads: 1 })];
      t.after(async () => { await model.release(); await plain.release(); });
      const settings = { preset: "keep07", scorer: "norm", kvPolicy: "retain" } as const;
      const [run, exact] = [await model.prefill(ids, settings), await plain.prefill(ids, settings)];
      assert.deepEqual(run.logits, exact.logits, "prefill does not see the cache");
      assert.ok(run.kv.bytes < 0.65 * exact.kv.bytes);
      for (const position of [40, 41]) {
        const expected = decode(tiny.config, tiny.weights, [ids[position - 40]!], [position], heldBy(run));
        const [logits, reference] = [await run.extend([ids[position - 40]!]), await exact.extend([ids[position - 40]!])];
        assert.ok(relativeError(logits, expected.logits) < 1e-4);
        assert.ok(relativeError(logits, reference) < 0.05);
        assert.notDeepEqual(logits, reference);
      }
      const several = decode(tiny.config, tiny.weights, [7, 8, 9], [42, 43, 44], heldBy(run));
      const fork = run.fork();
      assert.ok(relativeError((await run.extend([7, 8, 9])).subarray(2 * model.config.vocabSize), several.logits) < 1e-4);
      const twin = fork.fork();
      assert.deepEqual(await fork.extend([7, 8, 9]), await twin.extend([7, 8, 9]));
    });
  }
}

test("another dtype is refused with those known", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  await assert.rejects(load(tiny.folder, { kvDtype: "int4" as never }), /KV dtype: int4 \(must be fp32, fp16, int8\)/);
});
