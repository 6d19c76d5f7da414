// A small checkpoint chooses for a larger one; both of random weights, with one tokenizer.
import assert from "node:assert/strict";
import { writeFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { configurations } from "../../../lib/evaluate/configuration.js";
import { verifyRun } from "../../../lib/inspect/verify.js";
import { methods } from "../../../lib/methods/all.js";
import { schedule } from "../../../lib/methods/plan/stages.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { load } from "../../../lib/runtime/model.js";
import { loadRun } from "../../../lib/runtime/load-run.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { forward } from "../../reference/forward.js";
import { relativeError } from "../inspect/setup.js";
import { average, Pass, pooled } from "./float64.js";

const small = tinyCheckpoint("llama", { seed: 7, config: { num_hidden_layers: 2 } });
const large = tinyCheckpoint("llama", { seed: 8 });
const folders = [small, large];
const model = await load(large.folder, { threads: 1 });
after(async () => {
  await model.release();
  folders.forEach((each) => each.remove());
});
const ids = Array.from({ length: 46 }, (_, i) => (i * 37 + 11) % 250);
const n = ids.length;
const [LOOKAHEAD, KERNEL, CHUNK] = [5, 3, 6];
const preset = { ...methods["specprefill"]!, name: "small", stages: [{ afterBlock: -1, ratio: 0.5 }], speculation: { lookahead: LOOKAHEAD, kernel: KERNEL, chunk: CHUNK } };
const scorer = `speculator:${small.folder}`;

/** What the small model's last token, and those that it goes on with, look at, written out; and those tokens. */
function importance(): { scores: number[]; looking: number } {
  const tokens = [...ids];
  const looked: number[][] = [];
  while (looked.length < LOOKAHEAD) {
    const result = forward(small.config, small.weights, tokens);
    const pass = new Pass(small, result, tokens);
    const all = Array.from({ length: small.config.num_hidden_layers }, (_, layer) => Array.from({ length: pass.heads }, (_, head) => {
      const products = pass.products(pass.queries(layer, head).at(-1)!, pass.vectors(layer, "keys", Math.floor((head * pass.groups) / pass.heads)).slice(0, n));
      const most = Math.max(...products);
      const sum = products.reduce((total, product) => total + Math.exp(product - most), 0);
      return pooled(products.map((product) => Math.exp(product - most) / sum), KERNEL, average);
    })).flat();
    looked.push(ids.map((_, i) => Math.max(...all.map((paid) => paid[i]!))));
    const next = result.logits.indexOf(Math.max(...result.logits));
    if (next === small.config.eos_token_id) break;
    tokens.push(next);
  }
  const mean = ids.map((_, i) => average(looked.map((of) => of[i]!)));
  return { scores: mean.map((_, i) => average(mean.slice(i - (i % CHUNK), i - (i % CHUNK) + CHUNK))), looking: looked.length };
}

test("SpecPrefill: chunks by what a small model's lookahead looks at; the large one sees them alone, at their positions", async () => {
  const run = await model.prefill(ids, { preset, scorer, scores: true });
  const { scores, looking } = importance();
  assert.ok(looking > 1);
  const [stage] = run.stages;
  assert.ok(relativeError(stage!.scores!, scores) < 1e-4);
  // 8 chunks, of which 4 stay: the last, of 4 tokens, and the best 3 before it.
  const best = [0, 1, 2, 3, 4, 5, 6].sort((a, b) => scores[b * CHUNK]! - scores[a * CHUNK]!).slice(0, 3);
  const kept = ids.map((_, i) => i).filter((i) => [...best, 7].includes(Math.floor(i / CHUNK)));
  assert.deepEqual([...stage!.kept], kept);
  assert.deepEqual([run.plan.tokens, run.kv.lengths, run.position], [[22, 22, 22], [22, 22, 22], n]);
  const expected = forward(large.config, large.weights, kept.map((i) => ids[i]!), { positions: kept });
  assert.ok(relativeError(run.logits, [...expected.logits]) < 1e-4);
  const { ok, checks } = await verifyRun(run);
  assert.ok(ok);
  assert.match(checks.find(({ name }) => name === "unpruned")!.text, /keys and values of layer 0 equal the unpruned run's/);
  // It goes on after the whole prompt.
  const logits = await run.extend([9, 8]);
  const further = forward(large.config, large.weights, [...kept.map((i) => ids[i]!), 9, 8], { positions: [...kept, n, n + 1] });
  assert.ok(relativeError(logits.subarray(logits.length / 2), [...further.logits]) < 1e-4);
});

test("SpecPrefill: a saved run keeps its stage; a prompt of one chunk is left whole", async () => {
  const run = await model.prefill(ids, { preset, scorer });
  const file = join(small.folder, "run.safetensors");
  await run.save(file);
  const loaded = await loadRun(file);
  assert.deepEqual([loaded.stages[0]!.afterLayer, [...loaded.stages[0]!.kept]], [-1, [...run.stages[0]!.kept]]);
  assert.ok((await verifyRun(loaded)).ok);
  const short = await model.prefill(ids.slice(0, 5), { preset, scorer });
  assert.deepEqual(short.kv.lengths, [5, 5, 5]);
  assert.ok(relativeError(short.logits, [...forward(large.config, large.weights, ids.slice(0, 5)).logits]) < 1e-4);
});

test("SpecPrefill's counts: chunks rounded up, the last one in any case; amounts after a colon", () => {
  const counted = (text: string, length: number) => schedule(resolveMethod(text), length, 30)[0];
  assert.deepEqual(counted("specprefill", 1000), { afterLayer: -1, present: 1000, keep: 3 * 32 + 8, head: 0, tail: 8 });
  assert.deepEqual(counted("specprefill:0.5", 1024), { afterLayer: -1, present: 1024, keep: 512, head: 0, tail: 32 });
  assert.deepEqual(counted("specprefill:100", 1024), { afterLayer: -1, present: 1024, keep: 128, head: 0, tail: 32 });
  assert.equal(counted("specprefill:4096", 1000)!.keep, 1000);
  const [whole, pruned] = [model.plan(n), model.plan(n, { preset })];
  assert.ok(pruned.flops.exact < 0.6 * whole.flops.exact && pruned.kvBytes === (22 / 46) * whole.kvBytes);
  assert.ok(model.memory(n, { preset }).total < model.memory(n).total);
});

test("SpecPrefill is refused, by name, where another tokenizer, model or scorer does not do", async (t) => {
  const other = tinyCheckpoint("llama", { seed: 9 });
  const sliding = tinyCheckpoint("mistral", { seed: 9 });
  const bloom = await load(tinyFolder("bloom"), { threads: 1 });
  t.after(async () => {
    await bloom.release();
    for (const each of [other, sliding]) each.remove();
  });
  function tinyFolder(variant: "bloom"): string {
    const made = tinyCheckpoint(variant);
    folders.push(made);
    return made.folder;
  }
  const file = join(other.folder, "tokenizer.json");
  const definition = JSON.parse(readFileSync(file, "utf8")) as { model: { vocab: Record<string, number> } };
  const { vocab } = definition.model;
  const [first, second] = Object.keys(vocab).filter((token) => vocab[token]! >= 200 && vocab[token]! < 202);
  [vocab[first!], vocab[second!]] = [vocab[second!]!, vocab[first!]!];
  writeFileSync(file, JSON.stringify(definition));
  await assert.rejects(model.prefill(ids, { preset, scorer: `speculator:${other.folder}` }), /speculator: .*llama.* \(has another tokenizer than .*: token 20[01] is ".*" there and ".*" here\)/);
  await assert.rejects(model.prefill(ids, { preset, scorer: `speculator:${sliding.folder}` }), /speculator: .* \(its attention has a sliding window: must see all of the prompt alike\)/);
  await assert.rejects(model.prefill(ids, { preset }), /preset small: scorer none \(another model chooses: must be speculator:MODEL/);
  await assert.rejects(model.prefill(ids, { preset: "keep07", scorer }), /preset keep07: scorer speculator \(chooses before the first block/);
  await assert.rejects(model.prefill(ids, { preset, scorer, capture: ["embedding"] }), /preset small: capture \(another model chooses/);
  await assert.rejects(bloom.prefill(ids, { preset, scorer }), /preset small: .*must be rotary, without a sliding window/);
  assert.throws(() => resolveMethod({ ...preset, speculation: { lookahead: 8, kernel: 4, chunk: 32 } }), /speculation\.kernel: 4 \(must be odd/);
  assert.throws(() => resolveMethod("specprefill+snapkv"), /preset specprefill\+snapkv/);
});

test("configurations: speculators go with SpecPrefill alone", () => {
  const scorers = ["norm", "speculator:a"];
  assert.deepEqual(configurations({ presets: ["specprefill", "keep07"], scorers }).map(({ preset: { name }, scorer: with_ }) => [name, with_]), [["baseline", null], ["specprefill", "speculator:a"], ["keep07", "norm"]]);
  assert.throws(() => configurations({ presets: ["specprefill"], scorers: ["norm"] }), /preset specprefill: scorer norm \(another model chooses: give speculator:MODEL too\)/);
});
