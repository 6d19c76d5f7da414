// Attention of one layer over a whole prompt, computed in the ways of ways.mjs, and the parts that a piece of 256 queries is made of: CPU time of one thread, the ways in
// turns within one process, each beside what the product does. Numbers are random; each way's are compared with the product's.
// `npm run build && node results/published/attention/measure.mjs [--shapes 9/3/64,8/4/64,8/2/128] [--lengths 1024,4096] [--windows 4/1/256/512,8/4/64/1024,16/2/64/128/sinks] [--rounds 5] > attention.txt`
// (heads/kvHeads/headDim, and the window; "" leaves a part out)
import { parseArgs } from "node:util";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../../../dist/lib/onnx/builder.js";
import { serialized } from "../../../dist/lib/runtime/serialized-graph.js";
import { openSession } from "../../../dist/lib/runtime/session.js";
import { allKeys, int8Cache, int8Products, multiHead, onnxAttention, pieces, spelledOut, today, windowPieces } from "./ways.mjs";

const { values: options } = parseArgs({ options: { shapes: { type: "string", default: "9/3/64,8/4/64,8/2/128" }, lengths: { type: "string", default: "1024,4096" }, windows: { type: "string", default: "4/1/256/512,8/4/64/1024,16/2/64/128/sinks" }, rounds: { type: "string", default: "5" } } });
const rounds = Number(options.rounds);
const list = (value) => value.split(",").filter(Boolean);
const configOf = (heads, kvHeads, headDim, window = null, sinks = false) => ({ heads, kvHeads, headDim, attentionScale: headDim ** -0.5, attentionSoftcap: null, slidingWindow: window, fullLayers: [], positions: "rotary", attentionSinks: sinks });
const middle = (x) => [...x].sort((a, b) => a - b)[x.length >> 1];

// The same numbers in every process (mulberry32), about normal.
let state = 1;
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const normal = (dims) => new Tensor("float32", Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * (random() + random() + random() - 1.5)), dims);
const bytes = (dtype, dims) => {
  const least = dtype === "int8" ? -127 : 0;
  return new Tensor(dtype, (dtype === "int8" ? Int8Array : Uint8Array).from({ length: dims.reduce((a, b) => a * b, 1) }, () => least + Math.floor(random() * 255)), dims);
};

/** ONNX's Attention came with opset 23; the builder writes 21. */
async function load(g, opset) {
  const written = await serialized(g);
  if (!opset) return openSession(written, { threads: 1 });
  const model = fromBinary(ModelProtoSchema, written.onnx);
  for (const entry of model.opsetImport) if (entry.domain === "") entry.version = BigInt(opset);
  return openSession({ ...written, onnx: toBinary(ModelProtoSchema, create(ModelProtoSchema, model)) }, { threads: 1 });
}

/** Runs all in turns. @param ways `{ label, build, opset? }`, `build` making the output of a graph @returns milliseconds of each round, and the first output */
async function inTurns(ways, feeds, unit) {
  const loaded = [];
  for (const { label, build, opset, inputs } of ways) {
    const given = inputs ?? feeds;
    try {
      const g = new GraphBuilder(label);
      const values = Object.fromEntries(Object.entries(given).map(([name, { type, dims }]) => [name, g.input(name, type, dims)]));
      g.output(build(g, values), "y");
      loaded.push({ label, given, session: await load(g, opset), times: [] });
    } catch (error) {
      console.log(`  ${label}: ONNX Runtime refuses (${error.message.split("\n")[0].slice(0, 160)})`);
    }
  }
  for (let round = 0; round <= rounds; round++) {
    for (const way of loaded) {
      const used = process.cpuUsage();
      const { y } = await way.session.run(way.given, ["y"]);
      const { user, system } = process.cpuUsage(used);
      if (round === 0) way.first = Float32Array.from(y.data);
      else way.times.push((user + system) / 1e3);
    }
  }
  const [reference] = loaded;
  for (const { label, times, first, session } of loaded) {
    const ratio = middle(times.map((time, i) => time / reference.times[i]));
    const squares = (values) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
    const apart = first.length === reference.first.length && unit.compared ? `  off by ${(squares(first.map((x, i) => x - reference.first[i])) / squares(reference.first)).toExponential(1)}` : "";
    console.log(`  ${label.padEnd(58)} ${middle(times).toFixed(1).padStart(8)} ms  ${((middle(times) * 1e6) / unit.elements).toFixed(2).padStart(5)} ns${unit.compared ? `  ${ratio.toFixed(2)}` : ""}${apart}`);
    await session.release();
  }
}

for (const shape of list(options.shapes)) {
  const [heads, kvHeads, headDim] = shape.split("/").map(Number);
  const config = configOf(heads, kvHeads, headDim);
  for (const n of list(options.lengths).map(Number)) {
    console.log(`\n${heads} heads on ${kvHeads} of ${headDim}, ${n} tokens (ns for each head, query and key before it; then of the first)`);
    const feeds = { q: normal([1, n, heads * headDim]), k: normal([1, n, kvHeads * headDim]), v: normal([1, n, kvHeads * headDim]) };
    await inTurns([
      { label: "the product's (GroupQueryAttention in pieces)", build: today(config, n) },
      ...[128, 512, 1024].filter((m) => m <= n).map((m) => ({ label: `pieces of ${m}`, build: pieces(config, n, m) })),
      { label: "in tiles, 16 pieces", build: pieces(config, n, n / 16, true) },
      { label: "in tiles, whole", build: pieces(config, n, n, true) },
      { label: "ONNX's Attention, whole", build: onnxAttention(config), opset: 23 },
      { label: "MultiHeadAttention, groups repeated, whole", build: multiHead(config, n) },
      { label: "spelled out, a group's queries as rows of one, pieces of 256", build: spelledOut(config, n, 256) },
      { label: "GroupQueryAttention over an int8 cache, pieces of 256", build: int8Cache(config, n, 256) },
      { label: "int8 scores and mix, pieces of 256", build: int8Products(config, n, 256) },
      { label: "the same without a mask (wrong; a bound)", build: int8Products(config, n, 256, { mask: "none" }) },
      { label: "int8 scores and mix, pieces of 128", build: int8Products(config, n, 128) },
    ], feeds, { elements: (heads * n * (n + 1)) / 2, compared: true });
  }

  const [n, m] = [4096, 256];
  const rows = (heads / kvHeads) * m;
  const all = [kvHeads, rows, n];
  console.log(`\nParts of a piece: ${m} queries, ${n} keys, ${heads} heads on ${kvHeads} of ${headDim} (ns for each head, query and key)`);
  const one = (g, y) => g.slice(y, 2, 0, 1, 1);
  const op = (g, name, inputs, dtype, shape, domain = "") => g.node(name, inputs, [{ dtype, shape }], {}, domain)[0];
  const [queries, keys, keysTurned, weights, values] = [normal([kvHeads, rows, headDim]), normal([kvHeads, n, headDim]), normal([kvHeads, headDim, n]), normal(all), normal([kvHeads, n, headDim])];
  await inTurns([
    { label: "scores, float32", inputs: { a: queries, b: keys }, build: (g, { a, b }) => one(g, g.matmul(a, b, { transB: true })) },
    { label: "scores, float32, keys turned", inputs: { a: queries, b: keysTurned }, build: (g, { a, b }) => one(g, g.matmul(a, b)) },
    { label: "scores, int8 to float32", inputs: { a: bytes("uint8", queries.dims), b: bytes("int8", keysTurned.dims), s: normal([kvHeads, 1, n]) }, build: (g, { a, b, s }) => one(g, op(g, "MatMulIntegerToFloat", [a, b, g.scalar("float32", 1), s, g.scalar("uint8", 128)], "float32", all, "com.microsoft")) },
    { label: "scores, int8 to int32", inputs: { a: bytes("uint8", queries.dims), b: bytes("int8", keysTurned.dims) }, build: (g, { a, b }) => one(g, op(g, "MatMulInteger", [a, b, g.scalar("uint8", 128)], "int32", all)) },
    { label: "a sum with the scores (a mask)", inputs: { a: weights, b: normal([1, 1, n]) }, build: (g, { a, b }) => one(g, g.add(a, b)) },
    { label: "softmax", inputs: { a: weights }, build: (g, { a }) => one(g, g.softmax(a)) },
    { label: "exponential alone", inputs: { a: weights }, build: (g, { a }) => one(g, op(g, "Exp", [a], "float32", all)) },
    { label: "the largest of each row", inputs: { a: weights }, build: (g, { a }) => g.reduceMax(a, [2], true) },
    { label: "rounding to 8 bits", inputs: { a: weights }, build: (g, { a }) => one(g, op(g, "QuantizeLinear", [a, g.scalar("float32", 1 / 255), g.scalar("uint8", 0)], "uint8", all)) },
    { label: "mix, float32", inputs: { a: weights, b: values }, build: (g, { a, b }) => one(g, g.matmul(a, b)) },
    { label: "mix, float32, values held turned", inputs: { a: weights, b: keysTurned }, build: (g, { a, b }) => one(g, g.matmul(a, b, { transB: true })) },
    { label: "mix, int8", inputs: { a: bytes("uint8", all), b: bytes("int8", values.dims), s: normal([kvHeads, 1, headDim]) }, build: (g, { a, b, s }) => one(g, op(g, "MatMulIntegerToFloat", [a, b, g.scalar("float32", 1), s, g.scalar("uint8", 0)], "float32", [kvHeads, rows, headDim], "com.microsoft")) },
  ], {}, { elements: heads * m * n, compared: false });
}

for (const shape of list(options.windows)) {
  const [heads, kvHeads, headDim, window, sinks] = shape.split("/").map((part) => (part === "sinks" ? true : Number(part)));
  const config = configOf(heads, kvHeads, headDim, window, sinks === true);
  for (const n of list(options.lengths).map(Number).filter((length) => length > window)) {
    console.log(`\n${heads} heads on ${kvHeads} of ${headDim}, a window of ${window}${sinks ? ", sinks" : ""}, ${n} tokens (ns for each head, query and key in the window; then of the first)`);
    const feeds = { q: normal([1, n, heads * headDim]), k: normal([1, n, kvHeads * headDim]), v: normal([1, n, kvHeads * headDim]), ...(sinks && { sinks: normal([heads]) }) };
    const seen = heads * (window * n - (window * (window - 1)) / 2);
    await inTurns([
      { label: "all keys up to a piece's end, as before", build: (g, given) => allKeys(config, n)(g, given).output },
      { label: "the product's: its window's keys alone", build: today(config, n) },
      ...[64, 128, 256, 512].map((m) => ({ label: `the same in pieces of ${m}`, build: windowPieces(config, n, m) })),
    ], feeds, { elements: seen, compared: true });
  }
}
