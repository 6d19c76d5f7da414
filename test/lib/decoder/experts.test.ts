// Mixtures of experts: ONNX Runtime's own operators against every expert on every token, and its gradients.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Tensor } from "onnxruntime-node";
import { dequantizeRows, quantBytes, quantizeRows, zeroPointBytes, type Bits } from "../../../lib/checkpoint/quantize.js";
import type { Experts, ModelConfig } from "../../../lib/checkpoint/types.js";
import { experts } from "../../../lib/decoder/experts.js";
import type { Weights } from "../../../lib/decoder/weights.js";
import { GraphBuilder, type QuantizedMatrix } from "../../../lib/onnx/builder.js";
import { gradients } from "../../../lib/onnx/gradients.js";
import type { Value } from "../../../lib/onnx/graph.js";
import { createSession } from "../../../lib/runtime/session.js";
import { normalNumbers } from "../../reference/checkpoints.js";
import { relativeError } from "../relative-error.js";

const D = 64;
const base: Experts = { count: 5, perToken: 2, size: 96, normalised: true, denseLayers: [], sharedSize: null, bias: false };
const configOf = (changes: Partial<Experts> = {}, clamped = false): ModelConfig =>
  ({ hiddenSize: D, gatedMlp: true, activation: "silu", clampedGate: clamped ? { alpha: 1.702, limit: 0.5 } : null, experts: { ...base, ...changes } }) as unknown as ModelConfig;

/** Random weights; `held(expert)` says in what an expert's matrices are held. */
function weightsOf(g: GraphBuilder, { experts: some }: ModelConfig, held: (expert: number) => { bits: Bits; symmetric: boolean } | null): Weights {
  const normal = normalNumbers(7);
  const values = new Map<string, { value: Value; matrix: QuantizedMatrix | null }>();
  const add = (name: string, shape: number[], held: { bits: Bits; symmetric: boolean } | null = null) => {
    const raw = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => normal() / Math.sqrt(shape[1] ?? 4));
    if (!held) return values.set(name, { value: g.constant("float32", raw, shape), matrix: null });
    const [rows, columns] = shape as [number, number];
    const { quants, scales, zeroPoints } = quantizeRows(raw, columns, held.bits, held.symmetric);
    const blocks = columns / 32;
    return values.set(name, {
      value: g.constant("float32", dequantizeRows({ quants, scales, zeroPoints }, columns, held.bits), shape),
      matrix: {
        bits: held.bits, blockSize: 32, shape: [rows, columns], offsets: null,
        quants: g.constant("uint8", quants, [rows, blocks, quantBytes(columns, held.bits) / blocks]), scales: g.constant("float32", scales, [rows, blocks]),
        zeroPoints: zeroPoints && g.constant("uint8", zeroPoints, [rows, zeroPointBytes(columns, held.bits)]),
      },
    });
  };
  const { count, size, bias, sharedSize } = some!;
  const mlp = (module: string, size: number, held: { bits: Bits; symmetric: boolean } | null, bias: boolean) => {
    for (const [part, rows, columns] of [["gate", size, D], ["up", size, D], ["down", D, size]] as const) {
      add(`model.layers.0.${module}.${part}_proj.weight`, [rows, columns], held);
      if (bias) add(`model.layers.0.${module}.${part}_proj.bias`, [rows]);
    }
  };
  add("model.layers.0.mlp.gate.weight", [count, D]);
  if (bias) add("model.layers.0.mlp.gate.bias", [count]);
  for (let expert = 0; expert < count; expert++) mlp(`mlp.experts.${expert}`, size, held(expert), bias);
  if (sharedSize !== null) {
    mlp("mlp.shared_expert", sharedSize, null, false);
    add("model.layers.0.mlp.shared_expert_gate.weight", [1, D]);
  }
  const find = (name: string) => values.get(name)?.value ?? null;
  return { has: (name) => values.has(name), find, product: (name, x) => g.linear(x, find(name)!), rows: (name, indices) => g.gather(find(name)!, indices), blocks: (name) => values.get(name)!.matrix, raw: () => null };
}

const tokens = (n: number) => { const normal = normalNumbers(n); return Float32Array.from({ length: n * D }, () => normal()); };

/** Both ways in one run, the input made inside so that it may be computed in place. */
async function both(config: ModelConfig, n: number, held: (expert: number) => { bits: Bits; symmetric: boolean } | null, known = false): Promise<{ ops: Set<string>; fused: Float32Array; spelledOut: Float32Array }> {
  const results: Float32Array[] = [];
  const ops = new Set<string>();
  for (const fused of [true, false]) {
    const g = new GraphBuilder("experts", "fused", fused);
    const x = g.mul(g.input("x", "float32", [1, known ? n : "n", D]), 1.5);
    g.output(g.mul(experts(g, weightsOf(g, config, held), config, 0, x), 2), "y");
    for (const { op } of g.nodes) if (fused) ops.add(op);
    const session = await createSession(g, { threads: 2 });
    results.push((await session.run({ x: new Tensor("float32", tokens(n), [1, n, D]) }))["y"]!.data as Float32Array);
    await session.release();
  }
  return { ops, fused: results[0]!, spelledOut: results[1]! };
}

const cases: [string, Partial<Experts>, boolean, (expert: number) => { bits: Bits; symmetric: boolean } | null, string][] = [
  ["float32", {}, false, () => null, "MoE"],
  ["float32, shares of the softmax over all", { normalised: false, perToken: 3 }, false, () => null, "MoE"],
  ["float32, a clamped gate and biases", { bias: true }, true, () => null, "MoE"],
  ["float32, one expert a token and a shared one", { perToken: 1, sharedSize: 48 }, false, () => null, "MoE"],
  ["4 bits", {}, false, () => ({ bits: 4, symmetric: false }), "QMoE"],
  ["4 bits, symmetric, shares of the softmax over all", { normalised: false }, false, () => ({ bits: 4, symmetric: true }), "QMoE"],
  ["4 bits, zero points in some", { bias: true }, true, (expert) => ({ bits: 4, symmetric: expert % 2 === 0 }), "QMoE"],
  ["8 bits, zero points in some", {}, false, (expert) => ({ bits: 8, symmetric: expert !== 1 }), "QMoE"],
  ["8 bits, a clamped gate and biases", { bias: true }, true, () => ({ bits: 8, symmetric: true }), "QMoE"],
  ["some of 4, some of 8 bits", {}, false, (expert) => ({ bits: expert === 0 ? 8 : 4, symmetric: true }), "MoE"],
  ["4 bits, rows of one block with zero points", { size: 32 }, false, () => ({ bits: 4, symmetric: false }), "MoE"],
];
for (const [label, changes, clamped, held, op] of cases) {
  test(`${label}: ${op}, the same as every expert on every token`, async () => {
    for (const [n, known] of [[1, true], [1, false], [2, false], [33, true], [33, false]] as const) {
      const { ops, fused, spelledOut } = await both(configOf(changes, clamped), n, held, known);
      assert.ok(ops.has(op), [...ops].join());
      const error = relativeError(fused, spelledOut);
      assert.ok(error < 1e-5, `${n} tokens: ${error}`);
    }
  });
}

for (const [label, changes, clamped] of [["a shared expert", { sharedSize: 32, normalised: false }, false], ["a clamped gate and biases", { bias: true }, true]] as const) {
  test(`gradients through the router and the experts, ${label}, are what differences say`, async () => {
    const n = 4;
    const config = configOf(changes, clamped);
    const g = new GraphBuilder("experts");
    const x = g.input("x", "float32", [1, n, D]);
    const weight = g.constant("float32", tokens(n), [1, n, D]);
    const loss = g.reduceSum(g.mul(experts(g, weightsOf(g, config, () => null), config, 0, x), weight), [0, 1, 2]);
    g.output(loss, "loss");
    g.output(gradients(g, loss, [x])[0]!, "gradient");
    const session = await createSession(g, { threads: 1 });
    const run = (data: Float32Array) => session.run({ x: new Tensor("float32", data, [1, n, D]) });
    const at = tokens(n + 1).slice(0, n * D);
    const gradient = (await run(at))["gradient"]!.data as Float32Array;
    for (let i = 3; i < at.length; i += 29) {
      const moved = async (by: number) => { const data = at.slice(); data[i]! += by; return (await run(data))["loss"]!.data[0] as number; };
      const expected = ((await moved(2 ** -9)) - (await moved(-(2 ** -9)))) / 2 ** -8;
      assert.ok(Math.abs(gradient[i]! - expected) < 0.02 * Math.max(1, Math.abs(expected)), `${i}: ${gradient[i]} and ${expected}`);
    }
    await session.release();
  });
}

test("what is not a number stays so, in tokens, router and experts", async () => {
  for (const bad of ["x", "model.layers.0.mlp.gate.weight", "model.layers.0.mlp.experts.0.up_proj.weight", "model.layers.0.mlp.experts.0.down_proj.weight"]) {
    const config = configOf({ perToken: 5 });
    const g = new GraphBuilder("experts");
    const weights = weightsOf(g, config, () => null);
    const spoilt = (name: string, value: Value) => (name === bad ? g.mul(value, NaN) : value);
    const x = g.input("x", "float32", [1, "n", D]);
    g.output(experts(g, { ...weights, find: (name) => { const value = weights.find(name); return value && spoilt(name, value); }, product: (name, y) => g.linear(y, spoilt(name, weights.find(name)!)) }, config, 0, spoilt("x", x)), "y");
    const session = await createSession(g, { threads: 1 });
    const y = (await session.run({ x: new Tensor("float32", tokens(3), [1, 3, D]) }))["y"]!.data as Float32Array;
    assert.ok(!y.every(Number.isFinite), bad);
    await session.release();
  }
});
