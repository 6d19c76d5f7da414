import assert from "node:assert/strict";
import { test } from "node:test";
import { openCheckpoint } from "../../../../lib/checkpoint/open.js";
import { Random } from "../../../../lib/random.js";
import { makePrompts } from "../../../../lib/train/prompts/make.js";
import { promptKinds } from "../../../../lib/train/prompts/line.js";
import { hide } from "../../../../lib/train/prompts/prose.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";

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

test("kinds in turn: each within its length, the same for a seed, and the first ones the same where there are more", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const tokenizer = await (await openCheckpoint(tiny.folder)).tokenizer();
  const make = (count: number, seed = 1) => [...makePrompts({ tokenizer, documents, count, length: 1600, episodes: 0, kinds: promptKinds, seed })];
  const lines = make(30);
  assert.deepEqual(lines.map(({ kind }) => kind), [...promptKinds, ...promptKinds, ...promptKinds]);
  assert.deepEqual(make(12), lines.slice(0, 12));
  assert.notDeepEqual(make(10, 2), lines.slice(0, 10));
  for (const { kind, prompt, response, plain } of lines) {
    const tokens = tokenizer.encode(prompt).length + tokenizer.encode(response, { addSpecialTokens: false }).length;
    // The test's tokens are bytes: what is around texts weighs more than with a real vocabulary.
    assert.ok(tokens >= 300 && tokens <= 2600, `${kind}: ${tokens} tokens`);
    assert.equal(plain === true, kind === "prose");
    const quoted = (texts: readonly string[]) => texts.forEach((text) => assert.ok(prompt.includes(text), `${kind}: ${text}`));
    if (kind === "records") quoted(response.split(/(?<=\.) (?=[A-Z])/).filter((line) => !/^[A-Z][a-z]+ [A-Z]/.test(line)));
    if (kind === "needles") quoted(response.match(/[0-9a-f-]{3,}/g) ?? []);
    if (kind === "summaries") quoted(response.split("\n").map((line) => line.slice(2)));
    if (kind === "repeat") quoted([response]);
    if (kind === "code") quoted(response.match(/\d{2,}/g) ?? []);
    if (kind === "questions") quoted(response.split("\n").map((line) => line.replace(/^\d\. /, "")));
  }
  // A box holds what the chain of boxes before it says.
  const { prompt, response } = lines.find(({ kind }) => kind === "chains")!;
  const held = new Map([...prompt.matchAll(/Box (\w+) is filled with (\d+) beads/g)].map(([, box, beads]) => [box!, beads!]));
  for (const [, box, other] of prompt.matchAll(/Box (\w+) is filled with as many beads as box (\w+)\./g)) held.set(box!, held.get(other!)!);
  assert.deepEqual(new Map([...response.matchAll(/Box (\w+) holds (\d+) beads/g)].map(([, box, beads]) => [box!, beads!])), held);
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
  assert.throws(() => first({ length: 100, kinds: ["code"] }), /prompt length: 100 \(prompts of several kinds need 256/);
  assert.throws(() => first({ kinds: ["riddles"] }), /prompt kinds: riddles \(known: episode, prose, needles/);
  assert.throws(() => first({ episodes: 2 }), /share of episodes: 2/);
  assert.throws(() => first({ documents: ["Short. Text."], episodes: 0 }), /prose: 12 characters \(too few/);
});
