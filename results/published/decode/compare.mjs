// A token decoded by the graph that grows caches where they lie, by the graph that returns new keys and values, and the time that one read of weights and
// cache takes, in turns in one process: CPU time, which stays the same while a machine has other work. Caches are of random numbers.
// `npm run build && node results/published/decode/compare.mjs MODEL [--dtype int8] [--lengths 128,1024,4096] [--rounds 20] [--threads 1]`
import { parseArgs } from "node:util";
import { Tensor } from "onnxruntime-node";
import { openCheckpoint } from "../../../dist/lib/checkpoint/index.js";
import { checkpointWeights, weightsFolder } from "../../../dist/lib/decoder/checkpoint-weights.js";
import { decodeGraph } from "../../../dist/lib/decoder/decode.js";
import { inPlaceGraph } from "../../../dist/lib/decoder/decode-in-place.js";
import { RotaryTables } from "../../../dist/lib/decoder/rotary.js";
import { GraphBuilder } from "../../../dist/lib/onnx/builder.js";
import { HostCache } from "../../../dist/lib/runtime/host-cache.js";
import { rotaryFeeds } from "../../../dist/lib/runtime/rotary-feeds.js";
import { createSession } from "../../../dist/lib/runtime/session.js";

const { values: options, positionals: [name] } = parseArgs({ allowPositionals: true, options: { dtype: { type: "string" }, lengths: { type: "string", default: "128,1024,4096" }, rounds: { type: "string", default: "20" }, threads: { type: "string", default: "1" } } });
const [threads, rounds] = [Number(options.threads), Number(options.rounds)];
const middle = (x) => [...x].sort((a, b) => a - b)[x.length >> 1];
const checkpoint = await openCheckpoint(name, options.dtype ? { dtype: options.dtype } : {});
const { config, tensors } = checkpoint;
const tables = new RotaryTables(config);

const ways = [];
for (const [label, build] of [["in place", inPlaceGraph], ["returned", decodeGraph]]) {
  const g = new GraphBuilder(label);
  build(g, checkpointWeights(g, checkpoint), config);
  ways.push({ label, graph: await createSession(g, { threads, folder: weightsFolder(checkpoint) }) });
}
const reading = new GraphBuilder("read");
reading.output(reading.reduceSum(reading.input("x", "float32", ["rows", 4096]), [1]), "sums");
const reader = await createSession(reading, { threads });
const twice = (tensor) => tensor === "model.embed_tokens.weight" && tensors.has("lm_head.weight");
const weightBytes = [...tensors.values()].reduce((sum, { name, length, quantization }) => sum + (twice(name) ? 0 : length + (quantization ? quantization.scales.length + (quantization.zeroPoints?.length ?? 0) : 0)), 0);

async function cpu(work) {
  const used = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(used);
  return (user + system) / 1e3;
}

for (const n of options.lengths.split(",").map(Number)) {
  const { kvHeads, headDim, layers } = config;
  const numbers = (seed) => Float32Array.from({ length: kvHeads * n * headDim }, (_, i) => 2 * Math.sin(0.7 * i + seed));
  const bytes = weightBytes + 8 * layers * kvHeads * n * headDim;
  const rows = Math.floor(bytes / 16384);
  const memory = new Tensor("float32", new Float32Array(rows * 4096).fill(1), [rows, 4096]);
  for (const way of ways) {
    way.cache = HostCache.empty(config, Array(layers).fill(n + rounds + 2));
    way.cache.layers.forEach((layer, l) => layer.append({ key: numbers(l), value: numbers(l + layers) }, n, Int32Array.from({ length: n }, (_, i) => i)));
    way.times = [];
  }
  const step = ({ cache, graph }, position) => cache.step(graph, {
    ids: new Tensor("int64", BigInt64Array.of(BigInt(position % config.vocabSize)), [1, 1]), positions: new Tensor("int64", BigInt64Array.of(BigInt(position)), [1]), ...rotaryFeeds(tables.rows([position])),
  }, config, [position]);
  const reads = [];
  for (let round = 0; round <= rounds; round++) {
    const read = await cpu(() => reader.run({ x: memory }));
    const times = [];
    for (const way of round % 2 ? ways : [...ways].reverse()) times[ways.indexOf(way)] = await cpu(() => step(way, n + round));
    // The first round warms up.
    if (round === 0) continue;
    reads.push(read);
    times.forEach((time, i) => ways[i].times.push(time));
  }
  console.log(`${n} tokens, ${(bytes / 1e6).toFixed(0)} MB read in ${middle(reads).toFixed(1)} ms; ${ways.map(({ label, times }) => `${label} ${middle(times).toFixed(1)} ms, ${middle(times.map((time, i) => time / reads[i])).toFixed(2)} of a read`).join("; ")}`);
}
for (const { graph } of [...ways, { graph: reader }]) await graph.release();
