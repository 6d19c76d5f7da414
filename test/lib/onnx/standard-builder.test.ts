// What is spelled out for providers gives what ONNX Runtime's own operators give.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Tensor } from "onnxruntime-node";
import { GraphBuilder, type RotaryLayout } from "../../../lib/onnx/builder.js";
import { StandardBuilder } from "../../../lib/onnx/standard-builder.js";
import type { Value } from "../../../lib/onnx/graph.js";
import { createSession } from "../../../lib/runtime/session.js";

const N = 7;
const wave = (count: number, step: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * step) * 3);

async function outputs(g: GraphBuilder, build: (g: GraphBuilder) => Value, feeds: Record<string, Tensor>): Promise<{ values: number[]; ownOperators: string[] }> {
  g.output(build(g), "y");
  const session = await createSession(g, { threads: 1 });
  const { y } = await session.run(feeds);
  await session.release();
  return { values: Array.from(y!.data as ArrayLike<number | bigint>, Number), ownOperators: g.nodes.filter(({ domain, op }) => domain !== "" || op === "SimplifiedLayerNormalization").map(({ op }) => op) };
}

async function same(build: (g: GraphBuilder) => Value, feeds: Record<string, Tensor>): Promise<void> {
  const [own, standard] = [await outputs(new GraphBuilder(), build, feeds), await outputs(new StandardBuilder(), build, feeds)];
  assert.deepEqual(standard.ownOperators, []);
  assert.equal(standard.values.length, own.values.length);
  own.values.forEach((value, i) => assert.ok(Math.abs(value - standard.values[i]!) < 1e-5, `element ${i}: ${standard.values[i]} (must be ${value})`));
}

test("SiLU and RMS norm", async () => {
  const x = new Tensor("float32", wave(N * 8, 0.37), [N, 8]);
  await same((g) => g.silu(g.input("x", "float32", ["n", 8])), { x });
  await same((g) => g.rmsNorm(g.input("x", "float32", ["n", 8]), g.constant("float32", wave(8, 1.1)), 1e-5), { x });
});

test("rotary embedding: halves and neighbours, whole heads and parts of them, rows of tokens and of positions", async () => {
  const [heads, size] = [3, 8];
  const x = new Tensor("float32", wave(N * heads * size, 0.21), [1, N, heads * size]);
  for (const interleaved of [false, true]) for (const turned of [size, 4]) for (const positioned of [false, true]) {
    const layout: RotaryLayout = { interleaved, partial: turned === size ? null : { heads, turned } };
    const table = (step: number, f: (x: number) => number) => new Tensor("float32", wave(N * (turned / 2), step).map(f), [N, turned / 2]);
    const feeds = { x, cos: table(0.5, Math.cos), sin: table(0.5, Math.sin), ...(positioned && { positions: new Tensor("int64", BigInt64Array.from([6, 0, 3, 3, 1, 5, 2], BigInt), [1, N]) }) };
    await same((g) => g.rotary(g.input("x", "float32", [1, "n", heads * size]), g.input("cos", "float32", [positioned ? "p" : "n", turned / 2]), g.input("sin", "float32", [positioned ? "p" : "n", turned / 2]), layout,
      positioned ? g.input("positions", "int64", [1, "n"]) : null), feeds);
  }
});

test("the highest stand in order, the earlier of equal ones before the later, infinite ones too", async () => {
  const rows = [[1, 5, 5, 2, 5, 0], [Infinity, -1, Infinity, 3, 3, Infinity], [0, 0, 0, 0, 0, 0]];
  const expected: Record<number, number[][]> = { 1: [[1], [0], [0]], 2: [[1, 2], [0, 2], [0, 1]], 4: [[1, 2, 3, 4], [0, 2, 3, 5], [0, 1, 2, 3]], 6: [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]] };
  for (const [k, wanted] of Object.entries(expected)) for (const g of [new GraphBuilder(), new StandardBuilder()]) {
    const feeds = { x: new Tensor("float32", Float32Array.from(rows.flat()), [3, 6]), k: new Tensor("int64", BigInt64Array.of(BigInt(k)), [1]) };
    const { values } = await outputs(g, () => g.highest(g.input("x", "float32", [3, "n"]), g.input("k", "int64", [1]), "k"), feeds);
    assert.deepEqual(values, wanted.flat());
  }
});
