// Decoding over caches that the graph grows where they lie, against the graph that returns new keys and values: the same logits and caches.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openCheckpoint } from "../../../lib/checkpoint/open.js";
import { decodesInPlace } from "../../../lib/decoder/decode-in-place.js";
import { hostHome, type Home } from "../../../lib/runtime/home.js";
import { Model } from "../../../lib/runtime/model.js";
import type { PrefillSettings } from "../../../lib/runtime/settings.js";
import { tinyCheckpoint } from "../../reference/checkpoints.js";
import { checkpointOf } from "../../reference/transformers/cases.js";
import type { Variant } from "../../reference/variants.js";
import { relativeError } from "../relative-error.js";

/** The home of this process, decoding in place or never, and the inputs of the decode graphs that it loads. */
function watched(inPlace: boolean): { home: Home; inputs: string[][] } {
  const [host, inputs]: [Home, string[][]] = [hostHome(), []];
  return {
    inputs,
    home: {
      ...host,
      decode: (config, step) => host.decode(config, { ...step, inPlace }),
      async load(g, settings) {
        const graph = await host.load(g, settings);
        if (graph.inputNames.includes("past_key.0") || graph.inputNames.includes("past_key.0.0")) inputs.push([...graph.inputNames]);
        return graph;
      },
    },
  };
}

const prompts: readonly { n: number; settings: PrefillSettings }[] = [
  { n: 60, settings: { reserve: 0 } },
  { n: 1, settings: {} },
  { n: 33, settings: { preset: "keep07", scorer: "norm" } },
  { n: 40, settings: { preset: "sdtp", scorer: "norm", kvPolicy: "retain" } },
  { n: 50, settings: { preset: "knorm:16" } },
  { n: 48, settings: { preset: "adakv:0.5" } },
];

/** A window in some layers, another factor of scores, norms of queries and keys, biases. */
const others = ["gpt_oss", "granite", "olmo2", "gpt_neox"];

for (const name of ["llama", "llama-tied", "qwen3-tied", "gemma", "mistral-unlimited", ...others]) {
  test(`${name}: logits and caches are the same, of one token and of several, over caches of all kinds`, async (t) => {
    const tiny = others.includes(name) ? checkpointOf(name) : tinyCheckpoint(name as Variant);
    t.after(() => tiny.remove());
    const checkpoint = await openCheckpoint(tiny.folder, {});
    const [there, back] = [watched(true), watched(false)];
    const [inPlace, returning] = [new Model(checkpoint, { threads: 1 }, there.home), new Model(checkpoint, { threads: 1 }, back.home)];
    t.after(async () => { await inPlace.release(); await returning.release(); });
    const windowed = checkpoint.config.slidingWindow !== null;
    for (const { n, settings } of prompts) {
      // Budgets of caches do not go with a window.
      if (windowed && /:/.test(String(settings.preset))) continue;
      const ids = Array.from({ length: n }, (_, i) => (i * 37 + 11 * (i % 7)) % 48);
      const [a, b] = [await inPlace.prefill(ids, settings), await returning.prefill(ids, settings)];
      for (const tokens of [[3], [5], [7, 8, 9], [11], [1, 2, 3, 4, 5, 6], [13]]) {
        assert.ok(relativeError(await a.extend(tokens), await b.extend(tokens)) < 1e-5, `${n} tokens, ${settings.preset}`);
        a.kv.layers.forEach((layer, l) => {
          for (let head = 0; head < layer.kvHeads; head++) for (const part of ["key", "value"] as const) {
            const [found, due] = [a.kv.layer(l), b.kv.layer(l)].map((each) => each[part](head)) as [Float32Array, Float32Array];
            assert.equal(found.length, due.length);
            assert.ok(relativeError(found, due) < 1e-5, `${part} of layer ${l}`);
            assert.deepEqual(a.kv.layer(l).positions, b.kv.layer(l).positions);
          }
        });
      }
      if (a.kv.ragged) continue;
      // What is looked at goes through the other graph, over what this one wrote.
      const [seen, due] = [await a.observe([6]), await b.observe([6])];
      assert.ok(relativeError(seen.logits, due.logits) < 1e-5 && seen.attention.every((paid, l) => relativeError(paid, due.attention[l]!) < 1e-5));
    }
    const served = decodesInPlace(checkpoint.config, "fp32");
    assert.equal(served, !windowed);
    assert.equal(there.inputs.some((names) => names.includes("lengths")), served);
    assert.equal(back.inputs.some((names) => names.includes("lengths")), false);
  });
}
