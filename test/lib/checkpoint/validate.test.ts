import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPrompt } from "../../../lib/checkpoint/validate.js";

const config = { vocabSize: 100, maxPositions: 8 };

test("a prompt that fits passes, up to the last id and the last position", () => {
  checkPrompt([0, 99, 5], 5, config);
  checkPrompt(Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8), 0, config);
});

const bad: [string, ArrayLike<number>, number, RegExp][] = [
  ["a prompt of length 0", [], 1, /^prompt length: 0 \(must be at least 1 token\)$/],
  ["an id at the vocabulary's size", [1, 2, 100], 0, /^token id: 100 at position 2 \(must be an integer in 0\.\.99/],
  ["a negative id", [-1], 0, /^token id: -1 at position 0/],
  ["a fraction", [1, 2.5], 0, /^token id: 2\.5 at position 1/],
  ["NaN", [NaN], 0, /^token id: NaN at position 0/],
  ["text as an id", ["7" as unknown as number], 0, /^token id: 7 at position 0/],
  ["prompt + new tokens one beyond the positions", [1, 2, 3], 6, /^prompt \+ new tokens: 3 \+ 6 = 9 \(the model has 8 positions\)$/],
  ["a prompt longer than the positions", new Int32Array(9), 0, /= 9 \(the model has 8 positions\)/],
  ["a negative number of new tokens", [1], -1, /^new tokens: -1 \(must be an integer >= 0\)$/],
  ["a fraction of new tokens", [1], 1.5, /^new tokens: 1\.5/],
];
for (const [what, ids, newTokens, message] of bad) {
  test(`refuses ${what}`, () => {
    assert.throws(() => checkPrompt(ids, newTokens, config), (error: Error) => {
      assert.match(error.message, message);
      return true;
    });
  });
}
