import assert from "node:assert/strict";
import { test } from "node:test";
import { normalNumbers, tinyCheckpoint } from "./checkpoints.js";
import type { HfConfig } from "./config.js";
import { decode, evict, forward, type LayerCache, type Pruning, select } from "./forward.js";
import { rmsNorm, silu } from "./operations.js";
import { type Variant, variants } from "./variants.js";

const ids = [5, 250, 31, 7, 7, 199, 64, 3, 120, 88, 41, 17, 230, 9];
const names = Object.keys(variants) as Variant[];

function tiny(t: { after(fn: () => void): void }, variant: Variant, config: Partial<HfConfig> = {}) {
  const checkpoint = tinyCheckpoint(variant, { config });
  t.after(() => checkpoint.remove());
  return checkpoint;
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-10, label = "") {
  assert.equal(actual.length, expected.length, label);
  for (let i = 0; i < actual.length; i++) {
    assert.ok(Math.abs(actual[i]! - expected[i]!) <= tolerance, `${label} [${i}]: ${actual[i]} and ${expected[i]}`);
  }
}

const differs = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).some((value, i) => Math.abs(value - b[i]!) > 1e-6);

test("attention with zero queries is the mean of the values in view, a kv head shared by its group", (t) => {
  const { config, weights } = tiny(t, "mistral", { num_hidden_layers: 1, num_key_value_heads: 2, sliding_window: 3 });
  weights.get("model.layers.0.self_attn.q_proj.weight")!.fill(0);
  weights.get("model.layers.0.mlp.down_proj.weight")!.fill(0);
  const output = weights.get("model.layers.0.self_attn.o_proj.weight")!;
  for (let r = 0; r < 32; r++) for (let c = 0; c < 32; c++) output[r * 32 + c] = r === c ? 1 : 0;

  const { hidden, caches } = forward(config, weights, ids);
  const embedding = weights.get("model.embed_tokens.weight")!;
  for (const [token, from] of [[0, 0], [1, 0], [2, 0], [3, 1], [9, 7]] as const) {
    for (let feature = 0; feature < 32; feature++) {
      const kvHead = Math.floor(feature / 16); // heads 0, 1 -> kv head 0; heads 2, 3 -> kv head 1
      let mean = 0;
      for (let j = from; j <= token; j++) mean += caches[0]!.values[(kvHead * ids.length + j) * 8 + (feature % 8)]! / (token - from + 1);
      assertClose([hidden[0]![token]![feature]!], [embedding[ids[token]! * 32 + feature]! + mean]);
    }
  }
});

test("with attention switched off a block is x + down(silu(gate n) * up n), n the normed x", (t) => {
  const { config, weights } = tiny(t, "llama-linear-biases", { num_hidden_layers: 1 });
  weights.get("model.layers.0.self_attn.o_proj.weight")!.fill(0);
  weights.get("model.layers.0.self_attn.o_proj.bias")!.fill(0);
  const part = (name: string) => weights.get(`model.layers.0.mlp.${name}`)!;
  const x = weights.get("model.embed_tokens.weight")!.slice(ids[2]! * 32, ids[2]! * 32 + 32);
  const n = rmsNorm(x, weights.get("model.layers.0.post_attention_layernorm.weight")!, 1e-5);
  const row = (name: string, o: number) => n.reduce((sum, value, i) => sum + value * part(`${name}.weight`)[o * 32 + i]!, part(`${name}.bias`)[o]!);
  const expected = x.map((value, o) => {
    let sum = value + part("down_proj.bias")[o]!;
    for (let f = 0; f < 48; f++) sum += part("down_proj.weight")[o * 48 + f]! * silu(row("gate_proj", f)) * row("up_proj", f);
    return sum;
  });
  assertClose(forward(config, weights, ids).hidden[0]![2]!, expected);
});

test("rmsNorm gives mean square 1", () => {
  const y = rmsNorm(Float64Array.of(3, -4, 12), [1, 1, 1], 0);
  assertClose([y.reduce((sum, value) => sum + value * value, 0) / 3], [1]);
});

test("every weight of every variant matters", (t) => {
  for (const variant of names) {
    const { config, weights } = tiny(t, variant, { num_hidden_layers: 1, ...("n_layer" in variants[variant] && { n_layer: 1 }) });
    const before = forward(config, weights, ids).logits;
    for (const [name, values] of weights) {
      // A constant added to all keys of a head changes no softmax without rotation; one entry changes it with rotation.
      const index = /embed_tokens|wte|word_embeddings\.weight/.test(name) ? ids.at(-1)! * config.hidden_size : name.includes("wpe") ? (ids.length - 1) * config.hidden_size : 0;
      const value = values[index]!;
      values[index] = value + 0.5;
      assert.ok(differs(forward(config, weights, ids).logits, before), `${variant}: ${name}`);
      values[index] = value;
    }
  }
});

test("a later token changes nothing before it", (t) => {
  for (const variant of names) {
    const { config, weights } = tiny(t, variant);
    const changed = [...ids.slice(0, -1), 100];
    const [a, b] = [ids, changed].map((sequence) => forward(config, weights, sequence, { allLogits: true }).allLogits!);
    assert.deepEqual(a!.slice(0, -1), b!.slice(0, -1), variant);
    assert.ok(differs(a!.at(-1)!, b!.at(-1)!), variant);
  }
});

test("the sliding window ends exactly window - 1 tokens back", (t) => {
  const { config, weights } = tiny(t, "mistral", { num_hidden_layers: 1, sliding_window: 5 });
  const last = (sequence: number[]) => forward(config, weights, sequence).logits;
  const change = (index: number) => ids.map((id, i) => (i === index ? 100 : id));
  const end = ids.length - 1;
  assert.deepEqual(last(change(end - 5)), last(ids));
  assert.ok(differs(last(change(end - 4)), last(ids)));
  const unlimited = forward({ ...config, sliding_window: null }, weights, ids).logits;
  assert.ok(differs(unlimited, last(ids)));
});

test("qwen2's window counts only where it is switched on", (t) => {
  const { config, weights } = tiny(t, "qwen2", { sliding_window: 4 });
  const off = forward(config, weights, ids).logits;
  assert.deepEqual(off, forward({ ...config, sliding_window: null }, weights, ids).logits);
  assert.ok(differs(off, forward({ ...config, use_sliding_window: true }, weights, ids).logits));
});

test("the window counts original positions, not tokens that are left", (t) => {
  const { config, weights } = tiny(t, "mistral", { num_hidden_layers: 1, sliding_window: 5 });
  const spread = forward(config, weights, [5, 250, 31], { positions: [0, 3, 20] });
  const alone = forward(config, weights, [31], { positions: [20] });
  assertClose(spread.logits, alone.logits);
});

test("decoding from the caches equals the full pass", (t) => {
  for (const variant of names) {
    const { config, weights } = tiny(t, variant);
    const full = forward(config, weights, ids, { allLogits: true });
    const prefill = forward(config, weights, ids.slice(0, 9));
    let caches: LayerCache[] = prefill.caches;
    for (let position = 9; position < ids.length; position++) {
      const step = decode(config, weights, [ids[position]!], [position], caches);
      assertClose(step.logits, full.allLogits![position]!, 1e-10, variant);
      caches = step.caches;
    }
    caches.forEach((cache, layer) => {
      assertClose(cache.keys, full.caches[layer]!.keys, 1e-10);
      assert.deepEqual(cache.positions, [...ids.keys()]);
    });
  }
});

test("shifting all positions changes nothing: rotary is relative", (t) => {
  const { config, weights } = tiny(t, "llama-llama3");
  const shifted = forward(config, weights, ids, { positions: ids.map((_, i) => i + 100) });
  assertClose(shifted.logits, forward(config, weights, ids).logits, 1e-9);
});

const normal = normalNumbers(3);
const fixed = ids.map(() => normal());
const byPosition: Pruning["score"] = (_, positions) => positions.map((position) => fixed[position]!);

test("a stage keeps the forced tokens and the best of the others, in order", () => {
  assert.deepEqual(select([0, 5, 9, 1, 9, 9, 2, 0], { keep: 5, head: 1, tail: 2 }), [0, 2, 4, 6, 7]);
  assert.deepEqual(select([3, 1, 2], { keep: 3, head: 1, tail: 1 }), [0, 1, 2]);
});

test("pruned tokens are gone from every later block and only from those", (t) => {
  for (const variant of names) {
    const { config, weights } = tiny(t, variant);
    const prune: Pruning = { stages: [{ afterLayer: 0, keep: 10, head: 2, tail: 3 }, { afterLayer: 1, keep: 7, head: 2, tail: 3 }], score: byPosition };
    const plain = forward(config, weights, ids);
    const pruned = forward(config, weights, ids, { prune });
    assert.deepEqual(pruned.hidden.map((xs) => xs.length), [14, 10, 7]);
    assert.deepEqual(pruned.caches.map(({ positions }) => positions), [[...ids.keys()], pruned.kept[0], pruned.kept[1]]);
    assert.deepEqual(pruned.scores.map((scores) => scores.length), [14, 10]);
    assert.deepEqual(pruned.positions, pruned.kept[1]);
    assert.deepEqual(pruned.hidden[0], plain.hidden[0]);
    assert.ok(differs(pruned.logits, plain.logits));

    // What happens to a dropped token's hidden state no longer matters; a kept one's does.
    const disturbed = (position: number) =>
      forward(config, weights, ids, { prune, edit: (xs, layer, positions) => (layer === 0 ? xs.map((x, i) => (positions[i] === position ? x.map((value) => -value) : x)) : xs) });
    const dropped = [...ids.keys()].find((position) => !pruned.kept[0]!.includes(position))!;
    assert.deepEqual(disturbed(dropped).logits, pruned.logits);
    assert.ok(differs(disturbed(pruned.kept[1]![4]!).logits, pruned.logits));
  }
});

test("a stage that keeps all tokens, or that follows the last block, leaves the logits alone", (t) => {
  const { config, weights } = tiny(t, "qwen3");
  const plain = forward(config, weights, ids).logits;
  const run = (afterLayer: number, keep: number) => forward(config, weights, ids, { prune: { stages: [{ afterLayer, keep, head: 4, tail: 4 }], score: byPosition } });
  assert.deepEqual(run(1, ids.length).logits, plain);
  const last = run(2, 9);
  assert.deepEqual(last.logits, plain);
  assert.equal(last.kept[0]!.length, 9);
});

test("evicting from a cache equals never having let the token in", (t) => {
  // In block 0 keys and values depend on their own token alone, so the evicted cache is that of the kept tokens.
  const { config, weights } = tiny(t, "llama", { num_hidden_layers: 1 });
  const kept = [0, 1, 4, 9, 13];
  const full = forward(config, weights, ids);
  const evicted = evict(full.caches[0]!, kept, 8);
  const alone = forward(config, weights, kept.map((position) => ids[position]!), { positions: kept });
  assertClose(evicted.keys, alone.caches[0]!.keys);
  assertClose(evicted.values, alone.caches[0]!.values);
  assert.deepEqual(evicted.positions, kept);
  assertClose(decode(config, weights, [77], [14], [evicted]).logits, decode(config, weights, [77], [14], alone.caches).logits);
});

test("a missing tensor is named", (t) => {
  const { config, weights } = tiny(t, "llama");
  weights.delete("lm_head.weight");
  assert.throws(() => forward(config, weights, ids), /weights: lm_head\.weight is missing/);
});
