// Captured activations against the float64 forward pass.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { checkpointWeights } from "../../../lib/decoder/checkpoint-weights.js";
import { prefillGraph } from "../../../lib/decoder/prefill.js";
import { planAttention } from "../../../lib/methods/plan/pieces.js";
import { GraphBuilder } from "../../../lib/onnx/builder.js";
import { attentionWeights, blockInputs, direction, prompt, relativeError, setup, twice } from "./setup.js";

for (const variant of ["llama-llama3", "mistral"] as const) {
  describe(`capture, ${variant}`, async () => {
    const { model, tiny, pruned, close } = await setup(variant);
    after(close);
    const { heads, hiddenSize: d, layers } = model.config;
    const settings = { preset: twice, scorer: direction } as const;
    const embedding = tiny.weights.get("model.embed_tokens.weight")!;

    test("every activation has the listed shape, and capturing changes nothing else", async () => {
      const listed = model.activations({ length: prompt.length, preset: twice });
      const run = await model.prefill(prompt, { ...settings, capture: listed.map(({ name }) => name) });
      const bare = await model.prefill(prompt, settings);
      assert.equal(run.activations.size, listed.length);
      for (const { name, shape, bytes } of listed) {
        const captured = run.activations.get(name)!;
        assert.deepEqual(captured.shape, shape, name);
        assert.equal(captured.data.byteLength, bytes, name);
      }
      assert.equal(bare.activations.size, 0);
      assert.deepEqual([...run.kept], [...bare.kept]);
      assert.ok(relativeError(run.logits, bare.logits) < 1e-5);
    });

    test("hidden states, keys, attention weights and their sum are the reference's", async () => {
      const run = await model.prefill(prompt, { ...settings, capture: Array.from({ length: layers }, (_, l) => ["hidden", "attention.weights", "attention.scores", "attention.key", "attention.output", "mlp.output"].map((part) => `block.${l}.${part}`)).flat() });
      for (let l = 0; l < layers; l++) {
        const of = (part: string) => run.activations.get(`block.${l}.${part}`)!;
        const n = pruned.caches[l]!.positions.length;
        assert.deepEqual([...of("hidden").positions], pruned.caches[l]!.positions);
        assert.ok(relativeError(of("hidden").data, pruned.hidden[l]!.flatMap((x) => [...x])) < 1e-4);
        assert.ok(relativeError(of("attention.key").data, pruned.caches[l]!.keys) < 1e-4);
        const inputs = blockInputs(pruned, l, embedding, prompt, d);
        const weights = attentionWeights(tiny.config, tiny.weights, l, inputs, pruned.caches[l]!.positions, pruned.caches[l]!);
        const flat = weights.flat(2);
        assert.deepEqual(of("attention.weights").shape, [heads, n, n]);
        assert.ok(relativeError(of("attention.weights").data, flat) < 1e-4);
        of("attention.scores").data.forEach((score, i) => assert.equal(score === -Infinity, flat[i] === 0));
        const sum = inputs.flatMap((x, t) => [...x].map((value, i) => value + of("attention.output").data[t * d + i]! + of("mlp.output").data[t * d + i]!));
        assert.ok(relativeError(of("hidden").data, sum) < 1e-4);
      }
    });
  });
}

describe("the graph without capture", async () => {
  const { model, close } = await setup();
  after(close);
  const graph = (capture?: string[]) => {
    const g = new GraphBuilder();
    prefillGraph(g, checkpointWeights(g, model.checkpoint), {
      config: model.config, stages: [0], scorer: direction, attention: planAttention(model.config, 48), ...(capture && { capture }),
    });
    return g;
  };
  const nodes = (g: GraphBuilder) => g.nodes.map(({ op, inputs, outputs }) => [op, ...inputs.map((value) => value?.name), ...outputs.map(({ name }) => name)].join(" "));

  test("has the same nodes: capturing adds outputs, other attention only where scores are asked for, and all tokens of the last block only where it is", () => {
    const bare = graph();
    const captured = graph(["block.0.mlp.output", "block.1.hidden"]);
    assert.deepEqual(nodes(captured), nodes(bare));
    assert.deepEqual(captured.outputs.map(({ name }) => name).filter((name) => !bare.outputs.some((output) => output.name === name)), ["block.0.mlp.output", "block.1.hidden"]);
    const count = (g: GraphBuilder, op: string) => g.nodes.filter((node) => node.op === op).length;
    assert.equal(count(bare, "GroupQueryAttention"), 2);
    assert.equal(count(graph(["block.1.attention.scores"]), "GroupQueryAttention"), 1);
    assert.equal(count(graph(["block.2.mlp.output"]), "GroupQueryAttention"), 3);
  });
});

describe("what cannot be captured", async () => {
  const { model, close } = await setup();
  after(close);

  test("unknown names are refused with the known ones", async () => {
    await assert.rejects(model.prefill(prompt, { capture: ["block.3.hidden"] }), /activation: block\.3\.hidden \(must be embedding, or block\.0 … block\.2 with \.attention\.input, /);
    await assert.rejects(model.prefill(prompt, { capture: ["block.0.heads"] }), /activation: block\.0\.heads/);
    await assert.rejects(model.prefill(prompt, { capture: ["block.01.hidden"] }), /activation: block\.01\.hidden/);
  });

  test("the cost is known before the run, and above the limit nothing runs", async () => {
    const cost = model.activations({ length: 48 }).find(({ name }) => name === "block.1.attention.scores")!;
    assert.equal(cost.bytes, 6 * 48 * 48 * 4);
    const capture = ["block.1.attention.scores", "block.1.hidden"];
    await assert.rejects(
      model.prefill(prompt, { capture, captureLimit: cost.bytes! }),
      /capture: 61\.4 kB for 2 activations \(the limit is 55\.3 kB, .*block\.1\.attention\.scores alone takes 55\.3 kB, quadratic/,
    );
    assert.equal((await model.prefill(prompt, { capture, captureLimit: cost.bytes! + 48 * 32 * 4 })).activations.size, 2);
    assert.equal(model.activations()[0]!.bytes, null);
    assert.deepEqual(model.activations().find(({ name }) => name === "block.0.attention.key")!.shape, [2, "n", 8]);
  });
});
