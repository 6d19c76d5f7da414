// Each token through the stages and in the cache, against the float64 forward pass.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { traceText, traceTokens } from "../../../lib/inspect/trace.js";
import { attentionByHead, attentionPaid } from "../../../lib/inspect/attention.js";
import { SaliencyMeter } from "../../../lib/train/saliency.js";
import { tokens } from "../../../lib/report/views/index.js";
import { prompt, setup, twice } from "./setup.js";

describe("a token's trace", async () => {
  const { model, pruned, prefill, close } = await setup();
  after(close);

  test("has the stages it came to, with score and rank, and its row in every head of every layer", async () => {
    const run = await prefill();
    const traces = traceTokens(run);
    assert.equal(traces.length, prompt.length);
    for (const { position, stages, layers } of traces) {
      const fell = pruned.kept.findIndex((kept) => !kept.includes(position));
      assert.deepEqual(stages.map(({ kept }) => kept), fell < 0 ? [true, true] : fell === 0 ? [false] : [true, false]);
      for (const { stage, score, rank, present } of stages) {
        const [scores, there] = [pruned.scores[stage]!, pruned.caches[stage]!.positions];
        const own = scores[there.indexOf(position)]!;
        assert.ok(Math.abs(score! - own) < 1e-4);
        assert.deepEqual([rank, present], [1 + scores.filter((other) => other > own + 1e-9).length, there.length]);
      }
      pruned.caches.forEach((cache, l) => {
        const row = cache.positions.indexOf(position);
        for (const found of layers[l]!.rows) assert.equal(found, row < 0 ? null : row);
      });
    }
  });

  test("is said in lines, layers that hold it alike together", () => {
    const stages = [{ stage: 0, afterLayer: 2, kept: true, score: 0.5, rank: 3, present: 9 }, { stage: 1, afterLayer: 4, kept: false, score: null, rank: null, present: 5 }];
    const layers = [{ rows: [4, 4] }, { rows: [4, 4] }, { rows: [null, 2] }, { rows: [null, null] }];
    assert.deepEqual(traceText({ position: 4, stages, layers }, String), ["stage 0, after block 2: score 0.5, rank 3 of 9, kept", "stage 1, after block 4: fell", "layers 0-1: row 4, all heads", "layer 2: head 1 row 2", "layer 3: not in the cache"]);
  });

  test("is what a token tells in the view, by styles alone", async () => {
    const run = await model.prefill(prompt, { preset: twice, scorer: "norm", scores: true });
    const { html } = await tokens(run, { trace: true });
    assert.equal(html.split("<span title=").length - 1, prompt.length);
    assert.match(html, /<span title="0 · [^"]*\nstage 0, after block 0: score [^"]*, rank \d+ of 48, kept\n[^"]*\nlayers? 0[^"]*: row 0/);
    assert.match(html, /span\[title\]:hover::after\{content:attr\(title\)/);
    assert.doesNotMatch(html, /<script/);
    assert.ok(!(await tokens(run)).html.includes("::after"));
  });

  test("tells what generated tokens look at, head by head, and hang on", async () => {
    const run = await model.prefill(prompt, { preset: twice, scorer: "norm", scores: true });
    const { ids, paid } = await attentionByHead(run, { tokens: 3 });
    const mean = await attentionPaid(run, { tokens: 3 });
    assert.equal(ids.length, 3);
    for (const [l, heads] of paid.entries()) {
      for (const position of [0, 5, prompt.length - 1]) assert.ok(Math.abs(heads.reduce((sum, shares) => sum + shares[position]!, 0) / heads.length - mean.byLayer[l]![position]!) < 1e-6);
    }
    const { html } = await tokens(run, { trace: { generate: 3 } });
    const { values } = await (await SaliencyMeter.create(model.checkpoint, { blocks: [0] })).measure({ ids: [...prompt, ...ids], promptLength: prompt.length });
    const said = /<span title="0 · [^"]*\nattention of 3 generated tokens: ([^ ]+) over all heads; most: layer \d+ head \d+ [^"]*\nsaliency \(and rank of 48\) after block 0 (\S+) \((\d+)\)/.exec(html)!;
    const all = paid.flat();
    assert.ok(Math.abs(Number(said[1]) - all.reduce((sum, shares) => sum + shares[0]!, 0) / all.length) < 1e-3);
    assert.ok(Math.abs(Number(said[2]) / values[0]![0]! - 1) < 1e-2);
    assert.equal(Number(said[3]), 1 + values[0]!.subarray(0, prompt.length).filter((other) => other > values[0]![0]!).length);
    await assert.rejects(tokens(run, { trace: { generate: 0 } }), { message: "tokens: 0 (must be a positive integer)" });
  });
});
