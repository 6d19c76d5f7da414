// Positions that KVzip leaves each head of SmolLM2-135M-Instruct, against kvpress 0.5.5 (test/reference/kvpress/kvzip.py): two prompts in chat form, repeated whole and
// in parts, three budgets. kvpress masks what it drops, here it is gone. As in kvpress.real.test.ts, tokens whose scores are equal to rounding may be others.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { packageRoot } from "../../../lib/checkpoint/index.js";
import { kvzip } from "../../../lib/methods/kvzip.js";
import { resolveMethod } from "../../../lib/methods/resolve.js";
import { load, type Model } from "../../../lib/runtime/model.js";
import { smollm2 } from "./smollm2.js";

interface Reference {
  readonly ids: string;
  readonly results: readonly { readonly length: number; readonly chunk: number; readonly before: number; readonly kept: number; readonly layers: readonly (readonly string[])[] }[];
}

const found = await smollm2();
const file = join(packageRoot(), "test", "reference", "kvpress", "kvzip.json");
const skip = "missing" in found ? found.missing : existsSync(file) ? false : `${file} is not there`;

/** Scores are shares of attention: closer than this is as good as equal, beside the score at which tokens fall. */
const CLOSE = 2e-3;

describe("SmolLM2-135M-Instruct keeps what kvpress's KVzip keeps", { skip }, () => {
  const reference = skip ? { ids: "", results: [] } : (JSON.parse(readFileSync(file, "utf8")) as Reference);
  let model: Model;
  let ids: number[];

  before(async () => {
    // Weights as they are, activations in float32: as there.
    model = await load("file" in found ? found.file : "", { dtype: "fp32", accuracy: "float32", threads: 2 });
    const tokenizer = await model.tokenizer();
    const template = await model.checkpoint.chatTemplate();
    const [front] = template.render([{ role: "user", content: "X" }]).split("X");
    const text = readFileSync(join(packageRoot(), "lib", "bench", "prompts", "held-out.txt"), "utf8").slice(0, 20000);
    const started = tokenizer.encode(front!, { addSpecialTokens: false });
    ids = [...started, ...tokenizer.encode(text, { addSpecialTokens: false }).slice(0, 600)];
    assert.equal(started.length, reference.results[0]!.before);
  });
  after(() => model.release());

  test("the same prompts", () => {
    assert.equal(createHash("sha256").update(JSON.stringify(ids)).digest("hex"), reference.ids);
    assert.equal(reference.results.length, 6);
  });

  for (const { length, chunk, kept: share, layers } of reference.results) {
    test(`${length} tokens in parts of ${chunk}, ${100 * share} %`, async (t) => {
      const preset = resolveMethod({ ...kvzip, name: "theirs", cache: { ...kvzip.cache!, amount: { ratio: share }, scoring: { kind: "reconstruction", chunk, sinks: 4 } } });
      const run = await model.prefill(ids.slice(0, length), { preset, scores: true });
      let [tokens, others, low, high] = [0, 0, Infinity, -Infinity];
      layers.forEach((heads, layer) => heads.forEach((bits, head) => {
        const bytes = Buffer.from(bits, "base64");
        const { kept, scores } = run.selections![layer]!;
        const ours = new Set(kept[head]!);
        for (let at = 0; at < length; at++) {
          const theirs = Boolean((bytes[at >> 3]! >> (at & 7)) & 1);
          tokens += Number(theirs);
          if (theirs === ours.has(at)) continue;
          const score = scores![head * length + at]!;
          assert.ok(at >= 4, `layer ${layer}, head ${head}: a first token`);
          if (theirs) high = Math.max(high, score);
          else {
            others++;
            low = Math.min(low, score);
          }
        }
      }));
      const held = run.kv.layers.reduce((sum, layer) => sum + Array.from({ length: 3 }, (_, head) => layer.headPositions(head).length).reduce((a, b) => a + b, 0), 0);
      assert.equal(held, tokens);
      t.diagnostic(`${others} of ${tokens} tokens are others${others > 0 ? `, of scores from ${low} to ${high}` : ""}`);
      assert.ok(others === 0 || Math.abs(high - low) <= CLOSE * low, `${low} kept, ${high} dropped`);
      assert.ok(others <= 0.002 * tokens, `${others} of ${tokens} tokens are others`);
    });
  }
});
