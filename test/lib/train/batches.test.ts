import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { loadTokenizer, type Tokenizer } from "../../../lib/checkpoint/tokenizer.js";
import { BatchSource, kinds } from "../../../lib/train/batches.js";
import { trainBpe } from "../../../lib/train/bpe.js";
import type { Recipe } from "../../../lib/train/recipe.js";

const sentence = "It was the whiteness of the whale that above all things appalled me. But how can I hope to explain myself here? ";

const recipe = (shares: { prose: number; episodes: number; repeats: number }): Recipe => ({
  seed: 3,
  phases: [{ until: Infinity, length: 256, tokensPerStep: 1024, ...shares }],
  learningRate: 1e-3,
  warmupTokens: 1000,
  decay: 0.3,
  weightDecay: 0.1,
  answerWeight: 4,
});

describe("training batches", () => {
  const folder = mkdtempSync(join(tmpdir(), "sdtp-batches-"));
  let tokenizer: Tokenizer;
  let prose: Uint16Array;
  before(async () => {
    const texts = [sentence.repeat(40), "The pass key of Boston is 48213. Recall: the locker code, badge number, secret number of"];
    writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(trainBpe(texts, 400)));
    tokenizer = await loadTokenizer(folder);
    prose = Uint16Array.from(tokenizer.encode(texts[0]!));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const batchOf = (shares: Parameters<typeof recipe>[0], step = 5) => new BatchSource(recipe(shares), tokenizer, prose).batch(step, 0);

  test("targets are the next tokens and weights add up to 1", () => {
    const batch = batchOf({ prose: 0.5, episodes: 0.25, repeats: 0.25 });
    assert.equal(batch.sequences, 4);
    for (let row = 0; row < 4; row++)
      for (let t = 0; t + 1 < 256; t++) assert.equal(batch.targets[row * 256 + t], batch.ids[row * 256 + t + 1]);
    assert.ok(Math.abs(batch.weights.reduce((a, b) => a + b, 0) - 1) < 1e-5);
    assert.ok(batch.ids.every((id) => id >= 0n && id < 400n));
  });

  test("the same step is the same batch, another step another", () => {
    const shares = { prose: 0.5, episodes: 0.5, repeats: 0 };
    assert.deepEqual(batchOf(shares).ids, batchOf(shares).ids);
    assert.notDeepEqual(batchOf(shares, 6).ids, batchOf(shares).ids);
  });

  test("every answer of an episode was stated before it in the same words", () => {
    const batch = batchOf({ prose: 0, episodes: 1, repeats: 0 });
    for (let row = 0; row < 4; row++) {
      const text = tokenizer.decode([...Array.from(batch.ids.subarray(row * 256, (row + 1) * 256), Number), Number(batch.targets[row * 256 + 255])]);
      const asked = [...text.matchAll(/Recall: the ([a-z ]+ of \w+) is (\d{5})/g)];
      assert.ok(asked.length > 0);
      for (const [, subject, answer] of asked) assert.ok(text.includes(` The ${subject} is ${answer}.`), `${subject} is stated`);
    }
  });

  test("answers, and nothing else, weigh more", () => {
    const batch = batchOf({ prose: 0, episodes: 1, repeats: 0 });
    const heavy = batch.weights.map((weight) => Number(weight > 2 * batch.weights[0]!));
    const answer = kinds.indexOf("answer");
    heavy.forEach((is, i) => assert.equal(is === 1, batch.kinds[i] === answer));
    const tokens = [...batch.targets].filter((_, i) => heavy[i]).map((id) => tokenizer.token(Number(id)));
    assert.ok(tokens.every((token) => /^\d$|^Ġ$/.test(token)), tokens.join(" "));
  });

  test("repeated strings repeat, and the first copy does not count", () => {
    const batch = batchOf({ prose: 0, episodes: 0, repeats: 1 });
    for (let row = 0; row < 4; row++) {
      const ids = [...batch.ids.subarray(row * 256, (row + 1) * 256)];
      const start = batch.weights.subarray(row * 256, (row + 1) * 256).findIndex((weight) => weight > 0);
      const period = start + 1;
      assert.ok(period >= 4 && period <= 128);
      for (let t = period; t < 256; t++) assert.equal(ids[t], ids[t - period]);
    }
  });
});
