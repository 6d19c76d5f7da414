import assert from "node:assert/strict";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { Random } from "../../../lib/random.js";
import { hide, makePrompts } from "../../../lib/train/prompts.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";

const documents = [Array.from({ length: 4000 }, (_, i) => `The ${["sea", "wind", "ship", "crew"][i % 4]} was ${i} miles away${i % 3 ? "." : "!"}`).join(" ")];

test("prompts and responses: as many episodes as asked for, answers hidden in the prompt, within the length, the same for a seed", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const tokenizer = await (await openCheckpoint(tiny.folder)).tokenizer();
  const make = (seed: number) => [...makePrompts({ tokenizer, documents, count: 40, length: 600, episodes: 0.5, seed })];
  const lines = make(1);
  assert.equal(lines.length, 40);
  assert.deepEqual(make(1), lines);
  assert.notDeepEqual(make(2), lines);
  assert.equal(lines.slice(0, 20).filter(({ kind }) => kind === "episode").length, 10);
  for (const { kind, prompt, response } of lines) {
    const tokens = tokenizer.encode(prompt).length + tokenizer.encode(response, { addSpecialTokens: false }).length;
    assert.ok(tokens >= 290 && tokens <= 610, `${tokens} tokens`);
    if (kind === "prose") continue;
    const [, asked] = /Recall: the ([^:]*) is$/.exec(prompt)!;
    const [, answer] = /^ (\d{5})\./.exec(response)!;
    assert.ok(prompt.includes(` The ${asked} is ${answer}.`));
    for (const [, subject, also] of response.matchAll(/Recall: the ([^:]*?) is (\d{5})\./g)) assert.ok(prompt.includes(` The ${subject} is ${also}.`));
  }
});

test("sentences are hidden where a sentence ends", () => {
  const text = hide(new Random(1), "One two. Three (four!) Five", [" A.", " B.", " C."]);
  for (const sentence of ["A", "B", "C"]) assert.match(text, new RegExp(`[.!?)] ${sentence}\\.`));
  assert.equal(text.replace(/ [ABC]\./g, ""), "One two. Three (four!) Five");
  assert.equal(hide(new Random(1), "no end", [" A."]), "no end A.");
});

test("bad settings and too little prose are refused", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const tokenizer = await (await openCheckpoint(tiny.folder)).tokenizer();
  const first = (options: object) => makePrompts({ tokenizer, documents, count: 1, length: 600, episodes: 0.5, seed: 1, ...options }).next();
  assert.throws(() => first({ length: 10 }), /prompt length: 10/);
  assert.throws(() => first({ episodes: 2 }), /share of episodes: 2/);
  assert.throws(() => first({ documents: ["Short. Text."], episodes: 0 }), /prose: 12 characters \(too few/);
});
