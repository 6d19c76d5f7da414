// Generation inside the graph, as CUDA does it, on the CPU: the same tokens, logits and caches as a run for each token.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { generate } from "../../../lib/runtime/generate.js";
import { hostHome } from "../../../lib/runtime/home.js";
import { Model } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { checkpointOf } from "../../reference/transformers/cases.js";
import { variants, type Variant } from "../../reference/variants.js";
import { relativeError } from "../relative-error.js";

const LOOP = 8;

async function pair(name: string) {
  const checkpoint = await openCheckpoint(name, {});
  return { stepwise: new Model(checkpoint, { threads: 1 }, hostHome("plain")), looping: new Model(checkpoint, { threads: 1 }, { ...hostHome("plain"), loop: LOOP }) };
}

/** Windows and rotary frequencies by kind of block, frequencies that change with the length, parts of heads. */
const others = ["gemma3-rope-parameters", "cohere2", "smollm3-interval", "glm4", "stablelm-parallel", "phi3-crossing", "llama-dynamic-crossing"];

for (const variant of [...(Object.keys(variants) as Variant[]), ...others]) {
  describe(variant, async () => {
    const tiny = others.includes(variant) ? checkpointOf(variant) : tinyCheckpoint(variant as Variant);
    const { stepwise, looping } = await pair(tiny.folder);
    after(async () => {
      await stepwise.release();
      await looping.release();
      tiny.remove();
    });
    const ids = Array.from({ length: 44 }, (_, i) => (i * 7 + 1) % stepwise.config.vocabSize);

    test("tokens, logits and caches are those of a run for each token", async () => {
      // 20 tokens are two whole loops and a part of one.
      for (const settings of [{ preset: "baseline" }, { preset: "sdtp", scorer: "norm" }, { preset: "keep07", scorer: "norm", kvPolicy: "evict" as const }]) {
        const options = { ...settings, maxNewTokens: 20, fixedLength: true };
        const [a, b] = [await generate(stepwise, ids, options), await generate(looping, ids, options)];
        assert.deepEqual(b.ids, a.ids);
        assert.equal(b.tokenSeconds.length, 20);
        assert.equal(b.run.position, a.run.position);
        assert.ok(relativeError(b.run.logits, a.run.logits) < 1e-5);
        a.run.kv.layers.forEach((layer, l) => {
          assert.deepEqual(b.run.kv.layer(l).positions, layer.positions);
          for (let head = 0; head < layer.kvHeads; head++) for (const part of ["key", "value"] as const) assert.ok(relativeError(b.run.kv.layer(l)[part](head), layer[part](head)) < 1e-5);
        });
        // What was generated in a loop goes on a token at a time.
        assert.ok(relativeError(await b.run.extend([3, 1]), await a.run.extend([3, 1])) < 1e-5);
      }
    });
  });
}

describe("the embedded model", async () => {
  const { stepwise, looping } = await pair("tiny");
  after(async () => {
    await stepwise.release();
    await looping.release();
  });
  const ids = (await stepwise.tokenizer()).encode("It was a dark and stormy night; the rain fell in torrents");

  test("a stop token ends the loop where it would end generation, and is given out", async () => {
    const free = await generate(stepwise, ids, { maxNewTokens: 24, fixedLength: true });
    for (const at of [0, 5, LOOP - 1, LOOP, 13]) {
      const stop = free.ids[at]!;
      const expected = free.ids.slice(0, free.ids.indexOf(stop) + 1);
      const found = await generate(looping, ids, { maxNewTokens: 24, stopTokens: [4095, stop] });
      assert.deepEqual(found.ids, expected);
      assert.deepEqual(found.run.kv.lengths, stepwise.config.layers === 0 ? [] : new Array(stepwise.config.layers).fill(ids.length + expected.length));
    }
  });

  test("sampling takes a run for each token, with the tokens it takes elsewhere", async () => {
    const options = { maxNewTokens: 10, temperature: 0.9, seed: 4, fixedLength: true };
    assert.deepEqual((await generate(looping, ids, options)).ids, (await generate(stepwise, ids, options)).ids);
  });

  test("it can be stopped between two runs", async () => {
    const controller = new AbortController();
    controller.abort();
    await assert.rejects(generate(looping, ids, { maxNewTokens: 20, signal: controller.signal }), { name: "AbortError" });
  });
});
