// What the model computes next: which requests' tokens go together, and that nobody starves.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { load, type Model } from "../../../lib/runtime/model.js";
import type { Run } from "../../../lib/runtime/run.js";
import { Steps } from "../../../lib/serve/steps.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

const prompt = (n: number, seed: number) => Array.from({ length: n }, (_, i) => (i * 37 + 11 * (i % 7) + 17 * seed) % 250);
const largest = (a: Float32Array, b: Float32Array) => a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), a.length === b.length ? 0 : Infinity);

describe("steps of the model", () => {
  const tiny = tinyCheckpoint("qwen3");
  let model: Model;
  const never = new AbortController().signal;
  before(async () => void (model = await load(tiny.folder, { threads: 1 })));
  after(async () => {
    await model.release();
    tiny.remove();
  });

  /** Steps that note what they computed. */
  function noted(slots: number, pieceTokens: number) {
    const log: string[] = [];
    const steps = new Steps(model, { slots, pieceTokens, onStep: ({ sequences, tokens }) => log.push(`${sequences}:${tokens}`) });
    return { log, steps };
  }

  /** Greedy tokens of a run, one after the other. */
  async function decoded(steps: Steps, run: Run, count: number): Promise<number[]> {
    const ids: number[] = [];
    for (let i = 0; i < count; i++) {
      ids.push(run.logits.indexOf(Math.max(...run.logits)));
      await steps.extend(run, ids.slice(-1), never);
    }
    return ids;
  }

  it("those that wait for a token go together, as many as there is room for, and each has what it has alone", async () => {
    const { log, steps } = noted(4, 64);
    const runs: Run[] = [];
    for (let i = 0; i < 6; i++) runs.push(await model.prefill(prompt(5 + 9 * i, i), i % 2 ? { preset: "keep07", scorer: "norm" } : {}));
    const twins = runs.map((run) => run.fork());
    const together = await Promise.all(runs.map((run) => decoded(steps, run, 8)));
    for (const [i, twin] of twins.entries()) {
      const alone: number[] = [];
      for (let t = 0; t < 8; t++) {
        alone.push(twin.logits.indexOf(Math.max(...twin.logits)));
        await twin.extend(alone.slice(-1));
      }
      assert.deepEqual(together[i], alone, `sequence ${i}`);
      assert.ok(largest(runs[i]!.logits, twin.logits) < 1e-4);
    }
    assert.equal(log.reduce((sum, entry) => sum + Number(entry.split(":")[1]), 0), 48);
    assert.equal(log.length, 12, `as few runs as there can be: ${log.join(" ")}`);
  });

  it("a long prompt is computed in pieces, a token of each of the others beside every one of them", async () => {
    const { log, steps } = noted(4, 16);
    const [talking, long] = [await model.prefill(prompt(20, 1)), await model.prefill(prompt(16, 2))];
    const rest = prompt(116, 2).slice(16);
    const order: string[] = [];
    await Promise.all([
      steps.extend(long, rest, never).then(() => order.push("prompt")),
      decoded(steps, talking, 5).then(() => order.push("tokens")),
    ]);
    assert.deepEqual(order, ["tokens", "prompt"]);
    assert.deepEqual(log.slice(0, 5), ["2:17", "2:17", "2:17", "2:17", "2:17"]);
    assert.ok(largest(long.logits, (await model.prefill(prompt(116, 2))).logits) < 1e-4);
  });

  it("of two long prompts the one that came first ends first", async () => {
    const { log, steps } = noted(4, 16);
    const [first, second] = [await model.prefill(prompt(16, 2)), await model.prefill(prompt(16, 3))];
    const order: string[] = [];
    await Promise.all([
      steps.extend(first, prompt(64, 4), never).then(() => order.push(`first after ${log.length}`)),
      steps.extend(second, prompt(64, 5), never).then(() => order.push(`second after ${log.length}`)),
    ]);
    assert.deepEqual(order, ["first after 4", "second after 8"]);
  });

  it("after a prompt that is computed whole, those that wait for a token have theirs before the next one", async () => {
    const { steps } = noted(4, 16);
    const run = await model.prefill(prompt(9, 1));
    const order: string[] = [];
    const whole = (name: string) => steps.whole(async () => void order.push(name));
    const tokens = (async () => {
      for (let i = 0; i < 3; i++) {
        await steps.extend(run, [7], never);
        order.push("token");
      }
    })();
    await Promise.all([tokens, whole("first"), whole("second"), whole("third")]);
    assert.deepEqual(order, ["first", "token", "second", "token", "third", "token"]);
  });

  it("one that ends while it waits costs nothing, and one that fails takes nobody with it", async () => {
    const { log, steps } = noted(4, 16);
    const [run, gone, wrong] = [await model.prefill(prompt(9, 1)), await model.prefill(prompt(9, 2)), await model.prefill(prompt(9, 3))];
    const ending = new AbortController();
    const waiting = steps.extend(gone, [5], ending.signal);
    ending.abort(new Error("gone"));
    await Promise.all([assert.rejects(waiting, /gone/), decoded(steps, run, 3)]);
    assert.deepEqual([log, gone.position], [["1:1", "1:1", "1:1"], 9]);
    await Promise.all([
      assert.rejects(steps.whole(() => Promise.reject(new Error("no"))), /no/),
      assert.rejects(steps.whole(() => { throw new Error("not even begun"); }), /not even begun/),
      assert.rejects(steps.extend(wrong, [9999], never), /9999/),
      decoded(steps, run, 2),
    ]);
    assert.deepEqual([run.position, wrong.position], [14, 9]);
  });
});
