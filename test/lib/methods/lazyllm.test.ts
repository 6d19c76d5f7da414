// LazyLLM against a float64 pass written for it: no sections, no Aux Cache, no masks; of every block it remembers what tokens came out as, and computes who is wanted and was not there yet.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { verifyRun } from "../../../lib/inspect/verify.js";
import { methods } from "../../../lib/methods/all.js";
import { countedDecodeFlops, decodeFlops } from "../../../lib/methods/plan/flops.js";
import { planTokens } from "../../../lib/methods/plan/plan.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { loadRun } from "../../../lib/runtime/load-run.js";
import { load } from "../../../lib/runtime/model.js";
import type { ReturningSource } from "../../../lib/runtime/returning/sections.js";
import type { AuxCache } from "../../../lib/runtime/returning/aux-cache.js";
import type { Run } from "../../../lib/runtime/run.js";
import { architecture, type Architecture } from "../../reference/architectures.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { headDimOf, kvHeadsOf, layersOf, type HfConfig } from "../../reference/config.js";
import { dot, softmax, type Vector, type Weights } from "../../reference/operations.js";
import { relativeError } from "../inspect/setup.js";
import { average, best } from "./float64.js";
import { model, n, prompt, tiny } from "./plain-pass.js";

interface Cached { readonly keys: readonly Vector[]; readonly values: readonly Vector[] }

/** LazyLLM as the paper has it, a block and a token at a time. */
class Lazy {
  readonly cached: Map<number, Cached>[];
  /** What each token came out of each block as. */
  private readonly came: Map<number, Vector>[];
  private readonly ids: number[] = [];
  private readonly net: Architecture;

  constructor(private readonly config: HfConfig, weights: Weights, private readonly ratios: ReadonlyMap<number, number>) {
    this.net = architecture(config, weights);
    this.cached = Array.from({ length: layersOf(config) }, () => new Map());
    this.came = Array.from({ length: layersOf(config) }, () => new Map());
  }

  /** @returns logits after the last of `ids`, what each stage kept, and how many tokens each block computed */
  step(ids: readonly number[]): { logits: Vector; kept: number[][]; computed: number[] } {
    this.ids.push(...ids);
    const heads = this.config.num_attention_heads;
    const sharing = heads / kvHeadsOf(this.config);
    let wanted = [...this.ids.keys()];
    const kept: number[][] = [];
    const computed = this.cached.map((cached, layer) => {
      const fresh = wanted.filter((position) => !cached.has(position));
      const inputs = new Map(fresh.map((position) => [position, layer === 0 ? this.net.embed(this.ids[position]!, position) : this.came[layer - 1]!.get(position)!]));
      const projected = new Map(fresh.map((position) => [position, this.net.project(layer, inputs.get(position)!, position)]));
      for (const [position, { keys, values }] of projected) cached.set(position, { keys, values });
      const looks = (position: number, head: number) => {
        const seen = wanted.filter((other) => other <= position);
        return { seen, paid: softmax(seen.map((other) => this.net.score(dot(projected.get(position)!.queries[head]!, cached.get(other)!.keys[Math.floor(head / sharing)]!), head, other))) };
      };
      for (const position of fresh) {
        const mixed = Array.from({ length: heads }, (_, head) => {
          const { seen, paid } = looks(position, head);
          return Array.from({ length: headDimOf(this.config) }, (_, f) => seen.reduce((sum, other, i) => sum + paid[i]! * cached.get(other)!.values[Math.floor(head / sharing)]![f]!, 0));
        });
        this.came[layer]!.set(position, this.net.finish(layer, inputs.get(position)!, Float64Array.from(mixed.flat())));
      }
      const ratio = this.ratios.get(layer);
      if (ratio !== undefined) {
        const all = Array.from({ length: heads }, (_, head) => looks(this.ids.length - 1, head).paid);
        const scores = wanted.map((_, i) => average(all.map((paid) => paid[i]!)));
        wanted = best(scores, Math.max(1, Math.floor(ratio * wanted.length)), 0, 1).map((i) => wanted[i]!);
        kept.push(wanted);
      }
      return fresh.length;
    });
    return { logits: this.net.logits(this.came.at(-1)!.get(this.ids.length - 1)!), kept, computed };
  }

  positions(layer: number): number[] {
    return [...this.cached[layer]!.keys()].sort((a, b) => a - b);
  }
}

const stages = [{ afterBlock: 0, ratio: 0.7 }, { afterBlock: 1, ratio: 0.6 }];
const small = resolveMethod({ ...methods["lazyllm"]!, name: "small", baseDepth: 3, stages });
const answer = [7, 91, 33, 5, 120, 7, 44, 201];

/** Caches and what may return, as the reference has them. @param after blocks that stages stand after */
function same(run: Run, lazy: Lazy, { config } = tiny, after = [0, 1]): void {
  const { groups, h } = { groups: kvHeadsOf(config), h: headDimOf(config) };
  for (let layer = 0; layer < layersOf(config); layer++) {
    const held = lazy.positions(layer);
    assert.deepEqual([...run.kv.layer(layer).positions], held, `layer ${layer}`);
    for (let g = 0; g < groups; g++) {
      for (const part of ["key", "value"] as const) assert.ok(relativeError(run.kv.layer(layer)[part](g), held.flatMap((position) => [...lazy.cached[layer]!.get(position)![`${part}s`][g]!])) < 1e-4, `layer ${layer}, ${part}s of head ${g}`);
    }
    assert.equal(run.kv.layer(layer).bytes, held.length * groups * h * 2 * 4);
  }
  const missing = after.map((layer) => lazy.positions(layer).filter((position) => !lazy.cached[layer + 1]!.has(position)));
  assert.deepEqual(run.auxPositions!.map((positions) => [...positions]), missing);
  assert.equal(run.auxBytes, missing.flat().length * run.model!.config.hiddenSize * 4);
}

test("LazyLLM where what returns is computed a part after the other, and where a step fails", async () => {
  const [run, parted] = [await model.prefill(prompt, { preset: small }), await model.prefill(prompt, { preset: small })];
  const { returning } = parted as unknown as { returning: { scoreBytes: number; source: ReturningSource } };
  returning.scoreBytes = 1;
  for (const id of answer) assert.ok(relativeError(await parted.extend([id]), await run.extend([id])) < 1e-5);
  assert.deepEqual([parted.kv.lengths, parted.stepCounts!.tokens], [run.kv.lengths, run.stepCounts!.tokens]);
  const before = await model.prefill(prompt, { preset: small });
  const { returning: failing } = before as unknown as { returning: { source: ReturningSource } };
  const { source } = failing;
  let calls = 0;
  failing.source = { ...source, use: (graph, work) => (++calls === 3 ? Promise.reject(new Error("out of order")) : source.use(graph, work)) };
  await assert.rejects(before.extend([7]), /out of order/);
  assert.deepEqual([before.kv.lengths, before.position, before.stepCounts!.steps, before.auxPositions!.map(({ length }) => length)], [[48, 33, 19], n, 0, [15, 14]]);
  const fresh = await model.prefill(prompt, { preset: small });
  assert.deepEqual([...await before.extend([7])], [...await fresh.extend([7])]);
});

test("LazyLLM where sections have several blocks, in other families: learned positions, norms of heads, one head of keys", async () => {
  for (const [variant, config] of [["gpt2", { n_layer: 6 }], ["qwen3-tied", { num_hidden_layers: 6 }]] as const) {
    const other = tinyCheckpoint(variant, { config });
    const loaded = await load(other.folder, { threads: 1 });
    const lazy = new Lazy(other.config, other.weights, new Map([[1, 0.6], [3, 0.6]]));
    const first = lazy.step(prompt);
    const run = await loaded.prefill(prompt, { preset: { ...small, name: "six", baseDepth: 6, stages: [{ afterBlock: 1, ratio: 0.6 }, { afterBlock: 3, ratio: 0.6 }] }, scores: true });
    assert.deepEqual(run.stages.map(({ kept }) => [...kept]), first.kept, variant);
    for (const id of answer) assert.ok(relativeError(await run.extend([id]), lazy.step([id]).logits) < 1e-4, variant);
    same(run, lazy, other, [1, 3]);
    assert.ok((await verifyRun(run)).ok);
    assert.ok(run.stepCounts!.tokens[2]! > answer.length && run.stepCounts!.tokens[5]! > answer.length, `${variant}: ${run.stepCounts!.tokens.join()}`);
    await loaded.release();
    other.remove();
  }
});

test("LazyLLM: tokens kept by block, choices of every decoding step, what returns and logits are those of a float64 pass", async () => {
  const lazy = new Lazy(tiny.config, tiny.weights, new Map([[0, 0.7], [1, 0.6]]));
  const first = lazy.step(prompt);
  const run = await model.prefill(prompt, { preset: small, scores: true });
  assert.deepEqual(run.stages.map(({ kept }) => [...kept]), first.kept);
  assert.ok(relativeError(run.logits, first.logits) < 1e-4);
  assert.deepEqual([run.kv.lengths, run.plan.tokens, first.computed], [[48, 33, 19], [48, 33, 19], [48, 33, 19]]);
  assert.equal(model.plan(n, { preset: small }).auxBytes, run.auxBytes);
  assert.equal(model.plan(n, { preset: small }).kvBytes, run.kv.bytes);
  same(run, lazy);
  assert.ok((await verifyRun(run)).ok);
  const [whole, fork] = [run.fork(), run.fork()];
  const computed = [0, 0, 0];
  const logits: number[][] = [];
  for (const id of answer) {
    const expected = lazy.step([id]);
    expected.computed.forEach((count, layer) => (computed[layer]! += count));
    assert.ok(relativeError(await run.extend([id]), expected.logits) < 1e-4);
    assert.ok(relativeError(run.logits, expected.logits) < 1e-4);
    logits.push([...expected.logits]);
    same(run, lazy);
  }
  // The test sees tokens return in both blocks that they can be missing from.
  assert.ok(computed[0] === answer.length && computed[1]! > answer.length && computed[2]! > answer.length, computed.join());
  assert.deepEqual([run.stepCounts!.steps, run.stepCounts!.tokens], [answer.length, computed]);
  assert.ok((await verifyRun(run)).ok);
  // Several tokens at once are as many steps, and forks know nothing of each other.
  assert.ok(relativeError(await whole.extend(answer), logits.flat()) < 1e-4);
  same(whole, lazy);
  assert.deepEqual([fork.kv.lengths, fork.stepCounts!.steps], [[48, 33, 19], 0]);
  assert.deepEqual([...await fork.extend(answer.slice(0, 1))], [...await (await model.prefill(prompt, { preset: small })).extend(answer.slice(0, 1))]);
});

test("LazyLLM that keeps all is the model without pruning, and every step's integers are those of a prompt as long", async () => {
  const all = await model.prefill(prompt, { preset: { ...small, name: "all", stages: stages.map(({ afterBlock }) => ({ afterBlock, ratio: 1 })) } });
  const plain = await model.prefill(prompt);
  assert.ok(relativeError(await all.extend(answer), await plain.extend(answer)) < 1e-5);
  assert.deepEqual([all.kv.lengths, all.auxBytes, all.stepCounts!.tokens], [plain.kv.lengths, 0, [8, 8, 8]]);
  // What such a run counted is what is known beforehand of one without pruning; what returns costs more.
  const { config } = model;
  for (const counting of ["exact", "paper"] as const) {
    const beforehand = decodeFlops({ config, counting, stages: [], n, newTokens: answer.length });
    assert.equal(countedDecodeFlops({ config, counting, ...all.stepCounts! }), beforehand);
  }
  const back = await model.prefill(prompt, { preset: small });
  await back.extend(answer.slice(0, 1));
  const { steps, tokens, pairs } = back.stepCounts!;
  assert.deepEqual([steps, pairs], [1, [48, 33, 19].map((held, layer) => tokens[layer]! * (held + tokens[layer]!))]);
  assert.deepEqual(planTokens(small, n + 1, 3).stages.map(({ keep }) => keep), [34, 20]);
});

test("a run whose tokens return is verified by what its layers and its Aux Cache hold, and looked at from a file", async () => {
  const run = await model.prefill(prompt, { preset: small, scores: true });
  await run.extend(answer);
  const folder = mkdtempSync(join(tmpdir(), "sdtp-lazyllm-"));
  const file = join(folder, "run.safetensors");
  await run.save(file);
  const saved = await loadRun(file);
  assert.deepEqual([saved.kv.lengths, saved.auxPositions, saved.preset.revives], [run.kv.lengths, null, true]);
  assert.ok((await verifyRun(saved)).ok);
  rmSync(folder, { recursive: true });
  const fresh = await model.prefill(prompt, { preset: small, scores: true });
  (fresh as unknown as { returning: { aux: AuxCache[] } }).returning.aux[1]!.forget(fresh.auxPositions![1]![0]!);
  await assert.rejects(verifyRun(fresh), /stage 1: 13 tokens may return \(must be the 14 that layer 1 holds and layer 2 does not\)/);
});

test("LazyLLM in narrow caches goes on near to where wide ones go", async () => {
  for (const kvDtype of ["fp16", "int8"] as const) {
    const narrow = await load(tiny.folder, { threads: 1, kvDtype });
    const run = await narrow.prefill(prompt, { preset: small, scores: true });
    const wide = await model.prefill(prompt, { preset: small });
    const [a, b] = [await run.extend([7]), await wide.extend([7])];
    assert.ok(relativeError(a, b) < (kvDtype === "fp16" ? 5e-3 : 0.1), `${kvDtype}: ${relativeError(a, b)}`);
    await run.extend(answer);
    assert.ok((await verifyRun(run)).ok);
    await narrow.release();
  }
});

test("LazyLLM says in a sentence where it does not work", async () => {
  const run = await model.prefill(prompt, { preset: small });
  await assert.rejects(run.observe([7]), /observe: attention by layer is not to be had where tokens return/);
  assert.equal(run.joint, null);
  assert.throws(() => model.rewound(run, n, { room: 8 }), /an earlier point \(tokens have returned/);
  await assert.rejects(model.prefill(prompt, { preset: "lazyllm", kvPolicy: "evict" }), /preset lazyllm: KV policy evict/);
  await assert.rejects(model.prefill(prompt, { preset: "lazyllm", scorer: "recency" }), /preset lazyllm: scorer recency \(its decoding steps choose as the prompt did: must be last-attention\)/);
  assert.throws(() => resolveMethod("lazyllm+h2o"), /revives: true \(needs stages/);
  assert.throws(() => resolveMethod({ ...small, forced: { head: 0, tail: 0, tailShare: 0.5 } }), /a forced tail of 1 or more/);
  assert.deepEqual(resolveMethod("lazyllm:0.5").stages.map(({ ratio }) => ratio), [0.5, 0.5, 0.5]);
  for (const [kind, sentence] of [["mistral", /a sliding window/], ["bloom", /ALiBi/]] as const) {
    const other = tinyCheckpoint(kind);
    const loaded = await load(other.folder, { threads: 1 });
    await assert.rejects(loaded.prefill(prompt, { preset: "lazyllm" }), sentence);
    await loaded.release();
    other.remove();
  }
  const apart = await load(tiny.folder, { threads: 1, worker: true });
  await assert.rejects(apart.prefill(prompt, { preset: "lazyllm" }), /--device cpu, and no worker/);
  await apart.release();
});
