import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { decode, generate } from "../../../lib/runtime/generate.js";
import { load } from "../../../lib/runtime/model.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { forward } from "../../reference/forward.js";

describe("generation", async () => {
  const tiny = tinyCheckpoint("llama");
  const model = await load(tiny.folder, { threads: 1 });
  after(async () => {
    await model.release();
    tiny.remove();
  });
  const prompt = Array.from({ length: 40 }, (_, i) => (i * 7 + 1) % tiny.config.vocab_size);
  const best = (logits: ArrayLike<number>) => Array.from(logits).indexOf(Math.max(...Array.from(logits)));

  test("greedy tokens are the reference's, one full forward pass each", async () => {
    const { ids } = await generate(model, prompt, { maxNewTokens: 6, fixedLength: true });
    const all = [...prompt];
    for (const id of ids) {
      assert.equal(id, best(forward(tiny.config, tiny.weights, all).logits));
      all.push(id);
    }
  });

  test("a fixed length is one decode step a token, each timed, and the cache grows by as many", async () => {
    const { ids, run, tokenSeconds } = await generate(model, prompt, { maxNewTokens: 9, fixedLength: true, preset: "keep07", scorer: "recency" });
    assert.equal(ids.length, 9);
    assert.equal(tokenSeconds.length, 9);
    assert.ok(tokenSeconds.every((seconds) => seconds > 0));
    assert.deepEqual(run.kvLengthsAfterPrefill, [28, 28, 28]);
    assert.deepEqual(run.kv.lengths, [37, 37, 37]);
  });

  test("a stop token ends generation and is given out", async () => {
    const { ids } = await generate(model, prompt, { maxNewTokens: 6, fixedLength: true });
    const stop = ids[2]!;
    const stopped = await generate(model, prompt, { maxNewTokens: 6, stopTokens: [stop] });
    assert.deepEqual(stopped.ids, ids.slice(0, ids.indexOf(stop) + 1));
  });

  test("the same seed samples the same tokens", async () => {
    const sample = (seed: number) => generate(model, prompt, { maxNewTokens: 8, fixedLength: true, temperature: 2, topK: 50, seed });
    const first = (await sample(1)).ids;
    assert.deepEqual((await sample(1)).ids, first);
    assert.notDeepEqual((await sample(2)).ids, first);
  });

  test("forks of one pruned run go on independently", async () => {
    const run = await model.prefill(prompt, { preset: "sdtp", scorer: "norm" });
    const [a, b] = [run.fork(), run.fork()];
    const first = await a.extend([1, 2, 3]);
    await b.extend([9, 8]);
    const second = await b.fork().extend([4]);
    const again = await run.extend([1, 2, 3]);
    assert.deepEqual(again, first);
    assert.equal(second.length, model.config.vocabSize);
    assert.equal(b.position, 42);
  });

  test("an abort signal ends generation between two tokens", async () => {
    const controller = new AbortController();
    const run = await model.prefill(prompt);
    let count = 0;
    await assert.rejects(async () => {
      for await (const _ of decode(run, { maxNewTokens: 50, stopTokens: [], signal: controller.signal })) if (++count === 3) controller.abort();
    }, { name: "AbortError" });
    assert.equal(count, 3);
  });

  test("bad input is refused before anything runs", async () => {
    await assert.rejects(generate(model, [], {}), /prompt length: 0/);
    await assert.rejects(generate(model, [1, 5000], {}), /token id: 5000 at position 1/);
    await assert.rejects(generate(model, prompt, { maxNewTokens: 1000 }), /40 \+ 1000 = 1040 \(the model has 512 positions\)/);
    await assert.rejects(generate(model, prompt, { temperature: -1 }), /temperature: -1/);
    await assert.rejects(model.prefill(prompt, { preset: "keep6" }), /preset: keep6 \(known: baseline, /);
    await assert.rejects(model.prefill(prompt, { preset: "keep07", scorer: "best" }), /scorer: best \(known: /);
    await assert.rejects(model.prefill(prompt, { preset: "keep07", scorer: "learned" }), /scorer learned: .*(does not exist|there are no modules)/);
    const run = await model.prefill(prompt);
    await assert.rejects(run.extend(new Array(500).fill(1)), /position: 540 \(the model has 512\)/);
  });
});
