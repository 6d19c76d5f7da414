// Weights in files, held once by all sessions of a thread.
import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { runInNewContext } from "node:vm";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../../../../lib/onnx/builder.js";
import { toOnnx } from "../../../../lib/onnx/serialize.js";
import { backend } from "../../../../lib/runtime/c-api/backend.js";
import { openLibrary } from "../../../../lib/runtime/c-api/library.js";
import { CApiSession } from "../../../../lib/runtime/c-api/session.js";
import { hostHome } from "../../../../lib/runtime/home.js";
import { load, Model } from "../../../../lib/runtime/model.js";
import { serialized } from "../../../../lib/runtime/serialized-graph.js";
import { tinyCheckpoint } from "../../../reference/checkpoints.js";
import { temporaryFolder } from "../../checkpoint/fixtures.js";

const skip = (await backend()).name !== "c-api" && "the C API is not used here";
const [OUT, IN] = [48, 40];

/** A file of which weights begin at odd places: of a product, of a norm's kind, a table. */
function writeWeights(file: string, scale: number) {
  const matrix = Float32Array.from({ length: OUT * IN }, (_, i) => scale * Math.sin(i));
  const bias = Float32Array.from({ length: OUT }, (_, i) => scale * Math.cos(i));
  const table = Uint16Array.from({ length: 7 * IN }, (_, i) => 0x3c00 + i);
  const bytes = (array: ArrayBufferView) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);
  writeFileSync(file, Buffer.concat([Buffer.alloc(3), bytes(matrix), Buffer.alloc(2), bytes(bias), bytes(table)]));
  return { matrix, bias, table };
}

async function graph(location: string, twice = false) {
  const g = new GraphBuilder("weights");
  const x = g.input("x", "float32", ["n", IN]);
  const matrix = g.external("matrix", "float32", [OUT, IN], location, 3, 4 * OUT * IN);
  const bias = g.external("bias", "float32", [OUT], location, 5 + 4 * OUT * IN, 4 * OUT);
  const table = g.external("table", "float16", [7, IN], location, 5 + 4 * OUT * (IN + 1), 2 * 7 * IN);
  const y = g.add(g.linear(g.add(x, g.cast(g.gather(table, g.constant("int64", [3])), "float32")), matrix), bias);
  g.output(twice ? g.mul(y, 2) : y, "y");
  return serialized(g);
}

const feeds = { x: new Tensor("float32", Float32Array.from({ length: 3 * IN }, (_, i) => Math.sin(i * 0.3)), [3, IN]) };
const half = (bits: number) => 2 ** ((bits >> 10) - 15) * (1 + (bits & 1023) / 1024);

function expected({ matrix, bias, table }: ReturnType<typeof writeWeights>, factor = 1): number[] {
  return Array.from({ length: 3 * OUT }, (_, at) => {
    const [row, out] = [Math.floor(at / OUT), at % OUT];
    let sum = bias[out]!;
    for (let i = 0; i < IN; i++) sum += ((feeds.x.data as Float32Array)[row * IN + i]! + half(table[3 * IN + i]!)) * matrix[out * IN + i]!;
    return factor * sum;
  });
}

const near = (actual: Tensor | undefined, wanted: readonly number[]) => (actual!.data as Float32Array).forEach((value, i) => assert.ok(Math.abs(value - wanted[i]!) < 1e-3, `${i}: ${value} (must be ${wanted[i]})`));
const mapped = (file: string) => process.platform !== "linux" || readFileSync("/proc/self/maps", "utf8").includes(file);

async function open(folder: string, location: string, twice = false) {
  const { onnx, weights } = await graph(location, twice);
  return CApiSession.open(await openLibrary(), onnx, { threads: 1, folder, weights });
}

test("weights at odd places of a mapped file give what they are; the file is held by the sessions together, and freed with the last", { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const weights = writeWeights(join(folder, "w.bin"), 1);
  const [a, b] = [await open(folder, "w.bin"), await open(folder, "w.bin", true)];
  near((await a.run(feeds))["y"], expected(weights));
  await a.release();
  assert.ok(mapped(folder));
  near((await b.run(feeds))["y"], expected(weights, 2));
  const under = b.run(feeds);
  const released = b.release();
  assert.ok(mapped(folder));
  near((await under)["y"], expected(weights, 2));
  await released;
  assert.equal(process.platform === "linux" && mapped(folder), false);
  const again = await open(folder, "w.bin");
  near((await again.run(feeds))["y"], expected(weights));
  await again.release();
});

test("a session that is forgotten lets go of the file too", { skip: skip || (process.platform !== "linux" && "mappings are read on Linux") }, async (t) => {
  const folder = await temporaryFolder(t);
  writeWeights(join(folder, "w.bin"), 1);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await (async () => void (await (await open(folder, "w.bin")).run(feeds)))();
  for (let turns = 0; turns < 1000 && mapped(folder); turns++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(mapped(folder), false);
});

test("a file that takes the place of another has its own weights; the old session keeps the old ones", { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const before = writeWeights(join(folder, "w.bin"), 1);
  const old = await open(folder, "w.bin");
  const after = writeWeights(join(folder, "new.bin"), -3);
  renameSync(join(folder, "new.bin"), join(folder, "w.bin"));
  const young = await open(folder, "w.bin");
  near((await old.run(feeds))["y"], expected(before));
  near((await young.run(feeds))["y"], expected(after));
  await old.release();
  near((await young.run(feeds))["y"], expected(after));
  await young.release();
});

test("a file that ends before a weight does is named, and nothing stays behind", { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  writeFileSync(join(folder, "w.bin"), Buffer.alloc(100));
  await assert.rejects(open(folder, "w.bin"), /w\.bin: 100 bytes \(weight matrix is at 3 to 7683\)/);
  assert.equal(process.platform === "linux" && mapped(folder), false);
  await assert.rejects(open(folder, "none.bin"), /none\.bin/);
});

test("a model whose file was changed builds no further graph of it, and goes on with those that it has", async (t) => {
  const tiny = tinyCheckpoint("llama");
  t.after(() => tiny.remove());
  const model = await load(tiny.folder, { threads: 1 });
  t.after(() => model.release());
  const ids = [1, 2, 3, 4];
  const before = (await model.prefill(ids)).logits;
  const file = join(tiny.folder, "model.safetensors");
  writeFileSync(`${file}.new`, readFileSync(file));
  renameSync(`${file}.new`, file);
  assert.deepEqual((await model.prefill(ids)).logits, before);
  await assert.rejects(model.prefill(ids, { preset: "keep07", scorer: "norm" }), { message: `${file}: was changed since the model was loaded (load the model anew)` });
  const anew = await load(tiny.folder, { threads: 1 });
  t.after(() => anew.release());
  assert.deepEqual((await anew.prefill(ids)).logits, before);
  assert.ok((await anew.prefill(ids, { preset: "keep07", scorer: "norm" })) !== null);
});

test("threads have weights of their own: sessions come and go in several at once", { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const weights = writeWeights(join(folder, "w.bin"), 1);
  const { onnx, weights: external } = await graph("w.bin");
  const url = (path: string) => new URL(path, import.meta.url).href;
  const script = `
    import { parentPort, workerData } from "node:worker_threads";
    const { openLibrary } = await import(workerData.library);
    const { CApiSession } = await import(workerData.session);
    const { Tensor } = await import(${JSON.stringify(import.meta.resolve("onnxruntime-node"))});
    const library = await openLibrary();
    let y;
    for (let i = 0; i < 20; i++) {
      const session = await CApiSession.open(library, workerData.onnx, { threads: 1, folder: workerData.folder, weights: workerData.weights });
      y = (await session.run({ x: new Tensor("float32", workerData.x, workerData.dims) })).y.data;
      if (i % 2 === 0) await session.release();
    }
    parentPort.postMessage(y);`;
  const work = () => new Promise<Float32Array>((resolve, reject) => {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), { workerData: { library: url("../../../../lib/runtime/c-api/library.js"), session: url("../../../../lib/runtime/c-api/session.js"), onnx, weights: external, folder, x: feeds.x.data, dims: feeds.x.dims } });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  for (const y of await Promise.all([work(), work(), work()])) near(new Tensor("float32", y, [3, OUT]), expected(weights));
});

test("the same logits as with the binding, bit for bit, in every dtype", { skip }, async (t) => {
  const tiny = tinyCheckpoint("llama", { dtype: "BF16" });
  t.after(() => tiny.remove());
  const ids = Array.from({ length: 60 }, (_, i) => (i * 17) % 200);
  for (const dtype of ["fp32", "int8", "int4"]) {
    const model = await load(tiny.folder, { threads: 1, dtype });
    const binding = new Model(model.checkpoint, { threads: 1, dtype }, {
      ...hostHome(), oneCopy: () => false,
      load: async (g, { folder }) => {
        const session = await InferenceSession.create(toOnnx(g), { intraOpNumThreads: 1, enableMemPattern: false, extra: { session: { model_external_initializers_file_folder_path: folder } } });
        return { inputNames: session.inputNames, outputNames: session.outputNames, run: (inputs, wanted) => session.run(inputs, wanted ?? session.outputNames), release: () => session.release() };
      },
    });
    for (const preset of ["baseline", "keep07"]) {
      const [a, b] = [await model.prefill(ids, { preset, scorer: preset === "baseline" ? undefined : "norm" }), await binding.prefill(ids, { preset, scorer: preset === "baseline" ? undefined : "norm" })];
      assert.deepEqual([a.logits, await a.extend([5])], [b.logits, await b.extend([5])], `${dtype} ${preset}`);
    }
    await Promise.all([model.release(), binding.release()]);
  }
});
