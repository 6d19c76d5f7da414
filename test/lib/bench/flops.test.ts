import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeFlops, endToEndFlops, prefillFlops } from "../../../lib/methods/plan/flops.js";
import { usual } from "../../../lib/checkpoint/families/family.js";
import type { ModelConfig } from "../../../lib/checkpoint/types.js";
import { presets } from "../../../lib/methods/sdtp.js";
import { schedule } from "../../../lib/methods/plan/stages.js";
import table2 from "../../../lib/report/reference/paper_table2.json" with { type: "json" };

const mistral = shape({ hiddenSize: 4096, layers: 32, heads: 32, kvHeads: 8, headDim: 128, ffnSize: 14336, vocabSize: 32000 });

function shape(fields: Partial<ModelConfig>): ModelConfig {
  return {
    ...usual, attentionScale: 0.5, family: "mistral", hiddenSize: 8, layers: 2, heads: 2, kvHeads: 1, headDim: 4, ffnSize: 16, vocabSize: 32, maxPositions: 512,
    ropeTheta: 10000, ropeScaling: null, normEps: 1e-5, tiedEmbeddings: false, slidingWindow: null, qkvBias: false,
    outputBias: false, mlpBias: false, rotaryDim: 4, qkNorm: null, bosTokenId: null, eosTokenIds: [], ...fields,
  };
}

const off = (actual: number, printed: number) => Math.abs(actual / 1e12 / printed - 1);

test("the paper's counting reproduces its 24 printed TFLOPs", () => {
  assert.equal(table2.rows.length, 6);
  for (const { length: n, baseline, sdtp } of table2.rows) {
    for (const [name, printed, tolerance] of [["baseline", baseline, 0.001], ["sdtp", sdtp, 0.03]] as const) {
      const input = { config: mistral, stages: schedule(presets[name], n, 32), n, counting: "paper" as const, newTokens: 128, kvPolicy: presets[name].kvPolicy };
      assert.ok(off(prefillFlops(input), printed.tflops_prefill) < tolerance, `${name} at ${n}: prefill`);
      assert.ok(off(endToEndFlops(input), printed.tflops_e2e) < tolerance, `${name} at ${n}: end to end`);
      // The difference of two printed figures is good to 0.01 TFLOPs.
      assert.ok(Math.abs(decodeFlops(input) / 1e12 - (printed.tflops_e2e - printed.tflops_prefill)) < 0.05, `${name} at ${n}: decode`);
    }
  }
});

test("the paper's decode figures are those of retained caches, not of evicted ones", () => {
  const n = 131072;
  const { tflops_e2e, tflops_prefill } = table2.rows.find(({ length }) => length === n)!.sdtp;
  const input = { config: mistral, stages: schedule(presets.sdtp, n, 32), n, counting: "paper" as const, newTokens: 128 };
  assert.ok(off(decodeFlops({ ...input, kvPolicy: "retain" }), tflops_e2e - tflops_prefill) < 0.01);
  assert.ok(off(decodeFlops({ ...input, kvPolicy: "evict" }), tflops_e2e - tflops_prefill) > 0.3);
});

test("the exact counting equals the products counted one by one", () => {
  const config = shape({});
  const n = 5;
  let flops = 0;
  const product = (rows: number, inner: number, columns: number) => (flops += 2 * rows * inner * columns);
  for (let block = 0; block < 2; block++) {
    // Of the last block only the last token's hidden state is wanted.
    const first = block === 1 ? n - 1 : 0;
    const m = n - first;
    product(m, 8, 8); // q
    product(n, 8, 4); // k
    product(n, 8, 4); // v
    for (let head = 0; head < 2; head++) {
      for (let query = first; query < n; query++) {
        product(1, 4, query + 1); // scores
        product(1, query + 1, 4); // values
      }
    }
    product(m, 8, 8); // o
    product(m, 8, 16); // gate
    product(m, 8, 16); // up
    product(m, 16, 8); // down
  }
  product(1, 8, 32); // head
  assert.equal(prefillFlops({ config, stages: [], n, counting: "exact" }), flops);
});

test("exact prefill of n + 1 tokens is prefill of n and one decode run, but for the first one's head and last block", () => {
  for (const slidingWindow of [null, 4, 9, 40]) {
    const config = shape({ slidingWindow });
    const input = { config, stages: [], n: 12, counting: "exact" as const, newTokens: 1, kvPolicy: "evict" as const };
    const head = 2 * 32 * 8;
    const lastBlock = 2 * (2 * 8 * 8 + 3 * 8 * 16) + 4 * 8 * Math.min(12, slidingWindow ?? 12);
    assert.equal(endToEndFlops(input) - head - lastBlock, prefillFlops({ ...input, n: 13 }));
  }
});

test("a stage costs its module and saves the blocks behind it", () => {
  const config = shape({ layers: 4 });
  const n = 100;
  const stages = [{ afterLayer: 1, present: 100, keep: 50, head: 4, tail: 16 }];
  const at = (tokens: number, layers: number) => prefillFlops({ config: shape({ layers }), stages: [], n: tokens, counting: "exact" });
  const modules = 100 * 2 * (8 * 2 + 2);
  const pruned = prefillFlops({ config, stages, n, counting: "exact" });
  assert.equal(pruned, at(100, 3) - at(100, 1) + at(50, 2) + modules);
  assert.equal(prefillFlops({ config, stages, n, counting: "exact", modules: false }), pruned - modules);
});

test("a preset with a stage after the last block saves head work in the paper's counting alone", () => {
  const stages = [{ afterLayer: 15, present: 1000, keep: 1000, head: 4, tail: 100 }, { afterLayer: 31, present: 1000, keep: 500, head: 4, tail: 100 }];
  const input = { config: mistral, n: 1000 };
  const saved = (counting: "exact" | "paper") => prefillFlops({ ...input, stages: [], counting, modules: false }) - prefillFlops({ ...input, stages, counting, modules: false });
  assert.equal(saved("paper"), 2 * 32000 * 4096 * 500);
  assert.equal(saved("exact"), 0);
});

test("a stage after the last block that has no scores of one before needs all of that block", () => {
  const stages = [{ afterLayer: 1, present: 100, keep: 50, head: 4, tail: 16 }];
  const at = (layers: number, stagesAfter: typeof stages) => prefillFlops({ config: shape({ layers }), stages: stagesAfter, n: 100, counting: "exact", modules: false });
  const lastTokens = at(1, []) - 2 * 32 * 8;
  assert.equal(at(2, stages), at(2, []) - lastTokens + (at(3, []) - at(2, [])));
});

test("evicted caches make decode cheaper than retained ones", () => {
  const input = { config: mistral, stages: schedule(presets.sdtp, 4096, 32), n: 4096, counting: "exact" as const, newTokens: 128 };
  const [evict, retain] = (["evict", "retain"] as const).map((kvPolicy) => decodeFlops({ ...input, kvPolicy }));
  assert.ok(evict! < retain!);
  assert.ok(retain! < decodeFlops({ ...input, stages: [], kvPolicy: "evict" }));
});

test("of experts those that a token goes to are counted, the router and the shared one", () => {
  const experts = { count: 8, perToken: 2, size: 6, normalised: true, denseLayers: [0], sharedSize: 10, bias: false };
  const input = { stages: [], n: 5, counting: "exact" as const, newTokens: 1, kvPolicy: "retain" as const };
  const dense = decodeFlops({ ...input, config: shape({}) });
  const d = 8;
  // Block 1 of the two: three products of each expert's inner size in the place of the MLP's 16, 8 scores and the shared one's gate.
  assert.equal(decodeFlops({ ...input, config: shape({ experts }) }) - dense, 2 * d * (3 * (2 * 6 + 10 - 16) + 8 + 1));
});
